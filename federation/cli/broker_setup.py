# SPDX-License-Identifier: MIT
"""The verbs ``broker-setup`` and ``broker-check``: a broker for peers, and what is wrong with one.

What is made lies in one folder, all of it for its owner's eyes only::

    DIR/setup.json              names, port and address, for the next call
    DIR/authority.{crt,key}     signs the broker's certificate; the broker does not need the key
    DIR/broker/                 what the broker needs: its configuration, users, certificate
    DIR/peers/PEER-ID.password  to hand over to a peer of another machine

Passwords are made here, 192 random bits each, and only ever lie in files.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from federation.adapters import certificates, keystore, runtime
from federation.cli.context import Context, Row
from federation.cli.identity import own_passphrase
from federation.cli.output import FAILED, OK, Result, clean, count, usage_error
from federation.cli.settings import edit
from federation.config import broker_files as files
from federation.config import resolve
from federation.errors import Refusal
from federation.identity.peer_id import check_peer_id

RECORD: Final = "setup.json"
#: What a peer that lives here gets into its state directory.
PASSWORD_FILE, CA_FILE = "broker-password", "broker-ca.crt"


@dataclass
class Setup:
    """One broker's folder, and what is wanted of it."""

    folder: Path
    names: list[str]
    port: int
    listen: str | None
    url: str

    @property
    def broker(self) -> Path:
        """The folder that the broker reads."""
        return self.folder / "broker"

    @property
    def authority(self) -> tuple[Path, Path]:
        """Certificate and key of the authority."""
        return self.folder / "authority.crt", self.folder / "authority.key"


def broker_setup(context: Context) -> Result:
    """Make or change the files of a broker; a second call without changes changes nothing."""
    if context.argument("rotate") and context.argument("remove"):
        raise usage_error("--rotate and --remove exclude one another", "broker-setup --help")
    setup = _setup(context)
    renewed = _certificates(setup, anew=bool(context.argument("renew")))
    _private(setup.broker / files.CONFIG,
             files.configuration(str(setup.broker), setup.port, setup.listen))  # fmt: skip
    _private(setup.broker / files.ACL, files.ACCESS)
    peers = [_peer(context, setup, text) for text in context.argument("peer") or []]
    listed = files.users(_text(setup.broker / files.USERS))
    data: Row = {
        "folder": str(setup.folder), "configuration": str(setup.broker / files.CONFIG),
        "url": setup.url, "certificate": "made" if renewed else "kept", "peers": peers,
        "users": sorted(listed),
    }  # fmt: skip
    return Result(data, _lines(data))


def broker_check(context: Context) -> Result:
    """Look through files of a broker's set-up; exit code 1 when something in them is unsafe."""
    found: list[Row] = []
    for name in context.argument("files"):
        path = runtime.absolute(name, context.environ)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise Refusal("file-not-found", f"{path}: {error.strerror}") from None
        found += [{"file": str(path), **one.as_data()} for one in files.findings(path.name, text)]
    lines = [clean(f"{one['file']}: {one['message']} ({one['hint']})") for one in found]
    good = f"{count(len(context.argument('files')), 'file')} looked through, nothing found"
    return Result({"findings": found}, lines or [good], FAILED if found else OK)


# --- the folder ----------------------------------------------------------------------------------


def _setup(context: Context) -> Setup:
    folder = runtime.absolute(context.argument("folder"), context.environ)
    runtime.prepare_state_dir(folder, context.environ)
    for part in ("broker", "peers", f"broker/{files.DATA}"):
        (folder / part).mkdir(mode=0o700, exist_ok=True)
    before: dict[str, Any] = json.loads(_text(folder / RECORD) or "{}")
    names = [certificates.check_name(one) for one in context.argument("name") or []]
    names = names or before.get("names") or ["localhost"]
    port = context.argument("port") or before.get("port") or 8883
    listen = context.argument("listen") or before.get("listen")
    if listen is not None:
        certificates.check_name(listen)
    url = context.argument("url") or before.get("url") or f"mqtts://{names[0]}:{port}"
    record = {"names": names, "port": port, "listen": listen, "url": url}
    resolve({"broker.url": url}, {})  # refused before it is kept
    if record != before:
        _private(folder / RECORD, json.dumps(record, indent=1) + "\n")
    setup = Setup(folder, names, port, listen, url)
    if before and before.get("names") != names:
        (setup.broker / files.CERTIFICATE).unlink(missing_ok=True)
    return setup


