# SPDX-License-Identifier: MIT
"""The verb ``identity``: show, create, back up, bring back, compare by voice.

All but ``words`` work without a running peer.  A passphrase comes from a file
of mode 0600 or, for ``--passphrase-file -``, from standard input: never from
the command line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

from federation import limits
from federation.adapters import keystore, runtime
from federation.cli.context import Context, Row
from federation.cli.output import Result, clean, pairs, usage_error
from federation.config import Config
from federation.errors import Refusal
from federation.identity import keys, words
from federation.identity.protect import Opened


def identity(context: Context) -> Result:
    """Do what the action says."""
    action, target = context.argument("action"), context.argument("target")
    if action in ("show", "create"):
        if target is not None:
            raise usage_error(f"{action} takes no argument", "identity export FILE")
        return _show(context) if action == "show" else _create(context)
    if target is None:
        what = "PEER" if action == "words" else "FILE"
        raise usage_error(f"{action} needs a {what}", f"identity {action} {what}")
    if action == "words":
        return _words(context, target)
    return _export(context, target) if action == "export" else _import(context, target)


def _show(context: Context) -> Result:
    state_dir = context.state_dir()
    if runtime.running_peer(state_dir) is not None:
        return _result(context.call("identity.show"))
    settings = context.settings(state_dir)
    return _result(_describe(_open(settings, state_dir), settings, state_dir))


def _create(context: Context) -> Result:
    state_dir = context.state_dir(running=False)
    settings = context.settings(state_dir)
    runtime.prepare_state_dir(state_dir, context.environ)
    if (state_dir / keystore.FILE).exists():
        raise Refusal("identity-exists", str(state_dir / keystore.FILE))
    opened = keystore.load_or_create(
        state_dir, protection=_wanted(settings), passphrase=own_passphrase(settings),
        random=os.urandom,
    )  # fmt: skip
    return _result(_describe(opened, settings, state_dir))


def _export(context: Context, target: str) -> Result:
    state_dir = context.state_dir()
    settings = context.settings(state_dir)
    passphrase = _backup_passphrase(context)
    path = runtime.absolute(target, context.environ)
    opened = _open(settings, state_dir)
    keystore.export_backup(opened, path, passphrase, os.urandom)
    data = {"peer_id": opened.key.peer_id, "file": str(path)}
    return Result(data, [f"{opened.key.peer_id} is in {clean(path)}, under the passphrase"])


def _import(context: Context, target: str) -> Result:
    state_dir = context.state_dir(running=False)
    settings = context.settings(state_dir)
    passphrase = _backup_passphrase(context)
    runtime.prepare_state_dir(state_dir, context.environ)
    opened = keystore.import_backup(
        runtime.absolute(target, context.environ), passphrase, state_dir,
        random=os.urandom, protection=_wanted(settings),
        new_passphrase=own_passphrase(settings),
    )  # fmt: skip
    return _result(_describe(opened, settings, state_dir))


def _words(context: Context, target: str) -> Result:
    data = context.call("identity.words", {"peer_id": context.peer_id(target)})
    return Result(data, [
        clean(" ".join(cast("list[str]", data["words"]))),
        "The other peer sees the same words if nobody is in between.",
    ])  # fmt: skip


def _wanted(settings: Config) -> keystore.Wanted:
    return cast("keystore.Wanted", settings.choice("identity.protection"))


def _open(settings: Config, state_dir: Path) -> Opened:
    return keystore.load_file(
        state_dir / keystore.FILE,
        own_passphrase(settings),
        allow_unprotected=_wanted(settings) == "none",
    )


def own_passphrase(settings: Config) -> bytes | None:
    """The passphrase of the state directory's identity, where a file is configured."""
    named = settings.text("identity.passphrase_file")
    if named is None:
        return None
    return _first_line(runtime.read_private_text(Path(named), secret=True))


def _backup_passphrase(context: Context) -> bytes:
    named = context.argument("backup_passphrase_file")
    if named is None:
        raise usage_error("a backup needs --passphrase-file FILE", "- reads standard input")
    if named == "-":
        return _first_line(sys.stdin.readline(limits.PASSPHRASE_MAX + 2))
    path = runtime.absolute(named, context.environ)
    return _first_line(runtime.read_private_text(path, secret=True))


def _first_line(text: str) -> bytes:
    return text.split("\n", 1)[0].removesuffix("\r").encode()


def _describe(opened: Opened, settings: Config, state_dir: Path) -> Row:
    public = opened.key.public_key
    return {
        "peer_id": opened.key.peer_id,
        "public_key": keys.to_hex(public),
        "name": settings.text("identity.name"),
        "fingerprint": words.fingerprint(public),
        "words": words.words(public),
        "protection": opened.protection,
        "file": str(state_dir / keystore.FILE),
    }


def _result(data: Row) -> Result:
    return Result(data, pairs([
        ("peer", data["peer_id"]),
        ("name", data["name"] or "-"),
        ("key", data["public_key"]),
        ("fingerprint", data["fingerprint"]),
        ("words", " ".join(data["words"])),
        ("protection", data["protection"]),
        ("file", data["file"]),
    ]))  # fmt: skip
