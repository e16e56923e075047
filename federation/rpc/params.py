# SPDX-License-Identifier: MIT
"""The parameters of every RPC method, as strict structures.

Each takes exactly the fields it names: another field, a wrong type or a value
outside its range is refused with ``rpc-invalid-params`` before anything is
done.  ``methods.py`` puts them together with names, results and errors.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from federation import limits

#: Text that reaches a program or a file: no NUL, bounded.
Path = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
SpaceName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
#: of whole looks at a folder: a listing takes up to a second
Interval = Annotated[float, msgspec.Meta(ge=1, le=86400)]
PeerId = Annotated[str, msgspec.Meta(max_length=256)]
Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.WAIT_MAX)]
# `$` alone would let a line break through at the end.
RevisionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8,64}$(?!\n)")]
ContentHash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
#: more saves than an editor makes while one is recorded
ContentHashes = Annotated[list[ContentHash], msgspec.Meta(min_length=1, max_length=64)]
Handle = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Place = Annotated[int, msgspec.Meta(ge=0, le=limits.DOCUMENT)]
NewText = Annotated[str, msgspec.Meta(max_length=limits.RPC_FRAME, pattern=r"^[^\x00]*$")]
#: Left out on purpose: passphrases are checked by the identity room.
Secret = Annotated[str, msgspec.Meta(max_length=limits.PASSPHRASE_MAX, pattern=r"^[^\x00]*$")]


class Params(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of all parameter structures: strict."""


class Nothing(Params):
    """No parameters."""


class Peer(Params):
    """One peer by its full id."""

    peer_id: PeerId


class Connect(Params):
    """A peer to connect to, and how long to wait for its answer (seconds)."""

    peer_id: PeerId
    timeout: Seconds = limits.WAIT_DEFAULT


class SyncFile(Params):
    """A local file to import; ``wait``: until every online peer acknowledged.

    ``base``: the SHA-256 of the content that an editor opened before it changed it; where it
    saved several since, all they began with, oldest first: the newest that is recorded counts.
    """

    path: Path
    base: ContentHash | ContentHashes | None = None
    wait: bool = False
    timeout: Seconds = limits.WAIT_DEFAULT


class SyncAll(Params):
    """Compare with one peer, or with all that are online."""

    peer_id: PeerId | None = None


class Deleted(Params):
    """``deleted``: documents that were deleted, too."""

    deleted: bool = False


class Space(Params):
    """One space by its name."""

    space: SpaceName


class CreateSpace(Params):
    """A new space.  ``encrypted`` ones, with members, are refused: they are not built yet."""

    space: SpaceName
    kind: Literal["local", "encrypted"] = "local"


class ShareFolder(Params):
    """A folder that is to show the documents of a space."""

    path: Path
    space: SpaceName = "commons"


class SetSpace(Params):
    """Settings of a space: what is left out stays as it is.

    ``auto_sync``: take changes of files as they happen; ``interval``: seconds
    between two whole looks at the folders.
    """

    space: SpaceName = "commons"
    auto_sync: bool | None = None
    interval: Interval | None = None


class Document(Params):
    """One document of ``commons`` by its relative name."""

    file: Name


class History(Params):
    """A document by its relative name; the last ``limit`` revisions, or of those ``before`` one."""

    file: Name
    limit: Annotated[int, msgspec.Meta(ge=1, le=limits.HISTORY_PAGE)] | None = None
    before: RevisionId | None = None


class Pin(Params):
    """A revision to keep whatever is compacted, or (``on`` false) no longer."""

    file: Name
    revision: RevisionId
    on: bool = True


class Diff(Params):
    """Two revisions to compare; without ``new``, with what the document shows now."""

    file: Name
    old: RevisionId
    new: RevisionId | None = None


class Revision(Params):
    """One revision of a document; 8 or more digits of its id are enough."""

    file: Name
    revision: RevisionId


class OpenDocument(Params):
    """A document to edit live; ``base``: the SHA-256 of the text that the editor has of it."""

    file: Name
    base: ContentHash | None = None


class Edit(Params):
    """What an editor changed, one change after another.

    ``start``: how many changes of this document there were before.  A change is
    a list: characters before it, characters that go, new text.
    """

    file: Name
    start: Annotated[int, msgspec.Meta(ge=0, le=limits.SAFE_INTEGER)]
    changes: Annotated[
        list[tuple[Place, Place, NewText]],
        msgspec.Meta(min_length=1, max_length=limits.EDITS_PER_MESSAGE),
    ]


class Resolve(Params):
    """A conflict by its number (8 or more digits), and what is to stand there.

    ``choice``: ``a``, ``b``, ``ours``, ``theirs``, ``both`` (of lines), ``kept``, or
    ``value`` with ``value`` (JSON text in a canvas; null removes).
    """

    file: Name
    number: RevisionId
    choice: Literal["a", "b", "ours", "theirs", "both", "kept", "value"]
    value: str | None = None


class Export(Params):
    """A revision to write to ``path`` (a new file), or below the state directory."""

    file: Name
    revision: RevisionId | None = None
    path: Path | None = None


class MirrorGit(Params):
    """Where the git mirror is to be: a new or empty folder, or a mirror made before."""

    path: Path


class IdentityFile(Params):
    """Another identity file than the running peer's own."""

    file: Path
    passphrase: Secret | None = None


class Sign(Params):
    """Text to sign with the running peer's identity or with a loaded one."""

    message: Annotated[str, msgspec.Meta(max_length=limits.MIB)]
    peer_id: PeerId | None = None


class Verify(Params):
    """A signature over a text, by a peer id that is known or by its key."""

    message: Annotated[str, msgspec.Meta(max_length=limits.MIB)]
    signature: Annotated[str, msgspec.Meta(max_length=512)]
    peer_id: PeerId | None = None
    public_key: Annotated[str, msgspec.Meta(max_length=512)] | None = None


class Publish(Params):
    """A message for any topic; ``connection`` 0 is the peer's own broker."""

    topic: Topic
    message: Annotated[str, msgspec.Meta(max_length=limits.WIRE_MESSAGE)]
    qos: Literal[0, 1, 2] = 1
    retain: bool = False
    connection: Handle = 0


class Subscribe(Params):
    """A topic filter; its messages come as ``message-received`` events."""

    topic: Topic
    connection: Handle = 0


class Open(Params):
    """A second broker connection."""

    url: Annotated[str, msgspec.Meta(max_length=2048)]
    # No NUL: a broker would close every connection because of it.
    client_id: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00]+$")] | None
    ) = None
    username: Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^[^\x00]*$")] | None = None
    password: Secret | None = None


class Close(Params):
    """A second broker connection to close."""

    connection: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class Send(Params):
    """A message for one peer: its ``kind`` and its text."""

    peer_id: PeerId
    kind: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)")]
    content: Annotated[str, msgspec.Meta(max_length=limits.PEER_MESSAGE)]


class Lines(Params):
    """How many lines of the log, newest last."""

    lines: Annotated[int, msgspec.Meta(ge=1, le=limits.LOG_LINES)] = 100


class LogLevel(Params):
    """A new log level for the running peer."""

    level: Literal["debug", "info", "warning", "error"]
