# SPDX-License-Identifier: MIT
"""The verb ``doctor``: looks at everything that can be broken, and says cause and cure.

It changes nothing, needs no running peer, and says more with one.  What the
findings mean is decided in ``federation.doctor``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar, cast

from federation import __version__, broker_url, limits
from federation.adapters import keystore, runtime
from federation.adapters.mqtt import examine
from federation.adapters.store import schema
from federation.cli.client import Client
from federation.cli.context import Context, Row
from federation.cli.output import FAILED, OK, CommandError, Result, clean, count, pad
from federation.config import Config, resolve
from federation.doctor import rules
from federation.doctor.rules import Check, Probe
from federation.errors import Refusal, io_refusal
from federation.identity.protect import Opened

T = TypeVar("T")
#: What every file of SQLite begins with.
_DATABASE: Final = b"SQLite format 3\0"
#: Files whose times are looked at: they are written while a peer runs.
_WRITTEN = ("store.db", "store.db-wal", runtime.LOG_NAME)


@dataclass
class Facts:
    """What was found, in the order of the checks."""

    state_dir: Path
    settings: Config
    problem: Refusal | None
    running: runtime.Running | None
    #: the state directory is none of ours: it is not looked into, nothing is written there
    barred: bool = False
    #: answers of the running peer; empty where there is none
    status: Row = field(default_factory=dict)
    health: Row = field(default_factory=dict)
    peers: list[Row] = field(default_factory=list)


def doctor(context: Context) -> Result:
    """Look at everything; exit code 1 where something is an error."""
    if runtime.running_peer(context.state_dir()) is None:
        # Otherwise it would find "no peer" in a folder that nobody meant.
        context.one_of_several()
    facts = _facts(context)
    state = _state(facts, context)
    # A folder of somebody else, or for other things, is said once, and left alone.
    facts.barred = state.case in ("state-owner", "state-unsafe")
    checks = [
        rules.version(__version__, facts.status.get("version")),
        _config(facts, context),
        state,
        _disk(facts),
        _runtime(),
        _identity(facts),
        _instance(facts),
        _broker(facts),
    ]
    if facts.status:
        checks += [rules.peers(facts.peers, facts.status.get("refusals") or {})]
    checks.append(rules.clock(_offsets(facts.peers), _ahead(facts.state_dir)))
    good = rules.healthy(checks)
    data = {"healthy": good, "version": __version__, "state_dir": str(facts.state_dir),
            "checks": [check.as_data() for check in checks]}  # fmt: skip
    return Result(data, lines(checks), OK if good else FAILED)


def lines(checks: list[Check]) -> list[str]:
    """The checks for people: a line each, and cause and cure below what is not well."""
    shown: list[str] = []
    for check in checks:
        word = "ok" if check.state == "ok" else check.state.upper()
        shown.append(f"{pad(word, 8)} {pad(check.name, 9)} {clean(check.found)}")
        if check.case and check.state != "ok":
            shown.append(f"{'':18} why:  {clean(check.cause)}")
            shown.append(f"{'':18} cure: {clean(check.cure)}")
    errors = sum(check.state == "error" for check in checks)
    warnings = sum(check.state == "warning" for check in checks)
    return [*shown, f"{count(errors, 'error')}, {count(warnings, 'warning')}"]


def _attempt(work: Callable[[], T]) -> tuple[T | None, Refusal | None]:
    try:
        return work(), None
    except Refusal as refusal:
        return None, refusal


def _facts(context: Context) -> Facts:
    state_dir = context.state_dir()
    settings, problem = _attempt(lambda: context.settings(state_dir))
    facts = Facts(state_dir, settings or resolve({}, {}), problem, runtime.running_peer(state_dir))
    if facts.running is not None:
        # It may end while it is asked: then the rest is as without one.
        with contextlib.suppress(Refusal, CommandError), Client(facts.running.socket) as client:
            facts.status = client.call("status")
            facts.health = client.call("health")
            facts.peers = cast("list[Row]", client.call("peers.list")["peers"])
    return facts


def _config(facts: Facts, context: Context) -> Check:
    path = str(context.config_file(facts.state_dir)[0])
    if facts.barred and facts.problem is not None:
        return rules.well("config", f"not looked at: {path}")
    return rules.config(facts.problem, path)


def _state(facts: Facts, context: Context) -> Check:
    look = runtime.examine_state_dir
    there, refusal = _attempt(lambda: look(facts.state_dir, context.environ))
    if refusal is None:
        version = _store_version(facts.state_dir)
        if version is None:
            refusal = Refusal("config-store-corrupt", str(facts.state_dir / "store.db"))
        elif version > schema.VERSION:
            refusal = Refusal("config-state-newer", str(facts.state_dir))
    return rules.state(refusal, str(facts.state_dir), there=bool(there))


def _store_version(state_dir: Path) -> int | None:
    """The number of the store's schema, at offset 60 of SQLite's file format.

    0 where there is no store yet, None where the file is no database.
    """
    try:
        with (state_dir / "store.db").open("rb") as file:
            head = file.read(64)
    except OSError:
        return 0
    return int.from_bytes(head[60:], "big") if head[:16] in (b"", _DATABASE) else None


def _disk(facts: Facts) -> Check:
    folder = facts.state_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        found = os.statvfs(folder)
    except OSError:
        return rules.disk(None, writable=True)
    writable, failing = (True, "") if facts.barred else _try_to_write(facts.state_dir)
    for check in cast("list[Row]", facts.health.get("checks") or []):
        if check["name"] == "store" and not check["ok"]:
            failing = str(check["detail"])
    return rules.disk(found.f_bavail * found.f_frsize, writable=writable, failing=failing)


def _try_to_write(folder: Path) -> tuple[bool, str]:
    """Whether there is room for a small file, and why it could not be written otherwise."""
    if not folder.is_dir():
        return True, ""
    path = folder / f".doctor.{os.getpid()}.tmp"
    try:
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return not full, "" if full else f"{folder}: {error.strerror}"
    return True, ""


def _runtime() -> Check:
    """The folder as a start finds it, and why it is none that the user named."""
    folder, there = runtime.runtime_place(), True
    try:
        runtime.runtime_dir(create=False)
    except Refusal as refusal:
        return rules.runtime(refusal, "")
    except FileNotFoundError:
        there = False
    except OSError as error:
        return rules.runtime(io_refusal(error, folder), "")
    where = str(folder) if there else f"{folder} is made at the first start"
    # Not the variables of the verb: the folder is that of the process.
    return rules.runtime(None, where, unused=runtime.unused_runtime_dir(folder, os.environ))


def _identity(facts: Facts) -> Check:
    if facts.status:
        own = str(facts.status["peer_id"])
        refused = cast("Row", facts.status.get("refusals") or {})
        return rules.identity(None, own, refused=refused, twins=_twins(facts, own))
    if facts.problem is not None or facts.barred:
        return rules.well("identity", "not looked at, because of what is named above")
    opened, refusal = _attempt(lambda: _open(facts))
    own = "" if opened is None else opened.key.peer_id
    return rules.identity(refusal, own, twins=_twins(facts, own))


def _open(facts: Facts) -> Opened:
    file = facts.settings.text("identity.passphrase_file")
    passphrase: bytes | None = None
    if file:
        text = runtime.read_private_text(Path(file), secret=True)
        passphrase = text.split("\n", 1)[0].encode()
    allowed = facts.settings.choice("identity.protection") != "auto"
    path = facts.state_dir / keystore.FILE
    return keystore.load_file(path, passphrase, allow_unprotected=allowed)


def _twins(facts: Facts, own: str) -> list[str]:
    """Other state directories of this user where the same identity runs."""
    found: list[str] = []
    for peer in runtime.running_peers():
        if not own or os.path.realpath(peer.state_dir) == os.path.realpath(facts.state_dir):
            continue
        with contextlib.suppress(Refusal, CommandError), Client(peer.socket) as client:
            if client.call("status")["peer_id"] == own:
                found.append(str(peer.state_dir))
    return found


def _instance(facts: Facts) -> Check:
    running, status = facts.running, facts.status
    locked = running is not None or runtime.is_locked(facts.state_dir)
    who = f"process {running.pid}" if running is not None else str(facts.state_dir)
    if status:
        who += f", {count(status['front_ends'], 'front end')}, up {float(status['uptime']):.0f} s"
    return rules.instance(locked=locked, answers=bool(status), who=who)


def _broker(facts: Facts) -> Check:
    settings, link = facts.settings, cast("Row", facts.status.get("broker") or {})
    ca_file = settings.text("broker.ca_file")
    ca_path = Path(ca_file) if ca_file else None
    if link:
        probe: Probe | None = None
        if link["state"] != "connected" and not str(link["error"]).startswith("refused"):
            url = broker_url.parse(str(link["url"]), allow_plaintext=True)
            probe = asyncio.run(examine(url, limits.CONNECT_TIMEOUT, ca_path))
        return rules.link(link, probe)
    if facts.problem is not None:
        return rules.well("broker", "not looked at: the configuration says where it is")
    password, refusal = _attempt(lambda: _password(settings))
    if refusal is not None:
        return replace(rules.config(refusal, ""), name="broker")
    url = broker_url.parse(settings.choice("broker.url"), allow_plaintext=True)
    user = settings.text("broker.username")
    probe = asyncio.run(examine(url, limits.CONNECT_TIMEOUT, ca_path, user, password))
    return rules.broker(str(url), probe, may_host=not settings.broker_configured)


def _password(settings: Config) -> str | None:
    file = settings.text("broker.password_file")
    if file:
        return runtime.read_private_text(Path(file), secret=True).split("\n", 1)[0]
    return settings.text("broker.password")


def _offsets(peers: list[Row]) -> dict[str, float]:
    """How far the clocks of others are ahead; only of accepted peers, where there are some."""
    said = [peer for peer in peers if peer.get("clock_offset") is not None]
    trusted = [peer for peer in said if peer["trust"] == "accepted"]
    named = trusted or [peer for peer in said if peer["trust"] != "blocked"]
    # A name alone may be that of several.
    return {
        f"{one['name'] or ''} {one['short']}".strip(): float(one["clock_offset"]) for one in named
    }


def _ahead(state_dir: Path) -> float:
    """Seconds that the newest file of the state directory is ahead of the clock."""
    times = [0.0]
    for name in _WRITTEN:
        with contextlib.suppress(OSError):
            times.append((state_dir / name).stat().st_mtime)
    return max(times) - time.time()
