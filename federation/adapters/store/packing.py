# SPDX-License-Identifier: MIT
"""The small forms in which revisions are kept.

A history of small edits is mostly what is said *about* each of them, so that is
packed: ids are bytes, names are numbers, and of the signed message only what
does not follow from the rest, the signature above all.  Whatever cannot be made
again byte for byte is kept as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import zstandard

from federation.errors import Fault, Refusal
from federation.replica.records import Revision
from federation.wire import canonical, timestamps

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"0x[0-9a-f]{128}")
#: an envelope: nobody's; the whole of it; or a signature, perhaps with more fields, whose
#: fields are in our order, or sorted as in RFC 8785
_NONE, _WHOLE = b"", b"\x01"
_OURS, _SORTED = (b"\x02", b"\x03"), (b"\x04", b"\x05")
_WRITERS: Final[tuple[tuple[tuple[bytes, bytes], Callable[[object], bytes]], ...]] = (
    (_OURS, canonical.encode), (_SORTED, canonical.canonical),
)  # fmt: skip
#: several times as fast as the standard library's; what it reads otherwise, the
#: comparison with the whole envelope finds
_decode: Final = msgspec.json.Decoder().decode
#: a parent: an id of 32 bytes; an id of another form; from here on the number of a row
_RAW, _TEXT, _ROW = 0, 1, 2


# --- ids --------------------------------------------------------------------------
def pack_id(text: str) -> bytes | str:
    """A hash as 32 bytes; anything else as it is (SQLite keeps the two apart)."""
    return bytes.fromhex(text) if _HASH.fullmatch(text) else text


def unpack_id(kept: bytes | str) -> str:
    """What :func:`pack_id` was given."""
    return kept.hex() if isinstance(kept, bytes) else kept


def id_range(prefix: str) -> tuple[bytes, bytes] | None:
    """The first and the last id that begins with these hex digits; None for other digits."""
    if not re.fullmatch(r"[0-9a-f]{0,64}", prefix):
        return None
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))


# --- numbers ----------------------------------------------------------------------
def _varint(number: int) -> bytes:
    """A number from 0 on, seven bits a byte, the lowest first."""
    pieces = bytearray()
    while number > 0x7F:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    pieces.append(number)
    return bytes(pieces)


def _signed(number: int) -> bytes:
    """Any number; small ones take little room whatever their sign is."""
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


class _Reader:
    """Reads what the functions above wrote."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self) -> int:
        number = shift = 0
        while True:
            digit = self._data[self._at]
            self._at += 1
            number |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return number

    def signed(self) -> int:
        number = self.number()
        return -(number + 1 >> 1) if number & 1 else number >> 1

    def bytes(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._data):
            raise IndexError(self._at)
        return self._data[self._at - size : self._at]


# --- vectors and parents ------------------------------------------------------------
def pack_vector(entries: Iterable[tuple[int, int]]) -> bytes:
    """(number of an author, counter), in any order."""
    return b"".join(_varint(author) + _signed(seq) for author, seq in entries)


def unpack_vector(data: bytes) -> Iterator[tuple[int, int]]:
    """What :func:`pack_vector` was given."""
    reader = _Reader(data)
    while reader:
        yield reader.number(), reader.signed()


def pack_parents(parents: Iterable[tuple[str, int | None]]) -> bytes:
    """(id, number of its row, or None where it is not here), in order."""
    pieces: list[bytes] = []
    for name, number in parents:
        kept = pack_id(name)
        if number is not None:
            pieces.append(_varint(number + _ROW))
        elif isinstance(kept, bytes):
            pieces.append(_varint(_RAW) + kept)
        else:
            text = kept.encode("utf-8")
            pieces.append(_varint(_TEXT) + _varint(len(text)) + text)
    return b"".join(pieces)


def unpack_parents(data: bytes) -> Iterator[str | int]:
    """The id of each parent, or the number of its row."""
    reader = _Reader(data)
    while reader:
        kind = reader.number()
        if kind == _RAW:
            yield reader.bytes(32).hex()
        elif kind == _TEXT:
            yield reader.bytes(reader.number()).decode("utf-8")
        else:
            yield kind - _ROW


