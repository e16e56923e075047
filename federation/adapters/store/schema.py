# SPDX-License-Identifier: MIT
"""The tables of the store, and how an older database becomes the present one.

``user_version`` is the schema's number.  A database with a higher number was
written by a newer version and is refused untouched; a lower one is brought
forward step by step inside one transaction.
"""

from __future__ import annotations

from typing import Final

_V1: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE own_sessions (number INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE);

CREATE TABLE peers (
  peer_id TEXT PRIMARY KEY, public_key BLOB NOT NULL, name TEXT, address TEXT,
  caps TEXT NOT NULL, trust TEXT NOT NULL, first_seen_us INTEGER NOT NULL,
  last_seen_us INTEGER NOT NULL, announce TEXT NOT NULL, announced_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE contents (content_hash TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE revisions (
  number INTEGER PRIMARY KEY, revision TEXT NOT NULL UNIQUE, file TEXT NOT NULL,
  author TEXT NOT NULL, seq INTEGER NOT NULL, timestamp TEXT NOT NULL,
  timestamp_us INTEGER NOT NULL, received_us INTEGER NOT NULL, content_hash TEXT NOT NULL,
  size INTEGER NOT NULL, binary INTEGER NOT NULL, plain INTEGER NOT NULL, counted INTEGER NOT NULL,
  vector TEXT NOT NULL, parents TEXT NOT NULL, envelope TEXT NOT NULL
);
CREATE INDEX revisions_by_author ON revisions (author, counted, seq);
CREATE INDEX revisions_by_file ON revisions (file, author, seq);
CREATE INDEX revisions_by_content ON revisions (content_hash);
CREATE TABLE documents (
  file TEXT PRIMARY KEY, kind TEXT NOT NULL, current TEXT NOT NULL, written TEXT
) WITHOUT ROWID;
CREATE TABLE heads (
  file TEXT NOT NULL, revision TEXT NOT NULL, PRIMARY KEY (file, revision)
) WITHOUT ROWID;
CREATE TABLE paths (
  path TEXT PRIMARY KEY, file TEXT NOT NULL, revision TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE acknowledged (
  peer_id TEXT NOT NULL, file TEXT NOT NULL, revision TEXT NOT NULL,
  PRIMARY KEY (file, peer_id)
) WITHOUT ROWID;

CREATE TABLE held (
  number INTEGER PRIMARY KEY, revision TEXT NOT NULL UNIQUE, peer_id TEXT NOT NULL,
  file TEXT NOT NULL, raw BLOB NOT NULL, held_us INTEGER NOT NULL
);
CREATE INDEX held_by_peer ON held (peer_id);
CREATE TABLE outgoing (
  number INTEGER PRIMARY KEY, message_id TEXT NOT NULL, recipient TEXT NOT NULL,
  raw BLOB NOT NULL, queued_us INTEGER NOT NULL, UNIQUE (recipient, message_id)
);
CREATE TABLE seen (
  number INTEGER PRIMARY KEY, peer_id TEXT NOT NULL, message_id TEXT NOT NULL,
  UNIQUE (peer_id, message_id)
);
"""

#: How much is held of each peer, kept by the database itself: to count it anew for
#: every message that is held would cost the square of their number.
_V2: Final = """
CREATE INDEX held_by_file ON held (peer_id, file);
CREATE TABLE held_sizes (
  peer_id TEXT PRIMARY KEY, documents INTEGER NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO held_sizes
  SELECT peer_id, count(DISTINCT file), sum(length(raw)) FROM held GROUP BY peer_id;
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
CREATE INDEX revisions_by_message ON revisions (author, json_extract(envelope, '$.seq'))
  WHERE counted = 0;
"""

#: the scripts that lead from each version to the next; entry 0 makes a new one
MIGRATIONS: Final = (_V1, _V2)
VERSION: Final = len(MIGRATIONS)