def _certificates(setup: Setup, *, anew: bool) -> bool:
    """The authority once, the broker's certificate when it is due; whether that was made."""
    crt, key = setup.authority
    server = setup.broker / files.CERTIFICATE
    if not (crt.exists() and key.exists()):
        certificates.make_authority(crt, key)
        server.unlink(missing_ok=True)
    shown = setup.broker / files.AUTHORITY
    if not shown.exists() or shown.read_bytes() != crt.read_bytes():
        _private(shown, crt.read_text(encoding="ascii"))
    if not anew and server.exists() and certificates.lasts(server, certificates.RENEW_BEFORE):
        return False
    certificates.make_server(server, setup.broker / files.KEY, setup.authority, setup.names)
    return True


# --- the peers -----------------------------------------------------------------------------------


def _peer(context: Context, setup: Setup, text: str) -> Row:
    """Let a peer in, give it another password, or take it out."""
    state_dir = None
    if not text.startswith("peer-"):
        state_dir = runtime.absolute(text, context.environ)
    peer_id = text if state_dir is None else _identity(context, state_dir)
    check_peer_id(peer_id)
    handed = setup.folder / "peers" / f"{peer_id}.password"
    place = handed if state_dir is None else state_dir / PASSWORD_FILE
    listed = files.users(_text(setup.broker / files.USERS))
    row: Row = {"peer_id": peer_id, "state": "kept", "password_file": str(place)}
    if context.argument("remove"):
        row |= {"state": "removed", "password_file": None}
        listed.pop(peer_id, None)
        _write_users(setup, listed)
        handed.unlink(missing_ok=True)
        return row
    if peer_id not in listed or not place.exists() or context.argument("rotate"):
        row["state"] = "rotated" if peer_id in listed else "added"
        password = secrets.token_hex(24)
        # The peer's copy first: a user whose password nobody has would be kept for good.
        _private(place, password + "\n")
        listed[peer_id] = files.user_line(peer_id, password, os.urandom(12))
        _write_users(setup, listed)
    if state_dir is not None:
        _configure(setup, state_dir, peer_id)
    return row


def _identity(context: Context, state_dir: Path) -> str:
    """The id of the peer of a state directory; its identity is made where there is none."""
    runtime.prepare_state_dir(state_dir, context.environ)
    settings = context.settings(state_dir)
    opened = keystore.load_or_create(
        state_dir, passphrase=own_passphrase(settings), random=os.urandom,
        protection=cast("keystore.Wanted", settings.choice("identity.protection")),
    )  # fmt: skip
    return opened.key.peer_id


def _configure(setup: Setup, state_dir: Path, peer_id: str) -> None:
    """What the peer of a state directory needs to connect."""
    _private(state_dir / CA_FILE, setup.authority[0].read_text(encoding="ascii"))
    path = state_dir / runtime.CONFIG_NAME
    before = after = _text(path)
    values = {
        "broker.url": setup.url, "broker.username": peer_id,
        "broker.password_file": str(state_dir / PASSWORD_FILE),
        "broker.ca_file": str(state_dir / CA_FILE),
    }  # fmt: skip
    for name, value in values.items():
        after = edit(after, name, value)
    resolve({}, {}, after)
    if after != before:
        runtime.write_private_text(path, after)


def _write_users(setup: Setup, listed: dict[str, str]) -> None:
    text = "".join(f"{line}\n" for _, line in sorted(listed.items()))
    _private(setup.broker / files.USERS, text)


# --- files ---------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        return runtime.read_private_text(path)
    except Refusal as refusal:
        if refusal.reason != "file-not-found":
            raise
        return ""


def _private(path: Path, text: str) -> None:
    """Write a file of mode 0600, unless it says that already."""
    if not path.exists() or _text(path) != text:
        runtime.write_private_text(path, text)


def _lines(data: Row) -> list[str]:
    program = shutil.which("mosquitto") or "mosquitto"
    lines = [
        f"{one['peer_id']} {one['state']}"
        + (f": password in {clean(one['password_file'])}" if one["password_file"] else "")
        for one in cast("list[Row]", data["peers"])
    ]
    users = count(len(cast("list[str]", data["users"])), "user")
    return [
        *lines,
        f"{users}, certificate {data['certificate']}",
        f"start it:  {program} -c {clean(data['configuration'])}",
        "if it runs already, SIGHUP makes it read users, access list and certificate again",
    ]
