"""Stops one thread of another process where it is, by ptrace, as a debugger would: a core that stands still."""
import contextlib
import ctypes
import os
import pathlib
import threading

from tools import Missing

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


@contextlib.contextmanager
def stopped_thread(process, name):
    """The thread of this name does not run inside the block.

    A thread of our own does it, since the kernel takes orders from the one that seized only."""
    task = next(int(folder.name) for folder in pathlib.Path(f"/proc/{process}/task").iterdir()
                if (folder / "comm").read_text().strip() == name)
    stopped, over, failure = threading.Event(), threading.Event(), []

    def hold():
        for request in (SEIZE, INTERRUPT):
            if libc.ptrace(request, task, None, None) != 0:
                failure.append(os.strerror(ctypes.get_errno()))
                stopped.set()
                return
        os.waitpid(task, WAIT_ALL)
        stopped.set()
        over.wait()
        libc.ptrace(DETACH, task, None, None)

    holder = threading.Thread(target=hold)
    holder.start()
    stopped.wait()
    if failure:
        raise Missing(f"ptrace of a thread of our own process is refused here: {failure[0]}")
    try:
        yield
    finally:
        over.set()
        holder.join()
