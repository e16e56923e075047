# SPDX-License-Identifier: MIT
"""Messages that come in pieces, put together again within bounds.

A piece is signed by its sender, so only a known peer can make us keep bytes;
each peer has room for a few messages at once, and there are two pools of
bytes: peers whose documents we take never wait for room that strangers have
filled.  What was put together is hashed before anybody reads it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from federation import limits
from federation.errors import Refusal


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: the id is the SHA-256 of the whole message."""

    message_id: str
    index: int
    count: int
    size: int
    data: bytes
    #: what it unpacks to, where it is packed: room is kept for that, too
    whole: int = 0


@dataclass(slots=True)
class _Partial:
    count: int
    size: int
    whole: int
    pool: str
    touched: float
    parts: dict[int, bytes] = field(default_factory=dict)


class Assembler:
    """The half-received messages of all peers."""

    def __init__(self, max_message: int = limits.ASSEMBLED_MESSAGE) -> None:
        self._max_message = max_message
        self._partials: dict[tuple[str, str], _Partial] = {}
        self._room = {"members": limits.ASSEMBLY_BYTES, "strangers": limits.ASSEMBLY_STRANGERS}

    @property
    def pending(self) -> int:
        """Messages that lack pieces."""
        return len(self._partials)

    def receive(
        self, peer_id: str, piece: Piece, mono: float, *, stranger: bool = False
    ) -> bytes | None:
        """Take a piece; the whole message when it was the last one missing.

        Raises Refusal: ``oversize``, ``bad-field`` (a piece that does not fit
        the others), ``rate-limited`` (no room), ``content-mismatch``.
        """
        self._check(piece)
        key = (peer_id, piece.message_id)
        partial = self._partials.get(key)
        if partial is None:
            partial = self._open(key, piece, mono, "strangers" if stranger else "members")
        if (partial.count, partial.size, partial.whole) != (piece.count, piece.size, piece.whole):
            raise Refusal("bad-field", "count or size differ from the earlier pieces")
        partial.touched = mono
        partial.parts[piece.index] = piece.data
        if len(partial.parts) < partial.count:
            return None
        self._close(key)
        whole = b"".join(partial.parts[index] for index in range(partial.count))
        if len(whole) != partial.size or hashlib.sha256(whole).hexdigest() != piece.message_id:
            raise Refusal("content-mismatch", "the pieces do not make the promised message")
        return whole

    def _check(self, piece: Piece) -> None:
        if max(piece.size, piece.whole) > self._max_message:
            raise Refusal("oversize", f"{max(piece.size, piece.whole)} bytes in pieces")
        expected = -(-piece.size // limits.PIECE)
        if piece.count != expected or not 0 <= piece.index < piece.count:
            raise Refusal("bad-field", "index or count")
        last = piece.index == piece.count - 1
        if len(piece.data) != (piece.size - (piece.count - 1) * limits.PIECE if last
                               else limits.PIECE):  # fmt: skip
            raise Refusal("bad-field", "the length of the piece")

    def _open(self, key: tuple[str, str], piece: Piece, mono: float, pool: str) -> _Partial:
        own = [one for one in self._partials if one[0] == key[0]]
        if len(own) >= limits.ASSEMBLIES_PER_PEER:
            self._close(min(own, key=lambda one: self._partials[one].touched))
        if piece.size + piece.whole > self._room[pool]:
            raise Refusal("rate-limited", "too many messages in pieces at once")
        self._room[pool] -= piece.size + piece.whole
        partial = _Partial(piece.count, piece.size, piece.whole, pool, mono)
        self._partials[key] = partial
        return partial

    def _close(self, key: tuple[str, str]) -> None:
        partial = self._partials.pop(key)
        self._room[partial.pool] += partial.size + partial.whole

    def next_timer(self) -> float:
        """When the oldest message is given up (monotonic seconds)."""
        oldest = min((one.touched for one in self._partials.values()), default=float("inf"))
        return oldest + limits.ASSEMBLY_TIMEOUT

    def handle_timer(self, mono: float) -> int:
        """Give up messages whose pieces stopped coming; how many."""
        old = [
            key
            for key, partial in self._partials.items()
            if mono >= partial.touched + limits.ASSEMBLY_TIMEOUT
        ]
        for key in old:
            self._close(key)
        return len(old)


def split(message: bytes, message_id: str) -> list[Piece]:
    """The pieces of a message, in order."""
    count = -(-len(message) // limits.PIECE)
    return [
        Piece(
            message_id,
            index,
            count,
            len(message),
            message[index * limits.PIECE : (index + 1) * limits.PIECE],
        )
        for index in range(count)
    ]
