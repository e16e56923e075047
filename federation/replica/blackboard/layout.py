# SPDX-License-Identifier: MIT
"""The documented layout: what the program itself writes on a blackboard.

::

    * Federation Blackboard
    ** Peers
    *** Peer: peer-...          PEER_ID, PEER_PUBLIC_KEY, PEER_ADDRESS, PEER_STATUS, LAST_SEEN
    ** CanvasL State
    *** Node: example.canvasl   NODE_ID, CANVASL_CID, CANVASL_SIGNATURE, PEER_OWNER, LAST_MODIFIED

Only these lines of an entry's drawer are touched, and only where their value is
another one: what people wrote beside them stays as it is, and writing the same
twice changes nothing.  Much of it is what other peers said of themselves, so a
value is written only in the form that it must have: nothing in it is a link, a
keyword or a macro for Org.  Nothing here depends on who writes, so that peers
that start a board at the same time start the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from federation.replica.blackboard.outline import Drawer, Entry, Outline, Property, parse

_PEER: Final = r"peer-[a-z2-7]{52}"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z"
#: The form of each value (the address is announced, the name is anybody's).
_FORMS: Final = {
    name: re.compile(form)
    for name, form in (
        ("PEER_ID", _PEER),
        ("PEER_PUBLIC_KEY", r"0x[0-9a-f]{64}"),
        ("PEER_ADDRESS", r"(?:mqtt|ws)s?://[A-Za-z0-9.:_/\[\]-]{1,200}"),
        ("PEER_STATUS", r"connected|discovered|offline"),
        ("LAST_SEEN", _TIME),
        ("NODE_ID", r"\w[\w ._/()+,@=-]{0,1023}"),
        ("CANVASL_CID", r"[0-9a-f]{64}"),
        ("CANVASL_SIGNATURE", r"0x[0-9a-f]{128}"),
        ("PEER_OWNER", _PEER),
        ("LAST_MODIFIED", _TIME),
    )
}
#: The beginning of a board; its id is the same on every peer.
_HEAD: Final = """\
* Federation Blackboard
:PROPERTIES:
:FEDERATION_VERSION: 1.0
:BLACKBOARD_ID: blackboard-commons
:END:

** Peers

** CanvasL State

"""


@dataclass(frozen=True, slots=True)
class BoardPeer:
    """A peer as the board shows it.

    ``public_key`` is ``0x`` and 64 hex digits, ``status`` connected,
    discovered or offline, ``last_seen`` UTC with ``Z``; None leaves a line out.
    """

    peer_id: str
    public_key: str
    address: str | None = None
    status: str | None = None
    last_seen: str | None = None


@dataclass(frozen=True, slots=True)
class CanvasNode:
    """A document as the board shows it: one revision of it.

    ``content_id`` is the SHA-256 of the content in hex, ``author`` the peer id
    of the revision's author, ``signature`` the revision's (``0x`` and 128 hex
    digits), ``modified`` its time, UTC with ``Z``.
    """

    file: str
    content_id: str
    author: str
    signature: str | None = None
    modified: str | None = None


def update_peers(text: str, peers: Iterable[BoardPeer]) -> str:
    """The board with an entry for each of ``peers``; peers that it has beside them stay."""
    rows = [
        [("PEER_ID", peer.peer_id), ("PEER_PUBLIC_KEY", peer.public_key),
         ("PEER_ADDRESS", peer.address), ("PEER_STATUS", peer.status),
         ("LAST_SEEN", peer.last_seen)]
        for peer in peers
    ]  # fmt: skip
    return _write(text, "Peers", "Peer", rows)


def add_canvas_node(text: str, node: CanvasNode) -> str:
    """The board with an entry for the document, showing this revision of it.

    The four lines that tell of the revision are of one revision always: what is
    not known of this one, or has not its form, is taken out.
    """
    revision = {
        "CANVASL_CID": node.content_id, "CANVASL_SIGNATURE": node.signature,
        "PEER_OWNER": node.author, "LAST_MODIFIED": node.modified,
    }  # fmt: skip
    known = [
        (name, value if value and _FORMS[name].fullmatch(value) else "")
        for name, value in revision.items()
    ]
    return _write(text, "CanvasL State", "Node", [[("NODE_ID", node.file), *known]])


#: (property, value): None leaves a line as it is, an empty one takes it out
_Row = Sequence[tuple[str, str | None]]


def _write(text: str, section: str, word: str, rows: Sequence[_Row]) -> str:
    """Put rows into the entries that have the same first property, or into new ones."""
    outline = parse(text if text.strip("\ufeff \t\r\n") else _HEAD)
    entries = list(outline.entries)
    key_name = rows[0][0][0] if rows else ""
    places: dict[str, int] = {}
    for index, entry in enumerate(entries):
        key = entry.get(key_name)
        if key is not None:
            places.setdefault(key, index)
    new: dict[str, Entry] = {}
    for row in rows:
        key = row[0][1] or ""
        if not _FORMS[key_name].fullmatch(key):
            continue
        values = [
            (name, value) for name, value in row
            if value is not None and (value == "" or _FORMS[name].fullmatch(value))
        ]  # fmt: skip
        if key in places:
            entries[places[key]] = _updated(entries[places[key]], values)
        else:
            new[key] = _updated(Entry(0, f" {word}: {key}\n", body="\n"), values)
    _insert(entries, section, list(new.values()))
    return Outline(outline.frame, tuple(entries)).text()


def _updated(entry: Entry, values: Sequence[tuple[str, str]]) -> Entry:
    """The entry with these values in its drawer; other lines keep their bytes."""
    drawer = entry.drawer or Drawer(":PROPERTIES:\n", (), ":END:\n")
    properties = list(drawer.properties)
    indent = drawer.opening[: len(drawer.opening) - len(drawer.opening.lstrip())]
    for name, value in values:
        at = next((i for i, one in enumerate(properties) if one.name == name), None)
        if value == "":
            properties = [one for one in properties if one.name != name]
        elif at is None:
            properties.append(Property(name, value, f"{indent}:{name}: {value}\n"))
        elif properties[at].value != value:
            old = properties[at].line
            start = old.index(":", old.index(":") + 1) + 1
            rest = old[start:]
            gap = rest[: len(rest) - len(rest.lstrip(" \t"))] or " "
            properties[at] = Property(name, value, f"{old[:start]}{gap}{value}\n")
    return replace(entry, drawer=replace(drawer, properties=tuple(properties)))


def _insert(entries: list[Entry], section: str, new: list[Entry]) -> None:
    """Put new entries at the end of their section, which is made where it is missing."""
    if not new:
        return
    at = next((i for i, one in enumerate(entries) if one.level and one.title == section), None)
    if at is None:
        root = next(
            (i for i, one in enumerate(entries) if one.title == "Federation Blackboard"), None
        )
        level = entries[root].level + 1 if root is not None else 2
        end = len(entries) if root is None else _end(entries, root)
        entries.insert(end, Entry(level, f" {section}\n", body="\n"))
        at = end
    end = _end(entries, at)
    level = entries[at].level + 1
    entries[end:end] = [replace(entry, level=level) for entry in new]


def _end(entries: Sequence[Entry], at: int) -> int:
    """Where the entry's children end."""
    level = entries[at].level
    below = range(at + 1, len(entries))
    return next((index for index in below if entries[index].level <= level), len(entries))
