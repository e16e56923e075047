# SPDX-License-Identifier: MIT
"""The one definition of the RPC: every method, its form and its refusals.

The dispatcher, the OpenRPC document (``rpc.discover``) and
``docs/reference/rpc.md`` are all made from :data:`METHODS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from federation.rpc import params as p


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its parameters, what it answers, and how it may refuse.

    ``result`` maps each field of the answer to a sentence.
    """

    name: str
    summary: str
    params: type[p.Params]
    result: dict[str, str]
    refusals: tuple[str, ...] = ()


#: Refusals that any method may answer with, beside its own.
ALWAYS: Final = (
    "rpc-invalid-params", "internal-error", "shutting-down", "disk-full", "path-io-error",
)  # fmt: skip

_PEER = ("bad-peer-id", "unknown-peer")
_OTHER = (*_PEER, "own-peer")
_DOCUMENT = ("unknown-document",)
_REVISION = ("unknown-document", "unknown-revision")
#: of a local path as such
_PATH = ("path-not-absolute", "path-not-regular", "path-traversal", "path-tramp")
#: of a local file, and of its place below the synced folder
_FILE = (
    *_PATH, "file-not-found", "file-too-large", "path-symlink-escape", "path-not-directory",
    "path-mount-escape", "path-normalisation-conflict", "path-io-error", "disk-full",
)  # fmt: skip
#: of a document's name (``replica.names``)
_NAME = (
    "path-absolute", "path-url", "path-too-long", "path-separator", "path-suspicious",
    "path-non-nfc", "path-control", "path-bidi", "path-invisible", "path-unassigned",
    "path-reserved", "path-leading-dash", "path-trailing", "path-shell-meta",
    "path-forbidden-name", "path-forbidden-ext",
)  # fmt: skip
_BROKER = (
    "config-bad-url", "config-bad-port", "config-plaintext-non-loopback", "config-secret-in-url",
)  # fmt: skip
#: what is told of a space
_SPACE = {
    "name": "its name", "kind": "open | local", "folder": "path or null", "home": "path",
    "documents": "count", "auto_sync": "bool", "interval": "seconds",
    "state": "watching | off | holding | away", "reason": "why it is away",
    "waiting": "changed files", "held": "deletions", "held_documents": "[name]",
    "last_import": "UTC or null",
}  # fmt: skip
_SPACES = "[{" + ", ".join(f"{name}: {what}" for name, what in _SPACE.items()) + "}]"
_TOPIC = ("bad-topic", "unknown-connection")

_MIRROR: Final = {
    "state": "on | off | failing", "path": "of the repository, or null",
    "waiting": "revisions that are still to be looked at",
    "error": "what keeps it back (code, reason, message, hint), or null",
}  # fmt: skip