# --- envelopes ----------------------------------------------------------------------
class About(NamedTuple):
    """What the other columns of a revision say of its message; the fields of ``Revision``."""

    file: str
    author: str
    seq: int
    timestamp: str
    binary: bool
    plain: bool
    counted: bool
    vector: Mapping[str, int]
    parents: tuple[str, ...]


def _follows(revision: Revision | About) -> dict[str, object]:
    """The fields of a signed message that the other columns say, too."""
    fields: dict[str, object] = {
        "type": "canvasl-binary" if revision.binary else "canvasl-sync",
        "peer_id": revision.author,
        "file": revision.file,
        "timestamp": revision.timestamp,
    }
    if revision.counted:
        fields["seq"] = revision.seq
    if not revision.plain:
        fields["vector"] = dict(revision.vector)
        fields["parents"] = list(revision.parents)
    return fields


def pack_envelope(revision: Revision) -> bytes:
    """The envelope of a revision, but for what its other fields say."""
    envelope = revision.envelope
    if not revision.author and envelope == "{}":
        return _NONE
    try:
        fields = _decode(envelope)
        short = _shortened(revision, fields) if isinstance(fields, dict) else None
    except (ValueError, msgspec.DecodeError, Refusal):  # no message of any peer
        short = None
    return _WHOLE + _packed(envelope) if short is None else short


def _shortened(revision: Revision, fields: dict[str, object]) -> bytes | None:
    """The signature, and what does not follow; None where that does not make the envelope."""
    signature = fields.get("signature")
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        return None
    known = _follows(revision)
    others = {name: value for name, value in fields.items() if name != "signature"}
    more = {name: value for name, value in others.items() if known.get(name) != value}
    whole = {**known, **more, "signature": signature}
    short = bytes.fromhex(signature[2:])
    for (plain, extended), write in _WRITERS:
        if write(whole).decode("utf-8") == revision.envelope:
            return extended + short + _packed(json.dumps(more)) if more else plain + short
    return None


def unpack_envelope(data: bytes, about: Revision | About) -> str:
    """The envelope of a revision that has all of its other fields."""
    form, rest = data[:1], data[1:]
    if form == _NONE:
        return "{}"
    if form == _WHOLE:
        return _unpacked(rest)
    for forms, write in _WRITERS:
        if form in forms:
            more = json.loads(_unpacked(rest[64:])) if form == forms[1] else {}
            fields = {**_follows(about), **more, "signature": f"0x{rest[:64].hex()}"}
            return write(fields).decode("utf-8")
    raise Fault("a message in the store is damaged")


def says_deleted(envelope: str) -> bool:
    """Whether a signed message says that its document is deleted."""
    if '"deleted":true' not in envelope:  # as canonical JSON writes it; then it is read
        return False
    fields: object = json.loads(envelope)
    return isinstance(fields, dict) and fields.get("deleted") is True


def said(envelope: str) -> int | None:
    """The counter that a signed message carries, if any."""
    try:
        seq = _decode(envelope).get("seq")
    except (ValueError, msgspec.DecodeError, AttributeError):
        return None
    return seq if isinstance(seq, int) else None


def _packed(text: str) -> bytes:
    return zstandard.ZstdCompressor(level=9).compress(text.encode("utf-8"))


def _unpacked(data: bytes) -> str:
    try:
        return zstandard.ZstdDecompressor().decompress(data).decode("utf-8")
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise Fault(f"a message in the store is damaged: {error}") from error


# --- times --------------------------------------------------------------------------
def pack_timestamp(revision: Revision) -> str | None:
    """The timestamp as its author wrote it; None where it follows from the microseconds."""
    plain = timestamps.format_us(revision.timestamp_us) == revision.timestamp
    return None if plain else revision.timestamp


def unpack_timestamp(kept: str | None, us: int) -> str:
    """What :func:`pack_timestamp` was given."""
    return timestamps.format_us(us) if kept is None else kept
