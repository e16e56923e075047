# SPDX-License-Identifier: MIT
"""Every bound of the peer, each with its reason.

Sizes are bytes, times are seconds.  Those that a user may move are in ``config.py``, too.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- the wire -------------------------------------------------------------
#: One MQTT message.  Brokers and slow peers stay responsive below it.
WIRE_MESSAGE: Final = MIB
#: Nesting of JSON in a message; no type of ours needs more than four.
JSON_DEPTH: Final = 64
#: A document: the largest canvas measured is 4 MB; sixteen times that.
DOCUMENT: Final = 64 * MIB
#: A message that came in pieces: a document whose every byte is escaped as two, and its envelope.
ASSEMBLED_MESSAGE: Final = 2 * DOCUMENT + 64 * KIB
#: Payload of one piece: base64 of it and the envelope stay below WIRE_MESSAGE.
PIECE: Final = 512 * KIB
#: Messages to a peer that unpacks them are packed from this size on ...
PACK_FROM: Final = 32 * KIB
#: ... if that makes them so many times smaller; nothing unpacks to more than the second figure.
PACK_GAIN: Final = 1.1
PACK_RATIO: Final = 100
#: Half-received messages of one peer; a sender sends them one after another.
ASSEMBLIES_PER_PEER: Final = 4
#: Half-received bytes of all peers together.
ASSEMBLY_BYTES: Final = 4 * DOCUMENT
#: The same of peers that nobody accepted: room for one document of any size.
ASSEMBLY_STRANGERS: Final = ASSEMBLED_MESSAGE
#: A half-received message that got no piece for so long is dropped and asked for again.
ASSEMBLY_TIMEOUT: Final = 30.0
#: Largest integer that I-JSON carries (RFC 7493).
SAFE_INTEGER: Final = 2**53 - 1
#: One message may move its author's counter this far: none can use up the half of the space.
SEQ_JUMP: Final = 2**52
#: Display names (contract).
DISPLAY_NAME: Final = 64
#: `caps`: entries, and characters of each.
CAPS: Final = 16
CAP_LENGTH: Final = 32
#: Parents of one revision: heads of one document at once.
PARENTS: Final = 16
#: Authors that the vector of one revision names: a document's whole crowd.
VECTOR: Final = 256
#: Entries of one acknowledgement, want list or page of heads.
HEADS_PER_MESSAGE: Final = 1000
#: A plain message between two peers' users.
PEER_MESSAGE: Final = 256 * KIB
#: x- fields: how many, and the length of their names.
EXTENSION_FIELDS: Final = 16
FIELD_NAME: Final = 64
#: What x- fields hold together, as text: they stay in the history for ever.
EXTENSION_TEXT: Final = 16 * KIB
#: JSON values of a message from pieces: the longest lists that one has, and much room.
MESSAGE_VALUES: Final = 100_000

# --- time -----------------------------------------------------------------
HEARTBEAT: Final = 15.0
#: Offline after two missed heartbeats (contract), and a little for the road.
HEARTBEAT_GRACE: Final = 2.0
#: A live announcement further off than this gives no online state.
FRESHNESS: Final = 300.0
#: Who has just announced itself lets those who heard that ask first, for this time.
ASK_LATER: Final = 0.25
#: An acknowledgement that did not come in this time makes us send again ...
RESEND_FIRST: Final = 2.0
#: ... doubling up to this.
RESEND_MAX: Final = 60.0
#: Two connected peers compare what they have this often.
ANTI_ENTROPY: Final = 60.0
#: Nonces of ours that one peer may still answer.
NONCES: Final = 8
#: Revisions asked for at once; the rest waits until these have come.
WANTS: Final = 64
#: Revisions of one peer's lists that we remember to ask for; the next
#: comparison finds the others.
MISSING: Final = 20_000
#: A revision that online peers have not acknowledged for so long is reported.
UNACKNOWLEDGED: Final = 30.0
#: Bytes of content handed on at once, and in a second, to all who asked for some.
DELIVERY: Final = 4 * MIB
DELIVERY_RATE: Final = 32 * MIB
#: A peer gets no second list within this time.
LIST_AGAIN: Final = 1.0
#: The retained presence is refreshed this often, to stay within FRESHNESS.
PRESENCE: Final = 60.0
#: Peers that find no broker wait up to this, by chance, before they host one.
HOST_PAUSE: Final = 0.3
#: After a broker of ours could not start.
HOST_AGAIN: Final = 2.0
#: A file that changed within this time may be half written, or change once more unseen.
SETTLED: Final = 2.0
#: A file that could not be written is tried again this often.
WRITE_AGAIN: Final = 2.0
RECONNECT_FIRST: Final = 0.1
RECONNECT_MAX: Final = 5.0
#: A sidecar waits so long for its front end to hear events before it connects.
LISTENER: Final = 2.0
#: Waiting for a broker's answer to CONNECT.
CONNECT_TIMEOUT: Final = 10.0
#: Default and longest wait of a request that waits for others.
WAIT_DEFAULT: Final = 30.0
WAIT_MAX: Final = 3600.0

# --- tables ---------------------------------------------------------------
#: Peers that nobody accepted yet: sybils cost at most this many rows.
UNKNOWN_PEERS: Final = 256
#: Documents held back per peer until it is accepted (contract).
HELD_PER_PEER: Final = 64 * MIB
#: Remembered messages for the replay check, per peer, beside its sequence.
SEEN_PER_PEER: Final = 10_000
#: Messages waiting for one peer's acknowledgement.
OUTBOX_PER_PEER: Final = 1000
#: Heads of one document that are kept as concurrent versions.
HEADS: Final = 16
#: ... and of them those of one author: nobody takes all the room.
HEADS_PER_AUTHOR: Final = 4
#: From so many heads on one of those who made them signs what they show together.
HEADS_JOIN: Final = 8
#: Own sessions remembered, to tell an old presence of ours from a clone.
OWN_SESSIONS: Final = 64
#: Own messages remembered in memory, to tell an echo from a clone.
ECHOES: Final = 4096

# --- the RPC --------------------------------------------------------------
#: A frame from a front end: paths and small texts; a larger one is a mistake.
RPC_FRAME: Final = 8 * MIB
RPC_HEADER: Final = 1024
RPC_BATCH: Final = 100
#: Requests of one front end that are under way at once.
RPC_IN_FLIGHT: Final = 256
#: One notification to a front end: above it Emacs's pipe becomes slow.
RPC_NOTIFICATION: Final = 60 * KIB
#: Batches of events a second to a front end: what Emacs 28 takes easily.
RPC_EVENT_INTERVAL: Final = 0.01
#: Events waiting for a front end that does not read; older ones that can be
#: asked for again are then dropped, and the front end is told how many.
RPC_EVENT_QUEUE: Final = 10_000
RPC_EVENT_QUEUE_BYTES: Final = 16 * MIB
#: Content above this is handed to hooks as a file (contract).
HOOK_CONTENT: Final = 64 * KIB
#: Saved copies kept for hooks, newest last; a consumer copies what it keeps.
HOOK_FILES: Final = 256
#: Front ends and verbs connected to one control socket.
CONTROL_CLIENTS: Final = 64
#: Further copies of a message, for other filters that match it, come within this time;
#: so many messages are watched for them at once.
COPY: Final = 0.25
COPIES: Final = 4096
#: Topic filters of one front end, and second broker connections of all.
SUBSCRIPTIONS: Final = 1000
CONNECTIONS: Final = 8
#: Longest path of a socket that every system takes.
SOCKET_PATH: Final = 100
#: The sidecar is gone this long after the end of its input (contract: 3 s).
SHUTDOWN: Final = 2.0

# --- the daemon -----------------------------------------------------------
#: Inbound events waiting for the node; MQTT is not read while it is full.
INBOUND: Final = 2000
#: Bytes of them.
INBOUND_BYTES: Final = 64 * MIB
#: Events handled under one commit, and seconds after which no further one is.
BATCH: Final = 256
TURN: Final = 0.1
#: A message with which the store could not be written is tried so often again.
TRIES: Final = 5
#: Documents of a peer that is accepted now, taken in one turn: each is a file to write.
RELEASE: Final = 64
#: Synced files read for one turn at the start: the user's requests come in between.
READ_BACK: Final = 32
#: Notes that need no commit of their own wait so long for another one.
LAZY: Final = 0.05
#: Messages handed to MQTT and not yet on the wire.
OUTBOUND: Final = 1000
#: Hook programs: how long one may run, how many at once, how many may wait.
HOOK_TIMEOUT: Final = 30.0
HOOK_PROGRAMS: Final = 4
HOOK_QUEUE: Final = 1000
#: What is logged of the standard error of one that failed.
HOOK_WORDS: Final = 300
#: A request for metrics: bytes of its head, seconds, how many at once.
SCRAPE_HEAD: Final = 8 * KIB
SCRAPE_TIME: Final = 10.0
SCRAPES: Final = 8
#: The log file, and how many older ones are kept.
LOG_FILE: Final = 4 * MIB
LOG_FILES: Final = 3
#: Lines that `logs` shows at most.
LOG_LINES: Final = 10_000

# --- names (contract) -----------------------------------------------------
NAME_PART: Final = 255
NAME_TOTAL: Final = 1024
NAME_DEPTH: Final = 32

# --- identity -------------------------------------------------------------
IDENTITY_FILE: Final = 64 * KIB
PASSPHRASE_MIN: Final = 8
PASSPHRASE_MAX: Final = 1024
#: argon2id above these would let a prepared file exhaust the machine.
ARGON2_OPS_MAX: Final = 16
ARGON2_MEMORY_MAX: Final = 1024 * MIB
ARGON2_OPS_MIN: Final = 3
ARGON2_MEMORY_MIN: Final = 64 * MIB
#: Identities loaded beside the running peer's own.
LOADED_IDENTITIES: Final = 64
#: Free bytes below which the peer calls itself unhealthy.
DISK_RESERVE: Final = 16 * MIB

# --- shared folders -------------------------------------------------------------
#: What changed within this time may be half written: longer than a pause between two writes.
FOLDER_SETTLE: Final = 0.5
#: A file that never rests (a log) is read all the same; so long a missing one may be renamed.
FOLDER_SETTLE_MAX: Final = 10.0
#: What Emacs saves it hands over itself; a file that it keeps locked for longer is read.
FOLDER_LOCKED: Final = 30.0
#: What is missing for less was being replaced by its editor, or is being renamed.
FOLDER_GONE: Final = 2.0
#: Our own writes cause events within this time, and those are no news.
FOLDER_OWN: Final = 1.0
#: Whole listings: the net below events that were lost; where there are none (NFS), the only source.
FOLDER_INTERVAL: Final = 60.0
#: The peer's own folder is on a local disk: while it is watched, hardly an event is lost.
HOME_INTERVAL: Final = 300.0
#: A folder that is gone is looked for this often.
FOLDER_AWAY: Final = 5.0
#: Files of one shared folder: a listing stays below a second.
FOLDER_FILES: Final = 50_000
#: Files of a folder that are read, recorded, written together, and about how many bytes.
FOLDER_READS: Final = 32
FOLDER_READ_BYTES: Final = 8 * MIB
#: So many files of a turn are written apart from its loop; how many wait for the disk at once.
FILES_APART: Final = 4
FSYNCS: Final = 4
#: Names of one folder that are not synced, remembered so that each is told once.
FOLDER_REFUSED: Final = 10_000
#: Deletions held for a yes: so many of this share of a folder, or of any, within this time; or all.
MASS_DELETE: Final = 10
MASS_DELETE_SHARE: Final = 0.25
MASS_DELETE_ANY: Final = 1000
MASS_DELETE_WINDOW: Final = 60.0
#: `sync` waits so long for folders to come to rest: longer than it takes to be sure of a rename.
FOLDER_TAKE: Final = 15.0
#: Spaces of one peer, each with two threads that watch at the most.
SPACES: Final = 64
#: Names of held deletions that an event brings.
HELD_SHOWN: Final = 20
#: Changes on disk are gathered for so long (a save makes several); it is looked twice as often.
WATCH_GATHER: Final = 0.3
#: Names with news that wait for one folder; more of them are one whole listing.
WATCH_NAMES: Final = 10_000
#: Folders of one that are watched (the system has room for some 100,000); others are listed.
WATCH_FOLDERS: Final = 8192
#: A watch that failed is set up again after this.
WATCH_AGAIN: Final = 5.0
#: Revisions that a git mirror records in one step: one pack, one change of the branch.
MIRROR_BATCH: Final = 256
#: Revisions that are compared with the mirror at once, and that are made commits together, with
#: the bytes of their contents: the end of the peer waits for no more than that.
MIRROR_LIST: Final = 1000
MIRROR_STEP: Final = 64
MIRROR_BYTES: Final = 4 * MIB
#: Seconds for which a turn reads contents for the mirror: the user's requests come in between.
MIRROR_TURN: Final = 0.005
#: What comes within this time is recorded together; after a failure it is tried again.
MIRROR_GATHER: Final = 1.0
MIRROR_AGAIN: Final = 30.0

# --- merging --------------------------------------------------------------------
#: Deepest JSON that a merge takes apart; deeper values are changed as a whole.
MERGE_DEPTH: Final = 64
#: A canvas that is looked at for faults on the loop: it takes a millisecond.
CHECK_AT_ONCE: Final = 64 * KIB
#: The largest that is looked at: twice the largest that was seen.
CHECK_CANVAS: Final = 8 * MIB
#: What one merge may spend, so that no content makes it slow (counts, not times: all peers
#: agree).  Steps of comparing unit by unit: half a second.
MERGE_STEPS: Final = 1_000_000
#: Insertions and deletions that are told apart in one changed range; more are one.
MERGE_EDITS: Final = 512
#: Pairs of entries whose resemblance is measured in one merge: a third of a second.
MERGE_LIKENESS: Final = 100_000
#: Values that objects and arrays are taken apart into; the others are taken or left.  Three
#: versions of a JSON Canvas of 200,000 entries.
MERGE_PARTS: Final = 800_000
#: Letters of strings and lines that are compared word by word in one merge, from the first to the
#: last change of each: four seconds.  Of what is longer all in between counts as one change.
MERGE_LETTERS: Final = 2_000_000
#: Lines of the three versions that are merged as entries or lines: 4 MB of 20 bytes each.
MERGE_LINES: Final = 600_000
#: Entries that one side moved and that stay where it moved them; more are a new order.
MERGE_MOVES: Final = 5_000
#: Largest product of two lengths that is compared unit by unit: about a second at the most.
MERGE_DIFF_CELLS: Final = 4_000_000
#: Largest number of pairs of entries whose resemblance is measured in one gap.
MERGE_LIKENESS_PAIRS: Final = 10_000
#: Heads among which it is told whose value a conflict is about; of more, all have it.
MERGE_SIDES: Final = 8
#: How often bases are merged to make a base; deeper, a merge does without one.
MERGE_BASES: Final = 16
#: How far back a merge looks for what two versions were made from.
MERGE_WALK: Final = 50_000
#: looks at a revision while one merge is worked out, over all of its walks (under a second):
#: who writes two long histories beside one another makes each walk as long as both
MERGE_LOOKS: Final = 1_000_000
#: Names in all walks that are kept to go on with, until their histories are whole (17 MB).
WALKS: Final = MERGE_WALK
#: Revisions that one answer brings of a document's history: who lacks more asks again.
HISTORY_PORTION: Final = 256
#: Seconds after the last change until a merged version is signed for peers that do not merge.
JOIN: Final = 2.0
#: Joining revisions whose conflicts are looked for once a document's history is complete.
JOINS: Final = 256
#: How often a peer is asked at once for an old revision, which it may not have ...
HISTORY_TRIES: Final = 8
#: ... and after how many seconds once more: it may have got it, or the answer was lost.
HISTORY_AGAIN: Final = 300.0
#: A revision that is named and that nobody brings is asked for so often, by peers that have all
#: else, and while nothing else of the history comes: some minutes.  Then merges go on without it.
GAP_TRIES: Final = 16
#: ... and so often whatever else comes, which somebody may send bit by bit on purpose.
GAP_ASKS: Final = 64
#: Who named so many in one document that never came is not waited for there any more.
GAP_DEBT: Final = 8
#: Questions within this time count once: an answer may be long, and on its way.
GAP_TRY: Final = 30.0
#: Missing revisions of one document that are waited for: names cost nothing to invent, and of a
#: history newest first many are missing at once.  Whoever named most makes room for the others.
GAPS: Final = 1_000
#: Largest entry, as text, that is kept beside a conflict.
CONFLICT_TEXT: Final = 64 * KIB
#: Conflicts that one document may have open; more are merged all the same and not listed.
CONFLICTS: Final = 1_000
#: Merges in which one conflict is recorded: peers that join the same heads at once.
CONFLICT_MERGES: Final = 64
#: Headings of a blackboard that are merged as entries: ten times a large federation, in a second.
BLACKBOARD_ENTRIES: Final = 20_000
#: Properties of one entry whose order is merged; the documented ones are ten.
BLACKBOARD_PROPERTIES: Final = 1_000

# --- live edits ------------------------------------------------------------------
#: What was typed becomes a revision after this pause ...
EDIT_PAUSE: Final = 2.0
#: ... and after this time at the latest, for whoever types without one.
EDIT_LONGEST: Final = 10.0
#: Changes of one message; all of a quick burst, and far below WIRE_MESSAGE where they are small.
EDITS_PER_MESSAGE: Final = 5_000
#: Changes on top of one revision: at half of them it becomes one, to keep memory small.
DRAFT_CHANGES: Final = 100_000
#: ... and characters of all that was typed there: what a large paste takes.
DRAFT_TEXT: Final = 16 * MIB
#: Other people's drafts that are followed at once, and documents that are open here.
LIVE_DRAFTS: Final = 1_000
OPEN_DOCUMENTS: Final = 1_000
#: With so many conflicts at once it is not worked out whose of several values each is about.
MERGE_SIDES_CONFLICTS: Final = 256
#: Changes that were missed are asked for this often; the next revision brings them anyway.
EDIT_ASK: Final = 1.0
#: A delta goes out in place of a whole text that is this many times as long.
DELTA_GAIN: Final = 4
#: Smaller texts leave whole, for whoever listens with other software.
DELTA_FROM: Final = 16 * KIB

# --- history --------------------------------------------------------------------
#: Lines or words that are compared one by one; a longer range is one splice.
PATCH_UNITS: Final = 200_000
#: Longest range, in bytes, that is compared by word: some tenths of a second.
PATCH_WORDS: Final = MIB
#: Rounds in which what lies between equal lines is compared again.
PATCH_DEPTH: Final = 8
#: Splices of one patch; above it the nearest neighbours are joined.
PATCH_SPLICES: Final = 20_000
#: A chain of deltas: the base and digits of a step, and the deltas that lead to a content at most.
HISTORY_FAN: Final = 16
HISTORY_LEVELS: Final = 3
HISTORY_CHAIN: Final = 64
#: Contents, and revisions with messages of so many bytes, kept in memory: they are read often.
RECENT_CONTENTS: Final = 16
RECENT_BYTES: Final = 16 * MIB
RECENT_REVISIONS: Final = 1024
RECENT_ENVELOPE: Final = 4 * KIB
#: Contents of one document that are kept, and their bytes on disk; who made what is kept of all.
HISTORY_REVISIONS: Final = 10_000
HISTORY_BYTES: Final = 256 * MIB
#: What came within this time, in seconds, is kept in any case that the bytes allow.
HISTORY_FRESH: Final = 3600.0
#: Histories are brought within these bounds this often.
UPKEEP: Final = 600.0
#: Characters of the differences of two revisions, and rows of one page of a history, at most.
DIFF: Final = MIB
HISTORY_PAGE: Final = 100_000
#: Contents dropped in one transaction: some tenths of a second.
HISTORY_DROPPED: Final = 256
