"""Cores of their own for what is measured and for what measures."""
import os

CORES = sorted(os.sched_getaffinity(0))
# What is measured; and the rest, which has to share where there is one core only.
GATEWAY, OTHERS = CORES[0], CORES[-1]


def settle_on(core, process):
    """Pins all threads of a process, and puts them before whatever else runs there; whether it may."""
    for thread in map(int, os.listdir(f"/proc/{process}/task")):
        os.sched_setaffinity(thread, {core})
        try:
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            return False
    return True
