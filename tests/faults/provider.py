#!/usr/bin/env python3
"""A provider that fails as it is told: sockets and bytes, and no idea of what it says. Python 3.9+, standard library only.

It knows nothing of the gateway and next to nothing of HTTP, so that a mistake in the gateway's reading cannot be repeated
here. One JSON object a line on standard input is a command, one on standard output its answer:

  {"do": "open", …}                  a listener: a provider                     → {"id": 1, "port": 40001}
      "plays": [PLAY, …]             what the first request meets, the second, …; the last one stays ("cycle": begin again)
      "as": "serve"                  or "refuse": bound, and nobody listens
                                     or "black hole": its queue is full, so that the kernel drops every SYN
                                     or "stopped": connections are accepted by the kernel, and nobody ever reads
      "host", "port"                 another address than a free port of 127.0.0.1
      "tls": {"cert", "key"}         or "reset" or "stall": in the handshake
  {"do": "play", "id": 1, "plays": […]}        something else from now on
  {"do": "log", "id": 1}                       all that was seen, oldest first  → {"log": [{"t", "conn", "what", …}]}
  {"do": "close", "id": 1}
  {"do": "names", "answers": {"name": ANSWER}} what the resolver answers: addresses, "none" (no such name), "fail",
                                               "empty" or "late"; the first time → {"port": 40002}, a UDP port

A PLAY is {"read": HOW, "steps": [STEP, …]}; HOW is "request" (to its end), "head", or "nothing" (its first byte is there,
and stays where it is). The connection goes on to the next request after the last step, unless a step ended it.
  ["send", text]        bytes, as Latin-1            ["sleep", ms]       wait
  ["repeat", text, n]   the same n times             ["rst"]             reset (SO_LINGER 0)
  ["drip", text, ms]    byte by byte                 ["fin"]             close
  ["loop", text, ms]    again and again until the peer closes
  ["hang"]              nothing more until the peer closes
  ["deaf"]              the same, and not a byte more is read
"t" is CLOCK_MONOTONIC in nanoseconds, as every process of this machine sees it.
"""
import json
import select
import socket
import ssl
import struct
import sys
import threading
import time

RESET = struct.pack("ii", 1, 0)
REQUEST_MAX = 64 * 1024 * 1024
# Longer than any case: what still hangs then is ended with the process.
HANG_S = 60


class Ended(Exception):
    """The connection is over."""


