"""Ports for servers that tests and benches start. Standard library only."""
import itertools
import os
import socket

# Below those that the kernel gives to connections by itself: one of these could be taken before the server listens there.
PORTS = itertools.count(os.getpid() * 997)


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that this process has not been given before."""
    while True:
        port = 10_000 + next(PORTS) % 20_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
