# SPDX-License-Identifier: MIT
"""Where a peer lives on this machine: its state directory, its lock, its socket.

One peer a state directory: whoever holds the lock of ``STATE/lock`` is it, and
writes there, as one line of JSON, its process and the path of its control
socket.  That is ``STATE/control.sock``, or a short name in the user's runtime
directory when the path would be too long for a socket.  The runtime directory
also lists the running peers, so that a verb finds the only one.  A list entry
proves nothing: whoever wants to use it connects.
"""

from federation.adapters.runtime.folders import (
    APP,
    CONFIG_NAME,
    LOCK_NAME,
    LOG_NAME,
    SOCKET_NAME,
    absolute,
    check_state_dir,
    examine_state_dir,
    prepare_state_dir,
    read_private_text,
    runtime_dir,
    runtime_place,
    unused_runtime_dir,
    write_private_text,
)
from federation.adapters.runtime.lock import StateLock, is_locked, socket_path
from federation.adapters.runtime.running import (
    Running,
    free_port,
    resolve_state_dir,
    running_peer,
    running_peers,
)

__all__ = [
    "APP",
    "CONFIG_NAME",
    "LOCK_NAME",
    "LOG_NAME",
    "SOCKET_NAME",
    "Running",
    "StateLock",
    "absolute",
    "check_state_dir",
    "examine_state_dir",
    "free_port",
    "is_locked",
    "prepare_state_dir",
    "read_private_text",
    "resolve_state_dir",
    "running_peer",
    "running_peers",
    "runtime_dir",
    "runtime_place",
    "socket_path",
    "unused_runtime_dir",
    "write_private_text",
]