class Listener:
    """One port, what it plays, and what it saw."""

    def __init__(self, plays, kind="serve", tls=None, cycle=False, host="127.0.0.1", port=0):
        self.lock, self.log, self.turn, self.conns = threading.Lock(), [], 0, 0
        self.plays, self.cycle, self.tls, self.context = plays, cycle, tls, None
        if isinstance(tls, dict):
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls["cert"], tls["key"])
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.held = []
        if kind == "black hole":
            self.socket.listen(0)
            self.fill()
        elif kind == "stopped":
            self.socket.listen(64)
        elif kind == "serve":
            self.socket.listen(1024)
            threading.Thread(target=self.accept, daemon=True).start()

    def fill(self):
        """Connects until the kernel answers no more."""
        for _ in range(8):
            held = socket.socket()
            held.setblocking(False)
            held.connect_ex(("127.0.0.1", self.port))
            self.held.append(held)
        _, connected, _ = select.select([], self.held, [], 0.05)
        assert len(connected) < len(self.held), "the kernel takes connections without end"

    def note(self, conn, what, **more):
        entry = {"t": time.monotonic_ns(), "conn": conn, "what": what, **more}
        with self.lock:
            self.log.append(entry)

    def next_play(self):
        with self.lock:
            turn, self.turn = self.turn, self.turn + 1
            turn = turn % len(self.plays) if self.cycle else min(turn, len(self.plays) - 1)
            return self.plays[turn]

    def replace(self, plays, cycle=False):
        with self.lock:
            self.plays, self.cycle, self.turn = plays, cycle, 0

    def accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.conns += 1
            threading.Thread(target=self.serve, args=(sock, self.conns), daemon=True).start()

    def serve(self, sock, conn):
        self.note(conn, "accepted")
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls == "reset":
                sock.recv(1)
                reset(sock)
            if self.tls == "stall":
                hang(sock)
            if self.context:
                sock.settimeout(HANG_S)
                try:
                    sock = self.context.wrap_socket(sock, server_side=True)
                except (ssl.SSLError, OSError) as error:
                    self.note(conn, "no tls", why=str(error))
                    raise Ended from error
            rest = b""
            while True:
                rest = self.one(sock, conn, rest)
        except (Ended, OSError) as ended:
            if str(ended):
                self.note(conn, str(ended) if isinstance(ended, Ended) else "broken")
        finally:
            sock.close()

    def one(self, sock, conn, rest):
        """One request and what it meets; bytes that came behind it."""
        if not rest and isinstance(sock, ssl.SSLSocket):
            rest = sock.recv(65536)
        if not rest and (isinstance(sock, ssl.SSLSocket) or not peeked(sock)):
            raise Ended("peer closed")
        play = self.next_play()
        how = play.get("read", "request")
        if how == "nothing":
            self.note(conn, "touched")
        else:
            request, rest = read_request(sock, rest, how == "request")
            if request is None:
                raise Ended("peer closed")
            self.note(conn, "request", **request)
        for step in play["steps"]:
            self.step(sock, conn, step)
        return rest

    def step(self, sock, conn, step):
        what, *more = step
        try:
            if what == "send":
                sock.sendall(more[0].encode("latin-1"))
            elif what == "repeat":
                piece = more[0].encode("latin-1") * max(1, min(more[1], 65536 // max(1, len(more[0]))))
                left = more[1] * len(more[0])
                while left > 0:
                    sock.sendall(piece[:left])
                    left -= len(piece)
            elif what == "drip":
                for byte in more[0]:
                    sock.sendall(byte.encode("latin-1"))
                    time.sleep(more[1] / 1000)
            elif what == "loop":
                while not closed(sock):
                    sock.sendall(more[0].encode("latin-1"))
                    time.sleep(more[1] / 1000)
                raise Ended("peer closed")
            elif what == "sleep":
                time.sleep(more[0] / 1000)
            elif what == "hang":
                hang(sock)
            elif what == "deaf":
                poll = select.poll()
                poll.register(sock, select.POLLRDHUP)
                poll.poll(HANG_S * 1000)
                raise Ended("peer closed")
        except OSError as error:
            raise Ended("peer closed") from error
        if what == "rst":
            self.note(conn, "reset")
            reset(sock)
        if what == "fin":
            self.note(conn, "closed")
            # The peer may still be sending: a close with unread bytes would be a reset.
            sock.shutdown(socket.SHUT_WR)
            drain(sock)
            raise Ended
        if what in ("send", "repeat", "drip"):
            self.note(conn, "sent", bytes=len(more[0]))


def peeked(sock):
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


def closed(sock):
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable) and not peeked(sock)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()
    raise Ended


def drain(sock):
    sock.settimeout(HANG_S)
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


def hang(sock):
    """Waits for the peer to close, and tells that it did."""
    drain(sock)
    raise Ended("peer closed")


def read_request(sock, rest, whole):
    """The next request as the log tells it, and the bytes behind it."""
    while b"\r\n\r\n" not in rest:
        piece = sock.recv(65536)
        if not piece or len(rest) > REQUEST_MAX:
            return None, b""
        rest += piece
    first = time.monotonic_ns()
    head, _, rest = rest.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    length = int(headers.get("content-length", 0))
    pieces, there = [rest], len(rest)
    while whole and there < length:
        piece = sock.recv(1 << 20)
        if not piece:
            break
        pieces.append(piece)
        there += len(piece)
    body = b"".join(pieces)
    seen = {"line": line, "headers": headers, "length": length, "got": min(there, length), "first": first,
            "body": body[:min(length, 4096)].decode("latin-1")}
    return seen, body[length:] if whole else b""


class Resolver:
    """Answers names by UDP, for the shim that stands in for the C library's resolver."""

    def __init__(self):
        self.answers, self.asked = {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            name, peer = self.socket.recvfrom(512)
            name = name.decode("latin-1")
            self.asked.append(name)
            answer = self.answers.get(name, "none")
            if answer != "late":
                self.socket.sendto(answer.encode("latin-1"), peer)


def main():
    listeners, resolver = {}, Resolver()
    for line in sys.stdin:
        command = json.loads(line)
        do, reply = command.pop("do"), {}
        if do == "open":
            listener = Listener(command.pop("plays", []), command.pop("as", "serve"), **command)
            number = len(listeners) + 1
            listeners[number] = listener
            reply = {"id": number, "port": listener.port}
        elif do == "play":
            listeners[command["id"]].replace(command["plays"], command.get("cycle", False))
        elif do == "log":
            listener = listeners[command["id"]]
            with listener.lock:
                reply = {"log": list(listener.log)}
        elif do == "close":
            listeners[command["id"]].socket.close()
        elif do == "names":
            resolver.answers.update(command["answers"])
            reply = {"port": resolver.port, "asked": list(resolver.asked)}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
