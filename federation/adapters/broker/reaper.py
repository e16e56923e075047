# SPDX-License-Identifier: MIT
"""Children that end with their parent, also when it was killed with SIGKILL.

Run as a program, before the one it is for:

    python -I -S reaper.py PARENT-PID COMMAND …

On Linux it asks the kernel for SIGKILL at its parent's death and becomes
COMMAND: one process, one pid.  Elsewhere it stays, starts COMMAND as a child
and ends it when standard input, a pipe of the parent's, ends.  It stands alone
on purpose: ``-I -S`` makes it start in some milliseconds.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

#: prctl(2): the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1
#: How often the watcher looks whether its child has ended (seconds).
WATCH_INTERVAL = 0.2
#: How long a child has between SIGTERM and SIGKILL (seconds).
GRACE = 1.0


def die_with_parent(parent: int) -> bool:
    """Arrange for SIGKILL at the death of process ``parent``; False where that is impossible.

    Ends this process if the parent is gone already: it may have died between
    the fork and this call.  The kernel forgets the arrangement when a process
    changes its user, so a child must not do that.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        return False
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    return True


def watch(command: list[str]) -> int:
    """Run ``command`` until it ends, or standard input does; its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(_number: int, _frame: object) -> None:
        child.terminate()

    signal.signal(signal.SIGTERM, end)
    while child.poll() is None:
        readable, _, _ = select.select([0], [], [], WATCH_INTERVAL)
        if readable and not os.read(0, 4096):
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
            break
    return child.wait()


def main(arguments: list[str]) -> int:
    """Become, or watch over, the command behind the parent's pid."""
    parent, command = int(arguments[0]), arguments[1:]
    if die_with_parent(parent):
        os.execvp(command[0], command)  # noqa: S606 - a program, no shell
    return watch(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
