# SPDX-License-Identifier: MIT
"""The contents of revisions: deltas in chains that begin with a whole content.

Which delta is made from which content ``replica/chain.py`` decides.  Every
content is found by the SHA-256 of its bytes and compared with it when it is read.
A row of ``contents``::

    number  base (NULL: whole)  step  data = form (1 byte)  payload

The payload is the content itself, or the splices of ``replica/patch.py`` that
make it of its base; the form says whether Zstandard has packed it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import zstandard

from federation import limits
from federation.errors import Fault, Refusal
from federation.replica import chain, patch
from federation.replica.chain import Link
from federation.replica.patch import Splice

_PLAIN, _PACKED = b"\x00", b"\x01"
#: Nothing gets smaller by packing below this many bytes.
_SMALL = 64
#: Level 9 makes canvases a fourteenth smaller, and takes a save of 10 KB four times as long.
_LEVEL, _LEVEL_LARGE = 5, 3

_PATH = """
WITH RECURSIVE path(number, base, step, weight) AS (
  SELECT number, base, step, length(data) FROM contents WHERE number=?
  UNION ALL SELECT c.number, c.base, c.step, length(c.data)
  FROM contents c JOIN path ON c.number = path.base LIMIT 1000)
SELECT number, step, weight FROM path
"""


class Recent:
    """The contents used last, by hash: a few, and not too many bytes of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._numbers: dict[int, str] = {}
        self._bytes = 0

    def get(self, digest: str) -> bytes | None:
        """The content of this hash, if it is among them."""
        content = self._kept.get(digest)
        if content is not None:
            self._kept.move_to_end(digest)
        return content

    def numbered(self, number: int) -> bytes | None:
        """The content that has this number in the store, if it is among them."""
        digest = self._numbers.get(number)
        return None if digest is None else self._kept.get(digest)

    def put(self, digest: str, content: bytes, number: int) -> None:
        """Remember a content; those not used for longest are forgotten."""
        self._numbers[number] = digest
        if len(content) > limits.RECENT_BYTES:
            return
        self._bytes += len(content) - len(self._kept.pop(digest, b""))
        self._kept[digest] = content
        while len(self._kept) > limits.RECENT_CONTENTS or self._bytes > limits.RECENT_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        if len(self._numbers) > 4 * limits.RECENT_CONTENTS:
            kept = {one: name for one, name in self._numbers.items() if name in self._kept}
            self._numbers = kept


class _Root(NamedTuple):
    """What is now the whole content that a chain begins with."""

    link: Link
    content: bytes


