# SPDX-License-Identifier: MIT
"""How revisions travel: as their author signed them, whole or as a change of another one."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping

from federation import limits
from federation.errors import Refusal
from federation.node.context import Context
from federation.replica import patch
from federation.replica.records import Revision
from federation.wire import canonical, forms, strictjson
from federation.wire.messages import Message


def is_text(data: bytes) -> bool:
    """Whether a document travels as text: UTF-8 without NUL."""
    if b"\x00" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Packing:
    """Revisions as messages, and messages as what they bring."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def ancestry(self, names: Iterable[str], known: set[str]) -> list[str]:
        """These revisions and what they were made from, oldest first, back to what is known.

        So many as one answer has; who lacks more asks again.
        """
        store = self._context.store
        found: dict[str, None] = {}
        waiting = deque(names)
        while waiting and len(found) < limits.HISTORY_PORTION:
            name = waiting.popleft()
            revision = None if name in found or name in known else store.revision(name)
            if revision is not None and revision.author:
                found[name] = None
                waiting.extend(revision.parents)
        return list(reversed(found))

    def patch_of(self, revision: Revision, base: str) -> tuple[str, str] | None:
        """A revision's signed message without its content, and the patch that makes that.

        None where the whole is shorter, or is no text.
        """
        store = self._context.store
        before = store.revision(base)
        if before is None or revision.binary:
            return None
        content = store.content(revision.content_hash)
        splices = patch.diff(store.content(before.content_hash), content)
        packed = forms.encode_base64(patch.encode(splices))
        return (revision.envelope, packed) if len(packed) < len(content) else None

    def delta_of(self, revision: Revision) -> dict[str, object] | None:
        """The fields of a ``canvasl-delta``; None where the whole text is not much longer."""
        if revision.size < limits.DELTA_FROM:
            return None
        base = next(iter(revision.parents), None)
        try:
            found = self.patch_of(revision, base) if base is not None else None
        except Refusal:  # that content was dropped here
            return None
        if base is None or found is None:
            return None
        payload, packed = found
        if limits.DELTA_GAIN * (len(packed) + len(payload)) > revision.size:
            return None
        return {
            "file": revision.file, "revision": revision.revision, "base": base,
            "payload": payload, "patch": packed,
        }  # fmt: skip

    def patched(self, message: Message) -> bytes:
        """The whole message of a delivery that brought a patch; refused without its base.

        What comes out is checked by its author's signature, like any message.
        """
        base = self._context.store.revision(str(message.fields.get("base", "")))
        if base is None or "patch" not in message.fields:
            raise Refusal("unknown-base", str(message.fields.get("base")))
        splices = patch.decode(forms.decode_base64(str(message.fields["patch"])))
        content = patch.apply(self._context.store.content(base.content_hash), splices)
        if len(content) > self._context.settings.max_document:
            raise Refusal("oversize", f"{len(content)} bytes")
        payload = strictjson.decode(str(message.fields["payload"]).encode())
        if not isinstance(payload, dict) or not is_text(content):
            raise Refusal("bad-field", "payload")
        return canonical.encode({**payload, "content": content.decode("utf-8")})

    def message_of(self, revision: Revision) -> bytes:
        """A revision as its author signed it."""
        message = json.loads(revision.envelope)
        content = self._context.store.content(revision.content_hash)
        put_content(message, content)
        return canonical.encode(message)


def put_content(message: dict[str, object], content: bytes) -> None:
    """Put the content of a document into its message."""
    if message["type"] == "canvasl-binary":
        message["data"] = forms.encode_base64(content)
    else:
        message["content"] = content.decode("utf-8")


def get_content(message: Mapping[str, object]) -> bytes:
    """The content of a document's message."""
    if "data" in message:
        return forms.decode_base64(str(message["data"]))
    return str(message["content"]).encode("utf-8")
