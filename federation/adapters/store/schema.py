# SPDX-License-Identifier: MIT
"""The tables of the store, and how an older database becomes the present one.

``user_version`` is the schema's number.  A database with a higher number was
written by a newer version and is refused untouched; a lower one is brought
forward step by step inside one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from federation.adapters.store.rows import Rows
from federation.replica.records import Revision

_V1: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE own_sessions (number INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE);

CREATE TABLE peers (
  peer_id TEXT PRIMARY KEY, public_key BLOB NOT NULL, name TEXT, address TEXT,
  caps TEXT NOT NULL, trust TEXT NOT NULL, first_seen_us INTEGER NOT NULL,
  last_seen_us INTEGER NOT NULL, announce TEXT NOT NULL, announced_us INTEGER NOT NULL
) WITHOUT ROWID;

-- base: of what this one is a delta, NULL for a whole one; see contents.py
CREATE TABLE contents (
  number INTEGER PRIMARY KEY, base INTEGER, step INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX contents_by_base ON contents (base) WHERE base IS NOT NULL;
-- content: the number of the content, NULL when it was dropped
CREATE TABLE revisions (
  number INTEGER PRIMARY KEY, revision TEXT NOT NULL UNIQUE, file TEXT NOT NULL,
  author TEXT NOT NULL, seq INTEGER NOT NULL, timestamp TEXT NOT NULL,
  timestamp_us INTEGER NOT NULL, received_us INTEGER NOT NULL, content_hash TEXT NOT NULL,
  size INTEGER NOT NULL, binary INTEGER NOT NULL, plain INTEGER NOT NULL, counted INTEGER NOT NULL,
  vector TEXT NOT NULL, parents TEXT NOT NULL, envelope TEXT NOT NULL, content INTEGER
);
CREATE INDEX revisions_in_order ON revisions (file);
CREATE INDEX revisions_by_author ON revisions (author, counted, seq);
CREATE INDEX revisions_by_file ON revisions (file, author, seq);
CREATE INDEX revisions_by_content ON revisions (content_hash);
CREATE INDEX revisions_by_message ON revisions (author, json_extract(envelope, '$.seq'))
  WHERE counted = 0;
CREATE INDEX revisions_that_join ON revisions (file) WHERE json_array_length(parents) > 1;
CREATE TABLE documents (
  file TEXT PRIMARY KEY, kind TEXT NOT NULL, current TEXT NOT NULL, written TEXT
) WITHOUT ROWID;
CREATE TABLE heads (
  file TEXT NOT NULL, revision TEXT NOT NULL, PRIMARY KEY (file, revision)
) WITHOUT ROWID;
-- Values that two peers changed at once.  Those of the present view pass with it; those of
-- a merge that somebody's revision took over stand until they are settled.
CREATE TABLE conflicts (
  file TEXT NOT NULL, number TEXT NOT NULL, standing INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (file, number)
) WITHOUT ROWID;
CREATE TABLE settled (
  file TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (file, number)
) WITHOUT ROWID;
-- Revisions that others name as parents and that are not here.
CREATE TABLE gaps (
  file TEXT NOT NULL, revision TEXT NOT NULL, PRIMARY KEY (revision, file)
) WITHOUT ROWID;
CREATE INDEX gaps_by_file ON gaps (file);
CREATE TABLE pins (
  file TEXT NOT NULL, revision TEXT NOT NULL, PRIMARY KEY (file, revision)
) WITHOUT ROWID;
CREATE TABLE paths (
  path TEXT PRIMARY KEY, file TEXT NOT NULL, revision TEXT NOT NULL
) WITHOUT ROWID;
-- What the synced file of a document looked like when its content was known last.
CREATE TABLE stamps (file TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE acknowledged (
  peer_id TEXT NOT NULL, file TEXT NOT NULL, revision TEXT NOT NULL,
  PRIMARY KEY (file, peer_id)
) WITHOUT ROWID;

CREATE TABLE held (
  number INTEGER PRIMARY KEY, revision TEXT NOT NULL UNIQUE, peer_id TEXT NOT NULL,
  file TEXT NOT NULL, raw BLOB NOT NULL, held_us INTEGER NOT NULL
);
CREATE INDEX held_by_peer ON held (peer_id);
CREATE INDEX held_by_file ON held (peer_id, file);
-- How much is held of each peer, kept by the database itself: to count it anew for
-- every message that is held would cost the square of their number.
CREATE TABLE held_sizes (
  peer_id TEXT PRIMARY KEY, documents INTEGER NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER held_more BEFORE INSERT ON held BEGIN
  INSERT OR IGNORE INTO held_sizes VALUES (NEW.peer_id, 0, 0);
  UPDATE held_sizes SET bytes = bytes + length(NEW.raw), documents = documents + NOT EXISTS
    (SELECT 1 FROM held WHERE peer_id = NEW.peer_id AND file = NEW.file)
    WHERE peer_id = NEW.peer_id AND NOT EXISTS
    (SELECT 1 FROM held WHERE revision = NEW.revision);
END;
CREATE TRIGGER held_less AFTER DELETE ON held BEGIN
  UPDATE held_sizes SET bytes = bytes - length(OLD.raw), documents = documents - NOT EXISTS
    (SELECT 1 FROM held WHERE peer_id = OLD.peer_id AND file = OLD.file)
    WHERE peer_id = OLD.peer_id;
  DELETE FROM held_sizes WHERE peer_id = OLD.peer_id AND documents = 0;
END;

CREATE TABLE outgoing (
  number INTEGER PRIMARY KEY, message_id TEXT NOT NULL, recipient TEXT NOT NULL,
  raw BLOB NOT NULL, queued_us INTEGER NOT NULL, UNIQUE (recipient, message_id)
);
-- What was typed and is no revision yet: lists of changes as JSON.
CREATE TABLE drafts (
  file TEXT NOT NULL, start INTEGER NOT NULL, base TEXT NOT NULL, changes TEXT NOT NULL,
  PRIMARY KEY (file, start)
) WITHOUT ROWID;
CREATE TABLE seen (
  number INTEGER PRIMARY KEY, peer_id TEXT NOT NULL, message_id TEXT NOT NULL,
  UNIQUE (peer_id, message_id)
);
"""

