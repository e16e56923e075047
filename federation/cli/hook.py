# SPDX-License-Identifier: MIT
"""The verb ``hook``: ready-made programs for a bot's events: ``mirror``, ``backup``, ``echo``.

They get the event as one JSON object on standard input, like any hook program
(docs/how-to/headless-bot.md), and the state directory from the environment.
What stands in an event came from other people: names are checked again here.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from federation import limits
from federation.adapters import archive, runtime
from federation.cli.backup import make
from federation.cli.context import Context, Row
from federation.cli.output import PROGRAM, Result, clean, short_id, usage_error
from federation.cli.settings import edit
from federation.config import resolve
from federation.config.values import NEXT_PROGRAM
from federation.errors import Refusal, io_refusal
from federation.replica.names import check_name

#: name -> the events that it is run on
EVENTS: Final = {
    "mirror": ("ready", "document-changed"),
    "backup": ("ready", "document-changed"),
    "echo": ("message-received",),
}
_LOCK: Final = ".mirror-lock"


def hook(context: Context) -> Result:
    """Do what the event on standard input asks for, or (``--install``) configure the bot for it."""
    name, folder = context.argument("name"), context.argument("folder")
    if (name == "echo") != (folder is None):
        raise usage_error("mirror and backup need a FOLDER, echo takes none", f"hook {name}")
    if context.argument("install"):
        return _install(context, name, folder)
    text = sys.stdin.buffer.read(limits.WIRE_MESSAGE + 1)
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict) or len(text) > limits.WIRE_MESSAGE:
        raise usage_error("an event is one JSON object on standard input", f"hook {name} --install")
    programs: dict[str, Callable[[Context, Row], Row]] = {
        "mirror": mirror, "backup": back_up, "echo": echo,
    }  # fmt: skip
    done = programs[name](context, event)
    return Result(done, [clean(f"{name}: {json.dumps(done, ensure_ascii=False)}")])


def _install(context: Context, name: str, folder: str | None) -> Result:
    state_dir = context.state_dir()
    runtime.prepare_state_dir(state_dir, context.environ)
    words = [PROGRAM, "hook", name]
    if folder is not None:
        words.append(str(runtime.absolute(folder, context.environ)))
    if name == "backup":
        words += [
            "--keep",
            str(context.argument("keep")),
            "--every",
            str(context.argument("every")),
        ]
    path, _ = context.config_file(state_dir)
    try:
        text = runtime.read_private_text(path)
    except Refusal as refusal:
        if refusal.reason != "file-not-found":
            raise
        text = ""
    for event in EVENTS[name]:
        there = resolve({}, {}, text).hooks().get(event, [])
        others = [shlex.join(one) for one in there if one != tuple(words)]
        text = edit(text, f"hooks.{event}", f" {NEXT_PROGRAM} ".join([*others, shlex.join(words)]))
    runtime.write_private_text(path, text)
    lines = [f"hooks.{event} runs {clean(shlex.join(words))}" for event in EVENTS[name]]
    return Result({"program": words, "events": list(EVENTS[name])}, lines)


# --- mirror --------------------------------------------------------------------------------------


def mirror(context: Context, event: Row) -> Row:
    """Make a plain folder hold what the event's document holds now; at ``ready`` all documents.

    It looks at the synced copy, not at the event: runs that overtake one another
    end with the newest text all the same.
    """
    folder = runtime.absolute(context.argument("folder"), context.environ)
    if event.get("event") == "ready":
        rows = cast("list[Row]", context.call("documents.list", {"deleted": True})["documents"])
        pairs = [(row["file"], row["path"]) for row in rows if row["space"] == "commons"]
    else:
        pairs = [(event.get("file"), event.get("path"))]
    extensions = frozenset(context.settings(context.state_dir()).extensions)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for file, path in pairs:
                _mirror_one(folder, check_name(str(file), extensions), Path(str(path)))
    except OSError as error:
        raise io_refusal(error, folder) from None
    return {"mirrored": len(pairs)}


def _mirror_one(folder: Path, file: str, source: Path) -> None:
    target = folder / file
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Refusal("path-symlink-escape", file)
    if not source.is_absolute():
        raise usage_error("an event of this kind names no saved copy", "hook mirror --install")
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        if not source.parents[file.count("/")].is_dir():
            # the folder is away, as of a disk that is not there: nobody deleted anything
            raise Refusal("path-io-error", f"the folder of {source} is away") from None
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".mirror-")
    try:
        with open(handle, "wb") as file_:
            file_.write(content)
        os.replace(name, target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


# --- backup --------------------------------------------------------------------------------------


def back_up(context: Context, _event: Row) -> Row:
    """Make an archive, unless the newest one is younger than ``--every`` seconds."""
    folder = runtime.absolute(context.argument("folder"), context.environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(folder / ".backup-lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {"archive": None, "why": "another one is being made"}
        there = archive.archives(folder)
        age = time.time() - there[-1].stat().st_mtime if there else None
        if age is not None and 0 <= age < int(context.argument("every")):
            return {"archive": None, "why": f"the newest one is {age:.0f} s old"}
        made, gone = make(context.state_dir(), folder, int(context.argument("keep")))
    return {"archive": str(made), "removed": len(gone)}


# --- echo ----------------------------------------------------------------------------------------


def echo(context: Context, event: Row) -> Row:
    """Answer a verified message of kind ``text``, never an answer: echoes do not meet for ever."""
    try:
        message = json.loads(str(event.get("message")))
    except ValueError:
        message = None
    if (
        not event.get("verified")
        or not isinstance(message, dict)
        or message.get("type") != "peer-message"
        or message.get("kind") != "text"
    ):
        return {"answered": None}
    peer_id, content = str(event.get("peer_id")), str(message.get("content", ""))
    context.call("message.send", {"peer_id": peer_id, "kind": "echo", "content": content})
    return {"answered": short_id(peer_id)}
