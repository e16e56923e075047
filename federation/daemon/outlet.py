# SPDX-License-Identifier: MIT
"""Carrying effects out: messages, then files, then what people are told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from federation import limits
from federation.adapters.disk import Disk, Modified
from federation.adapters.logs import sanitise
from federation.adapters.store import SqliteStore
from federation.daemon.turns import Turns, instant
from federation.errors import Fault, Refusal
from federation.events import (
    DropConflicts,
    Effect,
    Follow,
    Heard,
    Notice,
    Notify,
    Publish,
    Refused,
    WriteConflict,
    WriteFile,
)
from federation.node.heads import Recorded
from federation.node.router import Node
from federation.wire import forms, timestamps, topics

log = logging.getLogger(__name__)


class Outlet:
    """Everything that leaves the core of one peer."""

    def __init__(self, store: SqliteStore, node: Node, disk: Disk) -> None:
        self._store = store
        self._node = node
        self._disk = disk
        self.turns: Turns | None = None
        #: publish an effect; set by the link
        self.publish: Callable[[Publish], None] = lambda _effect: None
        #: tell an event (its name, its body) to front ends, programs, output
        self.tell: Callable[[str, dict[str, object]], None] = lambda _event, _body: None
        #: subscribe to a topic, or no longer; set by the link
        self.follow: Callable[[Follow], None] = lambda _effect: None
        #: whether a file may be written now: it may be missing, and nobody has said why
        self.may_write: Callable[[str], bool] = lambda _file: True
        #: whether the file of a document that is deleted may go now
        self.may_remove: Callable[[str], bool] = lambda _file: True
        #: whether what somebody wrote into a file is recorded now
        self.may_import: Callable[[str], bool] = lambda _file: True
        #: a document shows another version now
        self.changed: Callable[[str], None] = lambda _file: None
        #: a document's file holds its newest version, or is gone with it
        self.wrote: Callable[[str], None] = lambda _file: None
        self._later: dict[str, WriteFile] = {}
        self._retry: asyncio.TimerHandle | None = None

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
        self._write_files(effects)
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
        self._write_files(effects)
        self._tell_people(effects)

    def _write_files(self, effects: Sequence[Effect]) -> None:
        newest = {one.file: one for one in effects if isinstance(one, WriteFile)}
        for write in newest.values():
            self._write(write)
            self.changed(write.file)
        for effect in effects:
            if isinstance(effect, WriteConflict | DropConflicts):
                self._conflict(effect)

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

    # --- files ---------------------------------------------------------------------
    def _write(self, effect: WriteFile) -> None:
        """Write a document's file; later again when that is not possible now."""
        revision = self._store.revision(effect.revision)
        document = self._store.document(effect.file)
        if revision is None or document is None or document.current != effect.revision:
            return
        if revision.deleted and not self.may_remove(effect.file):
            return
        before = self._store.revision(document.written) if document.written else None
        known = before.content_hash if before and not before.deleted else None
        try:
            if not self.may_write(effect.file):
                raise Refusal("path-local-modified", effect.file)
            content = None if revision.deleted else self._store.content(revision.content_hash)
            found = self._put(effect, content, known)
        except Refusal as refusal:
            self._write_later(effect, refusal)
            return
        except Fault as fault:
            log.error("a file could not be written: %s", fault)
            return
        if found is not None:
            self._edited_outside(effect, found)
            return
        self._later.pop(effect.file, None)
        self.wrote(effect.file)
        if self.turns is not None:
            self.turns.post_lazily(
                lambda now: self._node.receive_written(effect.file, effect.revision, now)
            )

    def _put(self, effect: WriteFile, content: bytes | None, known: str | None) -> Modified | None:
        """Write the file (None: remove it), unless it holds what nobody has recorded yet."""
        found = self._change(effect.file, content, known)
        if found is None:
            return None
        digest = hashlib.sha256(found.content).hexdigest()
        if not self._store.has_content(effect.file, digest):
            return found
        # a crash came between writing the file and noting it
        return self._change(effect.file, content, digest)

    def _change(self, file: str, content: bytes | None, known: str | None) -> Modified | None:
        if content is None:
            return self._disk.remove_synced(file, known)
        return self._disk.write_synced(file, content, known)

    def _edited_outside(self, effect: WriteFile, found: Modified) -> None:
        """Somebody changed the file meanwhile: that is a version of its own."""
        if not self.may_import(effect.file):
            self._write_later(effect, Refusal("path-local-modified", effect.file))
            return
        log.info("edited outside meanwhile; both versions are kept", extra={"file": effect.file})
        path = self._disk.synced_path(effect.file)

        def recorded(done: asyncio.Future[Recorded]) -> None:
            error = None if done.cancelled() else done.exception()
            if isinstance(error, Refusal):
                self._write_later(effect, error)

        if self.turns is not None:
            node = self._node
            self.turns.ask(
                lambda now: node.at(
                    now, lambda: node.sync_content(effect.file, found.content, path)
                )
            ).add_done_callback(recorded)

    def _write_later(self, effect: WriteFile, refusal: Refusal) -> None:
        first = effect.file not in self._later
        self._later[effect.file] = effect
        if first:
            log.warning("a file could not be written: %s", refusal,
                        extra={"file": effect.file, "reason": refusal.reason})  # fmt: skip
            if refusal.reason != "path-local-modified":
                self.notice(
                    Notice(
                        "sync-failed",
                        {
                            "file": effect.file,
                            "revision": effect.revision,
                            "peer_id": None,
                            "reason": refusal.message,
                        },
                    )
                )
        if self._retry is None:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(limits.WRITE_AGAIN, self._write_again)

    def _write_again(self) -> None:
        self._retry = None
        for effect in list(self._later.values()):
            document = self._store.document(effect.file)
            if document is None or document.current != effect.revision:
                self._later.pop(effect.file, None)
            else:
                self._write(effect)

    def _conflict(self, effect: WriteConflict | DropConflicts) -> None:
        try:
            if isinstance(effect, DropConflicts):
                self._disk.drop_conflicts(effect.file, effect.keep)
                return
            revision = self._store.revision(effect.revision)
            if revision is not None:
                content = self._store.content(revision.content_hash)
                self._disk.write_conflict(effect.file, effect.revision, content)
        except Refusal as refusal:
            log.warning("a concurrent version could not be written: %s", refusal)

    # --- what people are told ----------------------------------------------------------
    def notice(self, notice: Notice) -> None:
        """Tell something that happened: log, front ends, programs."""
        plain = {key: value for key, value in notice.fields.items() if isinstance(value, str | int)}
        shown = {f"about_{key}" if key == "name" else key: value for key, value in plain.items()}
        log.info(notice.event, extra=shown)
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