# Histories of small edits are mostly rows of revisions: these are packed (packing.py).
_V2: Final = """
-- names of files and of authors; 0 is nobody's, the author of merged versions
CREATE TABLE names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES (0, '');
ALTER TABLE revisions RENAME TO revisions_1;
-- said: the counter of a message whose place in the order is its clock's (counted = 0)
-- timestamp: where it does not follow from timestamp_us; lag: from then until it was received
-- joins: signed, with several parents; named: a signed revision has it as a parent
-- content: the number of the content, NULL when it was dropped
CREATE TABLE revisions (
  number INTEGER PRIMARY KEY, revision BLOB NOT NULL, file INTEGER NOT NULL,
  author INTEGER NOT NULL, seq INTEGER NOT NULL, said INTEGER, timestamp TEXT,
  timestamp_us INTEGER NOT NULL, lag INTEGER NOT NULL, content_hash BLOB NOT NULL,
  size INTEGER NOT NULL, binary INTEGER NOT NULL, plain INTEGER NOT NULL, counted INTEGER NOT NULL,
  joins INTEGER NOT NULL, named INTEGER NOT NULL, vector BLOB NOT NULL, parents BLOB NOT NULL,
  envelope BLOB NOT NULL, content INTEGER
);
"""

# What is deleted; spaces, and the folders that are watched for them.
_V3: Final = """
ALTER TABLE documents ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
-- Spaces with a setting of their own; commons is there without.
CREATE TABLE spaces (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, folder TEXT, auto_sync INTEGER NOT NULL,
  interval REAL NOT NULL
) WITHOUT ROWID;
-- Watched folders (place: the path of the root), and what their files were last known to hold.
CREATE TABLE roots (
  place TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, marker TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE files (
  place TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY (place, name)
) WITHOUT ROWID;
"""

