# SPDX-License-Identifier: MIT
r"""Frames of the RPC, as ``jsonrpc.el`` and the Language Server Protocol write them.

::

    Content-Length: 17\r\n
    \r\n
    {"jsonrpc":"2.0"}

The header is exactly that one line, because Emacs 28 takes no header block over
100 characters, and because a second way to write it is a second way to
disagree about where a frame ends.  After an error there is no telling where the
next frame begins: the stream is dead.
"""

from __future__ import annotations

from typing import Final

from federation import limits
from federation.errors import Refusal

_START: Final = b"Content-Length: "
_END: Final = b"\r\n\r\n"
_DIGITS: Final = frozenset(b"0123456789")


def encode(body: bytes) -> bytes:
    """``body`` (UTF-8 JSON) as one frame.

    A body over the limit of *incoming* frames is sent all the same: it is ours.
    """
    return b"%s%d%s%s" % (_START, len(body), _END, body)


class FrameDecoder:
    """Bytes of a stream to the bodies of its frames.

    ``header_limit`` and ``frame_limit`` are bytes.  A length over the limit is
    refused when its header is complete: nothing of the body is kept.
    """

    def __init__(
        self, *, header_limit: int = limits.RPC_HEADER, frame_limit: int = limits.RPC_FRAME
    ) -> None:
        self._header_limit = header_limit
        self._frame_limit = frame_limit
        self._buffer = bytearray()
        self._length: int | None = None
        self._dead: Refusal | None = None

    @property
    def middle(self) -> bool:
        """Whether the stream would end inside of a frame if it ended now."""
        return bool(self._buffer) or self._length is not None

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that ``data`` completes, in order.

        Raises :class:`Refusal` ``frame-error`` or ``frame-too-large``; then, and
        on every later call, the stream is dead.  Frames completed before the
        error by the same ``data`` are given out first: the error waits for the
        next call, which may be ``feed(b"")``.
        """
        if self._dead is not None:
            raise self._dead
        self._buffer += data
        bodies: list[bytes] = []
        try:
            while (body := self._next()) is not None:
                bodies.append(body)
        except Refusal as refusal:
            self._dead = refusal
            self._buffer.clear()
            if not bodies:
                raise
        return bodies

    @property
    def dead(self) -> Refusal | None:
        """Why nothing more can be read, or None."""
        return self._dead

    def _next(self) -> bytes | None:
        if self._length is None:
            self._length = self._header()
            if self._length is None:
                return None
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return body

    def _header(self) -> int | None:
        """The length that a complete header announces; None while it is not complete."""
        head = self._buffer[: len(_START)]
        if head != _START[: len(head)]:
            raise Refusal("frame-error", "the header does not begin with Content-Length")
        end = self._buffer.find(_END, 0, self._header_limit + len(_END))
        digits = self._buffer[len(_START) : end if end >= 0 else None]
        if end < 0:
            if len(self._buffer) > self._header_limit:
                raise Refusal("frame-error", "the header is too long")
            # A started end of the header is no digit; anything else is wrong already.
            digits = digits.rstrip(b"\r\n")
        if not _DIGITS.issuperset(digits) or (end >= 0 and not digits):
            raise Refusal("frame-error", "the length is not a decimal number")
        if end < 0:
            return None
        del self._buffer[: end + len(_END)]
        # 19 digits would fit any machine; int() of a thousand would cost time for nothing.
        if len(digits) > 19 or int(digits) > self._frame_limit:
            raise Refusal("frame-too-large", f"at most {self._frame_limit} bytes")
        return int(digits)
