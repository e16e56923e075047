# SPDX-License-Identifier: MIT
"""The verb ``service``: a systemd unit for a bot, hardened, for this installation."""

from __future__ import annotations

import sys
from pathlib import Path

from federation.adapters import runtime
from federation.cli.context import Context
from federation.cli.output import PROGRAM, Result, usage_error

#: What a peer needs is files of its own and the network; everything else is closed.
_UNIT = """\
[Unit]
Description=meta-log-peer-sync bot ({state})
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
UMask=0077
WorkingDirectory={folder}
ExecStart={program} bot --state-dir {named}
# Its events name documents: they stay out of the journal. Warnings go there.
StandardOutput=null
Restart=always
RestartSec=2
TimeoutStopSec=15
ReadWritePaths={parent}
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=true
PrivateDevices=true
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
RemoveIPC=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
TasksMax=256
MemoryMax=1G

[Install]
WantedBy=multi-user.target
"""


def service(context: Context) -> Result:
    """Print the unit; nothing is installed."""
    state_dir = context.state_dir(running=False)
    runtime.check_state_dir(state_dir, context.environ)
    user = str(context.argument("user"))
    if not user.isascii() or not user.replace("-", "").replace("_", "").isalnum():
        raise usage_error("--user is the name of a user", "service --user meta-log")
    beside = Path(sys.executable).with_name(PROGRAM)
    words = [str(beside)] if beside.exists() else [sys.executable, "-m", "federation"]
    homes = any(one.startswith(("/home/", "/root/")) for one in (str(state_dir), words[0]))
    parent = state_dir.parent
    unit = _UNIT.format(
        state=_doubled(state_dir), user=user, home="false" if homes else "true",
        # this one takes a path as it is, the others words
        folder=_doubled(parent), parent=_quoted(parent),
        program=" ".join(_quoted(word).replace("$", "$$") for word in words),
        named=_quoted(state_dir).replace("$", "$$"),
    )  # fmt: skip
    return Result({"unit": unit}, unit.splitlines())


def _doubled(word: object) -> str:
    return str(word).replace("%", "%%")


def _quoted(word: object) -> str:
    """A path as one word of a unit file: systemd's own quoting, and its ``%`` doubled."""
    text = _doubled(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if set(text) - set(_PLAIN) else text


_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:"