# A conflict is open once for every merge that has it, and settled by revisions: each of these
# settles what it has seen.
_V4: Final = """
ALTER TABLE conflicts RENAME TO conflicts_3;
ALTER TABLE settled RENAME TO settled_3;
CREATE TABLE conflicts (
  file TEXT NOT NULL, number TEXT NOT NULL, view TEXT NOT NULL, standing INTEGER NOT NULL,
  data TEXT NOT NULL, PRIMARY KEY (file, number, view)
) WITHOUT ROWID;
-- revision: '' where an earlier version of this program did not note it
CREATE TABLE settled (
  file TEXT NOT NULL, number TEXT NOT NULL, revision TEXT NOT NULL,
  PRIMARY KEY (file, number, revision)
) WITHOUT ROWID;
INSERT INTO settled SELECT file, number, '' FROM settled_3;
INSERT INTO conflicts SELECT file, number, json_extract(data, '$.view'), standing, data
  FROM conflicts_3 c WHERE NOT EXISTS
  (SELECT 1 FROM settled_3 s WHERE s.file = c.file AND s.number = c.number);
DROP TABLE conflicts_3;
DROP TABLE settled_3;
"""

# How often a revision that is missing was asked for.
_V5: Final = "ALTER TABLE gaps ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"

# Who named what is missing: a row for each, so that nobody uses up the room of others.  How often
# it was asked for: tries, since something came, and asked, in all.
_V6: Final = """
ALTER TABLE gaps RENAME TO gaps_5;
DROP INDEX gaps_by_file;
CREATE TABLE gaps (
  file TEXT NOT NULL, revision TEXT NOT NULL, author TEXT NOT NULL, tries INTEGER NOT NULL,
  asked INTEGER NOT NULL, PRIMARY KEY (revision, file, author)
) WITHOUT ROWID;
INSERT INTO gaps SELECT file, revision, '', tries, tries FROM gaps_5;
DROP TABLE gaps_5;
CREATE INDEX gaps_by_file ON gaps (file, author);
"""

#: The indexes of ids have their first eight bytes: enough to tell apart what there is.
_V2_INDEXES: Final = """
DROP TABLE revisions_1;
CREATE INDEX revisions_by_id ON revisions (substr(revision,1,8));
CREATE INDEX revisions_by_content ON revisions (substr(content_hash,1,8));
CREATE INDEX revisions_in_order ON revisions (file);
CREATE INDEX revisions_by_author ON revisions (author, seq) WHERE counted = 1;
CREATE INDEX revisions_by_file ON revisions (file, author, seq);
CREATE INDEX revisions_by_message ON revisions (author, said) WHERE counted = 0;
CREATE INDEX revisions_that_join ON revisions (file) WHERE joins = 1;
CREATE INDEX revisions_at_the_end ON revisions (file) WHERE named = 0 AND author <> 0;
"""


def _repack(db: sqlite3.Connection) -> None:
    """Every revision in its packed form, in the same order."""
    rows = Rows(db)
    db.execute("CREATE INDEX passing ON revisions (substr(revision,1,8))")
    for row in db.execute("SELECT * FROM revisions_1 ORDER BY number"):
        revision = Revision(
            revision=row[1], file=row[2], author=row[3], seq=row[4], timestamp=row[5],
            timestamp_us=row[6], received_us=row[7], content_hash=row[8], size=row[9],
            binary=bool(row[10]), plain=bool(row[11]), counted=bool(row[12]),
            vector=json.loads(row[13]), parents=tuple(json.loads(row[14])), envelope=row[15],
        )  # fmt: skip
        rows.add(revision, row[16], number=row[0])
    named = (
        "UPDATE revisions SET named=1 WHERE revision IN (SELECT packed(parent.value) "
        "FROM revisions_1 child, json_each(child.parents) parent WHERE child.author<>'')"
    )
    db.execute(named)
    db.execute("DROP INDEX passing")


@dataclass(frozen=True, slots=True)
class Step:
    """What leads from one version to the next: statements, work in Python, more statements."""

    before: str
    work: Callable[[sqlite3.Connection], None] = lambda _db: None
    after: str = ""


#: entry 0 makes a new database
MIGRATIONS: Final = (
    Step(_V1), Step(_V2, _repack, _V2_INDEXES), Step(_V3), Step(_V4), Step(_V5), Step(_V6),
)  # fmt: skip
VERSION: Final = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, found: int, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Bring a database of version ``found`` to the present one, each step whole or not at all."""
    for number, step in enumerate(steps[found:], found + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step.before):
                db.execute(statement)
            step.work(db)
            for statement in _statements(step.after):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: together they would end the transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