class Contents:
    """The table ``contents`` of one database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._recent = Recent()
        self._pack = zstandard.ZstdCompressor(level=_LEVEL)
        self._pack_large = zstandard.ZstdCompressor(level=_LEVEL_LARGE)
        self._unpack = zstandard.ZstdDecompressor()

    # --- keeping --------------------------------------------------------------------
    def keep(self, digest: str, content: bytes, before: tuple[int, str] | None) -> int:
        """Keep a content; ``before``: number and hash of one that it may be like.  Its number."""
        base, step, data = self._form(content, before)
        cursor = self._db.execute(
            "INSERT INTO contents (base, step, data) VALUES (?,?,?)", (base, step, data)
        )
        if cursor.lastrowid is None:
            raise Fault("the store gave no number to a content")
        # after a transaction that was undone, a number is given again
        self._recent.put(digest, content, cursor.lastrowid)
        return cursor.lastrowid

    def _form(
        self, content: bytes, before: tuple[int, str] | None
    ) -> tuple[int | None, int, bytes]:
        """Base, step and data of a content: a delta, or whole where that is better."""
        path = [] if before is None else self._path(before[0])
        at = chain.base_for(path)
        if before is None or at is None:
            return None, 0, self._packed(content)
        like = self.read(*before)
        if not patch.alike(like, content):
            return None, 0, self._packed(content)
        splices = patch.diff(like, content)
        for link in reversed(path[at + 1 :]):
            splices = patch.compose(self._splices(link.number), splices)
        data = self._packed(patch.encode(splices))
        if chain.too_heavy(path[1 : at + 1], len(data), len(content)):
            return None, 0, self._packed(content)
        if chain.worth_comparing(len(data), len(content)):
            whole = self._packed(content)
            if chain.better_whole(len(whole), len(data)):
                return None, 0, whole
        return path[at].number, path[-1].step + 1, data

    def _packed(self, data: bytes) -> bytes:
        if len(data) >= _SMALL:
            pack = self._pack if len(data) <= limits.MIB else self._pack_large
            packed = pack.compress(data)
            if len(packed) < len(data):
                return _PACKED + packed
        return _PLAIN + data

    # --- reading --------------------------------------------------------------------
    def read(self, number: int, digest: str) -> bytes:
        """A kept content; Fault where its bytes are not those that were kept."""
        content = self._recent.get(digest)
        if content is None:
            path = self._path(number)
            content = self._near(path)
            if content is None or hashlib.sha256(content).hexdigest() != digest:
                content = self._restored(path)
            if hashlib.sha256(content).hexdigest() != digest:
                raise Fault(f"the content {digest} is damaged in the store")
            self._recent.put(digest, content, number)
        return content

    def _near(self, path: Sequence[Link]) -> bytes | None:
        """What the last of a path is, from the last of it that is known; None without any.

        Contents are often read one after another, and then that is one delta away.
        """
        for at in range(len(path) - 1, 0, -1):
            known = self._recent.numbered(path[at].number)
            if known is not None:
                with contextlib.suppress(Refusal, Fault):  # then from its beginning
                    return self._applied(known, path[at + 1 :])
                return None
        return None

    def _restored(self, path: Sequence[Link]) -> bytes:
        """What the last of a path is, from its beginning on."""
        try:
            return self._applied(self._unpacked(path[0].number), path[1:])
        except Refusal as refusal:
            raise Fault(f"a delta in the store is damaged: {refusal}") from refusal

    def _applied(self, content: bytes, path: Sequence[Link]) -> bytes:
        """A content after the deltas of a path."""
        return patch.apply_all(content, [self._splices(link.number) for link in path])

    def _path(self, number: int) -> list[Link]:
        """The way from a whole content to this one."""
        path = [Link(*row) for row in self._db.execute(_PATH, (number,))][::-1]
        if not path:
            raise Fault(f"the content {number} is not in the store")
        return path

    def _splices(self, number: int) -> list[Splice]:
        return patch.decode(self._unpacked(number))

    def _unpacked(self, number: int) -> bytes:
        (data,) = self._db.execute("SELECT data FROM contents WHERE number=?", (number,)).fetchone()
        form, payload = data[:1], data[1:]
        if form == _PLAIN:
            return bytes(payload)
        try:
            if zstandard.frame_content_size(payload) > 2 * limits.DOCUMENT:
                raise Fault(f"the content {number} is damaged in the store")
            return self._unpack.decompress(payload)
        except zstandard.ZstdError as error:
            raise Fault(f"the content {number} is damaged in the store: {error}") from error

    # --- forgetting -----------------------------------------------------------------
    def forget(self, numbers: Collection[int]) -> None:
        """Drop contents; what is a delta of one of them is written anew."""
        dropped = set(numbers)
        roots: dict[int, _Root] = {}
        for number in self._dependents(dropped):
            self._rebase(self._path(number), dropped, roots)
        self._db.executemany("DELETE FROM contents WHERE number=?", [(one,) for one in dropped])

    def _dependents(self, dropped: set[int]) -> list[int]:
        """The contents that stay and are deltas of one that goes, the first kept first."""
        found: set[int] = set()
        for one in dropped:
            rows = self._db.execute("SELECT number FROM contents WHERE base=?", (one,))
            found.update(number for (number,) in rows)
        return sorted(found - dropped)

    def _rebase(self, path: list[Link], dropped: set[int], roots: dict[int, _Root]) -> None:
        """Write a content (the last of its path) as a delta of one that stays, or whole."""
        last = path[-1]
        base: int | None
        stays = [at for at, link in enumerate(path[:-1]) if link.number not in dropped]
        if stays:
            splices: list[Splice] = []
            for link in path[stays[-1] + 1 :]:
                splices = patch.compose(splices, self._splices(link.number))
            base, data = path[stays[-1]].number, self._packed(patch.encode(splices))
        else:
            content = self._restored(path)
            first = roots.setdefault(path[0].number, _Root(last, content))
            base, data = self._rooted(first, last, content)
        self._db.execute(
            "UPDATE contents SET base=?, data=? WHERE number=?", (base, data, last.number)
        )

    def _rooted(self, first: _Root, last: Link, content: bytes) -> tuple[int | None, bytes]:
        """Base and data of a content whose chain lost its beginning to ``first``."""
        whole = self._packed(content)
        if first.link.step < last.step:
            delta = self._packed(patch.encode(patch.diff(first.content, content)))
            if not chain.better_whole(len(whole), len(delta)):
                return first.link.number, delta
        return None, whole