_ALL: Final = (
    Method("rpc.discover", "This description, as an OpenRPC document.", p.Nothing,
           {"openrpc": "version of the OpenRPC form", "info": "title and version",
            "methods": "every method"}),
    Method("status", "The state of the running peer.", p.Nothing,
           {"version": "of the sidecar", "peer_id": "own id", "name": "own display name, or null",
            "public_key": "own key", "state_dir": "absolute path", "synced_dir": "absolute path",
            "mirror": "of the git mirror, or null",
            "broker": "{url, state: connected | connecting | offline, embedded: bool, "
                      "kind: mosquitto | amqtt | null, protocol: '5' | '3.1.1' | null, "
                      "error: text or null}",
            "policy": "paired | ask | announced",
            "peers": "{known, online, connected, accepted, blocked, waiting: peers with held "
                     "documents}",
            "documents": "count", "held": "documents held back", "conflicts": "count",
            "held_deletions": "deleted files that wait for a yes",
            "folders": "[{path, prefix: what the names of its documents begin with}]",
            "outbox": "documents and messages not yet acknowledged",
            "refused": "inbound messages refused since the start",
            "repeated": "inbound messages that had come before, likewise",
            "refusals": "the same by reason, an object with a count for each",
            "front_ends": "connected front ends", "uptime": "seconds"}),
    Method("health", "Whether the peer can do its work.", p.Nothing,
           {"healthy": "bool", "checks": "[{name, ok, detail}]"}),
    Method("metrics", "What the running peer counts; labels have values of fixed sets only.",
           p.Nothing, {"metrics": "[{name, type: counter | gauge, help, "
                                  "samples: [{labels, value}]}]"}),
    Method("identity.show", "The running peer's identity; never its private key.", p.Nothing,
           {"peer_id": "own id", "public_key": "own key", "name": "display name, or null",
            "fingerprint": "16 groups of 4 hex digits", "words": "8 words of the key",
            "protection": "key-file | keyring | passphrase | none", "file": "path"}),
    Method("identity.words", "Safety words that both peers see alike, to compare by voice.",
           p.Peer, {"peer_id": "the other peer", "words": "8 words of both keys",
                    "fingerprint": "of the other key"}, _OTHER),
    Method("identity.create", "Make an identity in a new file; an existing one is refused.",
           p.IdentityFile, {"peer_id": "its id", "public_key": "its key", "file": "path"},
           (*_PATH, "identity-exists", "config-passphrase-too-weak", "config-bad-value",
            "path-not-directory", "path-too-long", "path-io-error", "disk-full")),
    Method("identity.load", "Load an identity file, to sign with it by its peer id.",
           p.IdentityFile, {"peer_id": "its id", "public_key": "its key", "file": "path"},
           (*_PATH, "identity-missing", "identity-locked", "identity-wrong-passphrase",
            "config-identity-corrupt", "config-identity-unencrypted", "config-kdf-unknown",
            "config-kdf-too-strong", "config-state-newer", "config-unsafe-mode",
            "config-foreign-owner", "path-symlink-escape", "path-not-directory",
            "path-too-long", "path-io-error", "missing-program")),
    Method("identity.sign", "Sign a text (type `signed-text` of wire.md).", p.Sign,
           {"signature": "0x and 128 hex digits", "peer_id": "the signer"}, _PEER),
    Method("identity.verify", "Check a signature over a text.", p.Verify,
           {"valid": "bool"}, (*_PEER, "bad-public-key", "weak-key")),
    Method("peers.list", "Every known peer.", p.Nothing,
           {"peers": "[{peer_id, name or null, short, public_key, address or null, online: bool, "
                     "connected: bool, trust: accepted | announced | unknown | blocked, "
                     "last_seen: UTC or null, clock: ok | unverified, clock_offset: seconds "
                     "ahead of ours or null, caps: [text], "
                     "unacknowledged: count, held: count}]"}),
    Method("peers.announce", "Announce this peer now.", p.Nothing,
           {"announced": "bool: false while there is no broker"}),
    Method("peers.connect", "Ask a peer to answer, and compare documents with it.", p.Connect,
           {"peer_id": "the peer", "connected": "bool", "route": "mqtt"},
           (*_OTHER, "revoked-peer", "timeout")),
    Method("trust.accept", "Accept a peer: what was held back from it is taken now.", p.Peer,
           {"peer_id": "the peer", "trust": "accepted", "released": "documents taken"}, _OTHER),
    Method("trust.block", "Block a peer: nothing of it is taken from now on.", p.Peer,
           {"peer_id": "the peer", "trust": "blocked", "dropped": "held documents dropped"},
           _OTHER),
    Method("sync.file", "Import a file as a new revision; answers once that is durable.",
           p.SyncFile,
           {"file": "its document name", "revision": "id", "size": "bytes",
            "state": "recorded | unchanged", "conflict": "bool", "path": "of its synced copy",
            "replaces": "peer id whose version this one follows, at the first sync from a new "
                        "path; else null",
            "warnings": "[{problem: not-text | not-json | not-canvas | same-id | no-end, line, "
                        "text: what is wrong, more: how often again}] of a canvas, which is "
                        "synced all the same",
            "acknowledged": "[peer ids]; with `wait` only", "missing": "[peer ids]; likewise"},
           (*_FILE, *_NAME, "queue-full")),
    Method("sync.all", "Import what changed in every folder; compare with the peers.",
           p.SyncAll, {"imported": "count", "peers": "[peer ids asked]"},
           (*_OTHER, "revoked-peer")),
    Method("sync.status", "Who has which document, and what waits in the spaces.", p.Deleted,
           {"documents": "[{file, revision, pending: [peer ids], acknowledged: [peer ids], "
                         "deleted: bool}]", "spaces": _SPACES}),
    Method("spaces.list", "Every space, its folders and what waits in them.", p.Nothing,
           {"spaces": _SPACES}),
    Method("spaces.create", "Make a local space: nothing of it ever leaves this machine.",
           p.CreateSpace, _SPACE,
           ("bad-space", "space-exists", "space-encrypted", "queue-full")),
    Method("spaces.share", "Show the documents of a space in a folder, and take its changes.",
           p.ShareFolder, _SPACE,
           ("unknown-space", "space-shared", "folder-overlap", *_PATH, "file-not-found",
            "path-not-directory")),
    Method("spaces.leave", "Share the folder of a space no more; a local space is forgotten.  "
           "Files and histories stay.", p.Space, {"space": "its name"}, ("unknown-space",)),
    Method("spaces.set", "Change auto-sync and interval of a space.", p.SetSpace,
           _SPACE, ("unknown-space",)),
    Method("spaces.confirm", "The deletions that are held are meant.", p.Space,
           {"space": "its name", "count": "files"}, ("unknown-space", "nothing-held")),
    Method("spaces.restore", "The deletions that are held are not meant: the files come back.",
           p.Space, {"space": "its name", "count": "files"}, ("unknown-space", "nothing-held")),
    Method("documents.list", "Every document.", p.Deleted,
           {"documents": "[{file, space, deleted: bool, kind, revision, "
                         "peer_id: author, name: author's name or null, "
                         "time: UTC, clock: ok | unverified, size, revisions: count, "
                         "conflict: bool, path, written: bool}]"}),
    Method("documents.history", "The revisions of a document, oldest first.", p.History,
           {"file": "name", "revisions": "[{revision, peer_id, name or null, time, "
                    "clock: ok | unverified, size, content_hash, parents: [id], "
                    "state: current | merged | concurrent | past, pinned: bool, "
                    "dropped: bool: its text is not kept any more, deleted: bool}]",
            "more": "bool: there are older ones"}, _REVISION),
    Method("history.pin", "Keep the text of a revision whatever else is dropped, or no longer.",
           p.Pin, {"file": "name", "revision": "id", "pinned": "bool"},
           (*_REVISION, "content-dropped")),
    Method("history.diff", "What differs between two revisions.", p.Diff,
           {"file": "name", "old": "id", "new": "id", "same": "bool: the same bytes",
            "text": "unified differences, or null where one is no text",
            "whole": "bool: nothing was cut off"}, (*_REVISION, "content-dropped")),
    Method("documents.export", "Write the bytes of a revision to a file.", p.Export,
           {"file": "name", "revision": "id", "path": "the file written", "size": "bytes"},
           (*_REVISION, "content-dropped", *_PATH, "file-not-found", "file-exists",
            "path-not-directory", "path-symlink-escape", "path-too-long", "path-io-error",
            "disk-full")),
    Method("documents.restore", "Make an earlier revision the newest; settles a conflict.",
           p.Revision, {"file": "name", "revision": "the new id", "path": "of its synced copy"},
           (*_REVISION, "content-dropped")),
    Method("documents.open", "Edit a document live: what is typed in it by others comes as "
           "`document-edited` events, until `documents.close`.", p.OpenDocument,
           {"file": "name", "revision": "what the editor must have", "content_hash": "of its text",
            "length": "characters of its text", "start": "for the first edit",
            "drafts": "[{peer_id, base, changes}]: what others have typed on top of a revision"},
           (*_DOCUMENT, "unknown-base", "not-text", "queue-full")),
    Method("documents.edit", "Tell what the user types.  It goes out at once, is durable a moment "
           "later, and becomes a revision in the next pause.", p.Edit,
           {"file": "name", "start": "for the next edit"},
           ("document-not-open", "edit-out-of-step", "edit-out-of-range", "file-too-large")),
    Method("documents.close", "The user has done with a document: a revision is made of what was "
           "typed.", p.Document, {"file": "name"}, ("document-not-open",)),
    Method("conflicts.list", "Values that two peers changed at once (`places`), and versions "
           "that cannot be merged, each readable at its `path`.",
           p.Nothing, {"conflicts": "[{file, current: id, versions: [{revision, peer_id, "
                                    "name or null, time, clock: ok | unverified, size, path}], "
                                    "places: [{number, path: [text], entry, base or null, "
                                    "kept: a | b | both | neither, a: {peers, value or null}, "
                                    "b: {peers, value or null}}]}]"}),
    Method("conflicts.resolve", "Settle one conflict for everybody: with one of the two values "
           "or, of lines, both, with what stands now, or with another value.", p.Resolve,
           {"file": "name", "revision": "the new id", "path": "of its synced copy",
            "open": "count of conflicts left in the document"},
           (*_DOCUMENT, "unknown-conflict", "conflict-moved", "bad-params")),
    Method("mirror.git", "Let a git repository follow the documents: each revision a commit of its "
           "author.", p.MirrorGit, _MIRROR,
           (*_PATH, "config-unsafe-sync-dir", "mirror-exists", "missing-program",
            "path-not-directory", "path-too-long")),
    Method("mirror.off", "Let it follow no more; the repository stays.", p.Nothing, _MIRROR),
    Method("mirror.status", "Whether a git repository follows the documents.", p.Nothing, _MIRROR),
    Method("message.send", "Send a message to one peer; kept until it is acknowledged.", p.Send,
           {"id": "of the message", "to": "the peer"},
           (*_OTHER, "revoked-peer", "queue-full", "oversize", "nul-in-text")),
    Method("topic.publish", "Publish to any topic, as MQTT does.", p.Publish,
           {"published": "bool: the broker took it"},
           (*_TOPIC, "publish-refused", "broker-unreachable", "oversize", "queue-full",
            "timeout")),
    Method("topic.subscribe", "Get the messages of a topic filter as events.", p.Subscribe,
           {"subscribed": "bool"}, (*_TOPIC, "broker-refused", "queue-full", "timeout")),
    Method("topic.unsubscribe", "Undo topic.subscribe.", p.Subscribe,
           {"subscribed": "bool"}, _TOPIC),
    Method("broker.open", "Open a second broker connection for topic.* calls.", p.Open,
           {"connection": "handle", "url": "as given"}, (*_BROKER, "queue-full")),
    Method("broker.close", "Close a second broker connection.", p.Close,
           {"connection": "handle"}, ("unknown-connection",)),
    Method("config.show", "The configuration in force.", p.Nothing,
           {"config": "{key: {value, source}}; secrets are not shown"}),
    Method("logs.tail", "The newest lines of the log.", p.Lines, {"lines": "[text]"}),
    Method("logs.level", "Change the log level of the running peer.", p.LogLevel,
           {"level": "in force"}),
    Method("events.subscribe", "Send this client the events, as `events` notifications.",
           p.Nothing, {"subscribed": "bool"}),
    Method("shutdown", "Stop the running peer.", p.Nothing, {"stopping": "bool"}),
)  # fmt: skip

#: name -> definition
METHODS: Final[dict[str, Method]] = {method.name: method for method in _ALL}
