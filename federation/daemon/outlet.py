# SPDX-License-Identifier: MIT
"""Carrying effects out: messages, then files, then what people are told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from federation import limits
from federation.adapters.disk import Disk
from federation.adapters.logs import sanitise
from federation.adapters.store import SqliteStore
from federation.daemon.files import Files
from federation.daemon.turns import instant
from federation.errors import Fault, Refusal
from federation.events import (
    Effect,
    Follow,
    Heard,
    Notice,
    Notify,
    Publish,
    Refused,
)
from federation.node.router import Node
from federation.wire import forms, timestamps, topics

log = logging.getLogger(__name__)

#: what happens with every keystroke, and is no news for a log
_OFTEN = frozenset({"document-edited"})


class Outlet:
    """Everything that leaves the core of one peer."""

    def __init__(self, store: SqliteStore, node: Node, disk: Disk) -> None:
        self._store = store
        self._node = node
        self._disk = disk
        #: publish an effect; set by the link
        self.publish: Callable[[Publish], None] = lambda _effect: None
        #: tell an event (its name, its body) to front ends, programs, output
        self.tell: Callable[[str, dict[str, object]], None] = lambda _event, _body: None
        #: subscribe to a topic, or no longer; set by the link
        self.follow: Callable[[Follow], None] = lambda _effect: None
        self.files = Files(store, node, disk, self.notice)

    async def perform(self, effects: Sequence[Effect]) -> None:
        """Carry out the effects of a turn: all of it is recorded already.

        Documents leave first, as others need not wait for our files.  What
        answers others comes after the files: a peer that hears that we have a
        document finds it here.
        """
        messages = [effect for effect in effects if isinstance(effect, Publish)]
        for effect in effects:
            if isinstance(effect, Follow):
                self.follow(effect)
        first = {message.topic: topics.leaves_first(message.topic) for message in messages}
        documents = [message for message in messages if first[message.topic]]
        for message in documents:
            self.publish(message)
        if documents:
            await asyncio.sleep(0)  # the loop writes to the socket now
        await self.files.write_all(effects)
        for message in messages:
            if not first[message.topic]:
                self.publish(message)
        self._tell_people(effects)

    def at_once(self, effects: Sequence[Effect]) -> None:
        """Carry out effects that have no files: what is typed goes to others and to people."""
        for effect in effects:
            if isinstance(effect, Publish):
                self.publish(effect)
        self._tell_people(effects)

    def settle(self, effects: Sequence[Effect]) -> None:
        """Carry out effects that have no messages: files, and what people are told."""
        self.files.write(effects)
        self._tell_people(effects)

    def _tell_people(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Notify):
                self.notice(effect.notice)
            elif isinstance(effect, Heard):
                self._heard(effect)
            elif isinstance(effect, Refused):
                extra = {"topic": effect.topic, "reason": effect.reason, "detail": effect.detail}
                level = logging.DEBUG if effect.reason == "replay" else logging.INFO
                log.log(level, "a message was refused: %s", effect.reason, extra=extra)

    # --- what people are told ----------------------------------------------------------
    def notice(self, notice: Notice) -> None:
        """Tell something that happened: log, front ends, programs."""
        level = logging.DEBUG if notice.event in _OFTEN else logging.INFO
        if log.isEnabledFor(level):
            plain = {key: v for key, v in notice.fields.items() if isinstance(v, str | int)}
            shown = {f"about_{key}" if key == "name" else key: v for key, v in plain.items()}
            log.log(level, notice.event, extra=shown)
        self.tell(notice.event, {"event": notice.event, "time": now_text(), **notice.fields})

    def _heard(self, effect: Heard) -> None:
        text = effect.raw.decode()
        if effect.large is not None:
            text = self._by_file(effect, *effect.large)
        body: dict[str, object] = {
            "event": "message-received",
            "time": now_text(),
            "topic": effect.topic,
            "message": self.shortened(text),
            "connection": 0,
            "verified": True,
            **effect.about,
        }
        self.tell("message-received", body)

    def _by_file(self, effect: Heard, file: str, revision: str, place: str) -> str:
        """The message with its content replaced by the path of the saved copy."""
        fields = json.loads(effect.raw)
        content = fields.pop("content", None)
        data = fields.pop("data", None)
        if place == "current":
            path = self._disk.synced_path(file)
        elif place == "concurrent":
            path = self._disk.conflict_path(file, revision)
        else:
            whole = forms.decode_base64(data) if content is None else content.encode()
            path = self._save(f"{revision}{PurePosixPath(file).suffix}", whole)
        fields["content_file"] = path
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    def shortened(self, text: str) -> str:
        """The message; the content of a large one goes by file."""
        if len(text.encode("utf-8", "replace")) <= limits.RPC_NOTIFICATION:
            return text
        try:
            fields = json.loads(text)
        except ValueError:
            return text
        if not isinstance(fields, dict) or not isinstance(fields.get("content"), str):
            return text
        content = fields.pop("content")
        name = f"{instant().wall_us}.txt"
        fields["content_file"] = self._save(name, content.encode("utf-8", "replace"))
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    def _save(self, name: str, content: bytes) -> str:
        try:
            return str(self._disk.write_received(name, content, limits.HOOK_FILES))
        except Refusal as refusal:
            log.warning("a copy for hooks could not be written: %s", refusal)
            return ""

    def export(self, file: str, revision: str, path: Path | None, content: bytes) -> Path:
        """Write a revision where the user wants it."""
        if path is not None:
            self._disk.write_export(path, content)
            return path
        name = f"{revision[:12]}-{sanitise(PurePosixPath(file).name)}"
        ending = PurePosixPath(file).suffix
        if len(name.encode()) > limits.NAME_PART:
            most = limits.NAME_PART - len(ending.encode())
            name = name.encode()[:most].decode(errors="ignore") + ending
        return self._disk.write_received(name, content, limits.HOOK_FILES)

    def content(self, content_hash: str) -> bytes:
        """A recorded content."""
        try:
            return self._store.content(content_hash)
        except Fault:
            log.exception("the store lacks a content")
            raise


def now_text() -> str:
    """Now, for people."""
    return timestamps.format_us(instant().wall_us)
