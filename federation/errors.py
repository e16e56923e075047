# SPDX-License-Identifier: MIT
"""The error families: refusals (theirs) and faults (ours).

A :class:`Refusal` is the answer to bad input.  It names one *reason* of the
table below, which gives it a stable JSON-RPC code, a sentence for the person
who meets it, and what that person can do about it.  A :class:`Fault` is a
defect or a broken machine underneath us: it is never an answer to input.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """One kind of refusal: its RPC code, what happened, what to do."""

    code: int
    message: str
    hint: str


_R = Reason

#: reason name -> its code, message and cure.  Codes: -32xxx JSON-RPC itself,
#: 1xxx the wire, 2xxx names and files, 3xxx configuration, 4xxx identity and
#: trust, 5xxx operation.  Codes never change their meaning.
REASONS: Final[dict[str, Reason]] = {
    # JSON-RPC 2.0, section 5.1
    "rpc-parse-error": _R(-32700, "the request is not JSON", "send one JSON object a frame"),
    "rpc-invalid-request": _R(
        -32600, "the request is not a JSON-RPC 2.0 request", "see docs/reference/rpc.md"
    ),
    "rpc-method-not-found": _R(-32601, "there is no such method", "rpc.discover lists the methods"),
    "rpc-invalid-params": _R(
        -32602, "the parameters do not fit the method", "rpc.discover shows each method's form"
    ),
    "internal-error": _R(
        -32603, "the sidecar met a defect of its own", "see the log, and report it"
    ),
    # 1xxx: what a message is
    "frame-error": _R(
        1001, "the frame header is not Content-Length: N", "send the header as LSP does"
    ),
    "frame-too-large": _R(1002, "the frame is larger than the limit", "send a path, not a text"),
    "rate-limited": _R(1003, "too much at once", "send less, or more slowly"),
    "oversize": _R(1004, "the message is larger than the limit", "send it in pieces"),
    "bad-utf8": _R(1005, "the bytes are not UTF-8", "encode text as UTF-8"),
    "bad-json": _R(1006, "the text is not strict JSON", "see RFC 8259"),
    "duplicate-key": _R(1007, "an object has the same key twice", "send each key once"),
    "non-finite-number": _R(1008, "NaN and Infinity are not JSON", "send a finite number"),
    "number-range": _R(1009, "a number is outside of what I-JSON carries", "stay within 2^53-1"),
    "lone-surrogate": _R(1010, "a string has half of a surrogate pair", "send whole characters"),
    "nul-in-text": _R(1011, "a text has a NUL character", "send such a file as a binary document"),
    "depth-exceeded": _R(1012, "the JSON is nested too deeply", "stay within 64 levels"),
    "not-object": _R(1013, "the message is not a JSON object", "send one object"),
    "missing-field": _R(1014, "a required field is missing", "see docs/reference/wire.md"),
    "wrong-type": _R(1015, "a field has the wrong type", "see docs/reference/wire.md"),
    "unknown-field": _R(1016, "a field is not known", "only x- fields may be added"),
    "unknown-type": _R(1017, "the message type is not known", "see docs/reference/wire.md"),
    "unsupported-version": _R(1018, "the message version is not 1", "upgrade the older peer"),
    "bad-signature-encoding": _R(
        1019, "the signature is not 0x and 128 lower-case hex digits", "encode it so"
    ),
    "bad-public-key": _R(
        1020, "the key is not 0x and 64 lower-case hex digits of a point", "encode it so"
    ),
    "weak-key": _R(1021, "the public key is a weak point of the curve", "make a new identity"),
    "bad-peer-id": _R(1022, "the peer id is not peer- and 52 base32 characters", "copy it whole"),
    "peer-id-mismatch": _R(1023, "the peer id is not the hash of the key", "do not trust it"),
    "bad-signature": _R(1024, "the signature does not verify", "do not trust it"),
    "bad-timestamp": _R(
        1025, "the timestamp is not UTC as 2025-01-07T12:00:00Z", "send UTC with Z"
    ),
    "wrong-topic": _R(
        1026, "this type of message does not belong on this topic", "see docs/reference/wire.md"
    ),
    "wrong-recipient": _R(1027, "the message is addressed to another peer", "none needed"),
    "replay": _R(1028, "the very same message was already processed", "none needed"),
    "fork": _R(
        1029, "one sequence number was used for two messages", "look for a copy of the identity"
    ),
    "seq-jump": _R(1030, "the sequence number jumps too far ahead", "count from the last one"),
    "bad-display-name": _R(
        1031, "the name has control, invisible or bidirectional characters", "choose a plain name"
    ),
    "format-string": _R(1032, "the name has a percent sign", "choose a plain name"),
    "name-collision": _R(1033, "the name is another peer's id", "choose another name"),
    "bad-field": _R(1035, "a field has a value outside its form", "see docs/reference/wire.md"),
    "bad-topic": _R(1036, "the topic is not a valid MQTT topic", "see MQTT 5, section 4.7"),
    "content-mismatch": _R(
        1037, "the content is not what the header promised", "it will be asked for again"
    ),
    # 2xxx: names and files
    "path-traversal": _R(2001, "the name leads out of its folder", "use a plain relative name"),
    "path-absolute": _R(2002, "the name is absolute", "use a plain relative name"),
    "path-reserved": _R(2003, "the name is reserved on some system", "choose another name"),
    "path-non-canonical": _R(2004, "the name has empty parts", "use single slashes"),
    "path-separator": _R(2005, "the name has a backslash", "use / between folders"),
    "path-suspicious": _R(2006, "the name hides a separator", "choose a plain name"),
    "path-nul": _R(2007, "the name has a NUL", "choose a plain name"),
    "path-control": _R(2008, "the name has control characters", "choose a plain name"),
    "path-bidi": _R(2009, "the name has direction-changing characters", "choose a plain name"),
    "path-invisible": _R(2010, "the name has invisible characters", "choose a plain name"),
    "path-non-nfc": _R(2011, "the name is not in Unicode form NFC", "normalise it"),
    "path-unassigned": _R(2012, "the name has unassigned characters", "choose a plain name"),
    "path-too-long": _R(
        2013, "the name is too long or too deep", "255 bytes a part, 1,024 in all, 32 deep"
    ),
    "path-trailing": _R(2014, "a part ends with a dot or a space", "choose a plain name"),
    "path-leading-dash": _R(2015, "a part begins with a dash or a space", "choose a plain name"),
    "path-shell-meta": _R(2016, "the name has shell characters", "choose a plain name"),
    "path-tramp": _R(2017, "the name looks like a remote file", "use a local, relative name"),
    "path-url": _R(2018, "the name is a URL", "use a local, relative name"),
    "path-forbidden-name": _R(2019, "files of this name are never synced", "choose another name"),
    "path-forbidden-ext": _R(
        2020, "files with this ending, or none, are not synced", "files.extensions may add one"
    ),
    "path-symlink-escape": _R(2021, "the path goes through a symbolic link", "use the real path"),
    "path-not-regular": _R(2022, "the path is not a regular file", "name a regular file"),
    "path-not-directory": _R(2023, "a folder of the path is a file", "choose another name"),
    "path-normalisation-conflict": _R(
        2024, "a file of the same look is already there", "rename one of them"
    ),
    "path-mount-escape": _R(2025, "the path crosses into another file system", "unmount it"),
    "path-io-error": _R(2026, "the file or folder cannot be read or written", "check its mode"),
    "path-local-modified": _R(
        2027, "an editor has unsaved changes in this file", "save or revert it there"
    ),
    "file-not-found": _R(2028, "there is no such file", "check the path"),
    "file-too-large": _R(2029, "the file is larger than a document may be", "see limits.document"),
    "path-not-absolute": _R(2031, "the path is not absolute", "name the whole path"),
    "folder-replaced": _R(
        2032,
        "another folder is where the shared one was",
        "put it back, or leave the space and share this one",
    ),
    "folder-too-large": _R(2033, "the folder has more files than are synced", "share a part of it"),
    "file-exists": _R(
        2036, "there is a file of that name already", "it is never replaced: name another one"
    ),
    "disk-full": _R(2030, "the disk is full", "free some space; nothing was lost"),
    "folder-overlap": _R(
        2034, "the folder holds, or lies in, one that is watched already", "share another one"
    ),
    "bad-space": _R(
        2035,
        "this cannot be the name of a space",
        "lower-case letters, digits, - and _, 64 at the most, a letter or digit first",
    ),
    # 3xxx: configuration
    "config-bad-config": _R(
        3001,
        "the configuration file is not valid TOML",
        "correct it, or put it aside: `meta-log-peer-sync config --reset`",
    ),
    "config-unknown-key": _R(3002, "there is no such key", "`config` lists the keys"),
    "config-bad-value": _R(3003, "the value does not fit the key", "`config KEY` shows its form"),
    "config-bad-url": _R(
        3004, "the broker URL is not mqtt(s):// or ws(s)://", "write mqtt://HOST:PORT"
    ),
    "config-bad-port": _R(3005, "the port is not between 1 and 65535", "write another port"),
    "config-bad-limit": _R(3006, "the limit is outside of its range", "`config KEY` shows it"),
    "config-plaintext-non-loopback": _R(
        3007,
        "the broker is on another machine and the connection would not be encrypted",
        "use mqtts:// or wss://, or set broker.allow_plaintext = true if you must",
    ),
    "config-tls-verification-off": _R(
        3008, "certificates are always verified", "set broker.ca_file to your authority"
    ),
    "config-unsafe-sync-dir": _R(
        3009, "this folder is not safe as a state or sync folder", "name a folder of its own"
    ),
    "config-unsafe-mode": _R(
        3010, "the file or folder may be read or changed by others", "chmod 0600 it (folders 0700)"
    ),
    "config-foreign-owner": _R(
        3011, "the file or folder belongs to another user", "use a folder of your own"
    ),
    "config-identity-corrupt": _R(
        3012, "the identity file is damaged; it was not changed", "restore it from a backup"
    ),
    "config-identity-unencrypted": _R(
        3013,
        "the identity file is not encrypted",
        "set identity.protection = none to accept that",
    ),
    "config-kdf-unknown": _R(3014, "the key derivation is not argon2id", "restore a backup"),
    "config-kdf-too-strong": _R(
        3015, "the key derivation would take too much memory or time", "restore a backup"
    ),
    "config-passphrase-too-weak": _R(
        3016, "the passphrase is empty or too short", "use 8 characters or more"
    ),
    "config-secret-in-argv": _R(
        3017, "a secret on the command line can be read by everybody", "use a file of mode 0600"
    ),
    "config-secret-in-url": _R(
        3018, "a password in a URL ends up in logs", "use broker.password_file or MQTT_PASSWORD"
    ),
    "config-secret-in-file": _R(
        3019, "a secret in the configuration file", "use broker.password_file"
    ),
    "config-third-party-default": _R(
        3020, "a third party's server would see your address", "name a server of your own"
    ),
    "config-state-locked": _R(
        3021, "another peer is running on this state directory", "use it, or another --state-dir"
    ),
    "config-state-newer": _R(
        3022, "the state directory was written by a newer version", "upgrade this one"
    ),
    "config-anonymous-non-loopback": _R(
        3023, "the broker lets anybody in from other machines", "set allow_anonymous false"
    ),
    "config-acl-client-id-not-authenticated": _R(
        3024, "the access list goes by the client id, which anybody may choose", "use %u"
    ),
    "config-acl-too-wide": _R(
        3025, "the access list lets a peer read what is for others", "`broker-setup` makes one"
    ),
    "config-acl-empty": _R(3026, "the access list has no rule", "`broker-setup` makes one"),
    "config-default-credential": _R(
        3027, "the password is one that everybody tries first", "`broker-setup` makes random ones"
    ),
    "config-published-on-all-interfaces": _R(
        3028, "the port is published to every machine", 'write "127.0.0.1:PORT:PORT"'
    ),
    "config-excess-privilege": _R(3029, "the container may do what it need not", "leave it out"),
    "config-resource-limit": _R(3030, "a queue of the broker has no bound", "set a number"),
    "config-websocket-origin": _R(
        3031, "pages of any origin may connect by WebSocket", "listen on 127.0.0.1, behind a proxy"
    ),
    "config-acl-wildcard-username": _R(
        3032, "a user's name is a pattern where %u stands for it", "use the peer's id"
    ),
    "config-store-corrupt": _R(
        3033, "the store of the peer is damaged", "move store.db away: what others have comes back"
    ),
    # 4xxx: identity and trust
    "identity-locked": _R(
        4001, "the identity needs its passphrase", "set identity.passphrase_file"
    ),
    "identity-wrong-passphrase": _R(
        4002, "the passphrase is wrong, or the file was changed", "try again"
    ),
    "identity-exists": _R(4003, "there is already an identity here", "it is never replaced"),
    "identity-missing": _R(4004, "there is no identity here", "start the peer, or import one"),
    "unknown-peer": _R(4005, "the peer has not announced itself", "wait until it is discovered"),
    "unknown-base": _R(
        4013, "the patch is for a revision that is not here", "it is asked for again"
    ),
    "document-not-open": _R(
        4014, "the document is not open for live edits", "open it first: documents.open"
    ),
    "edit-out-of-step": _R(
        4015, "somebody else has changed the document here", "open it again, and go on from there"
    ),
    "edit-out-of-range": _R(
        4016, "a change is outside of the text", "count in characters, after the changes before"
    ),
    "not-text": _R(4017, "the document is no text", "edit it as a file"),
    "revoked-peer": _R(4006, "the peer is blocked", "`trust accept` takes it back"),
    "untrusted-peer": _R(4007, "the policy takes nothing from this peer", "`trust accept` it"),
    "self-peer": _R(
        4008, "a message of our own that we did not send", "look for a copy of the identity"
    ),
    "peer-limit": _R(4009, "too many unknown peers", "accept or block some of them"),
    "held-limit": _R(4010, "too much is held back from this peer", "accept or block it"),
    "own-peer": _R(4011, "this is the running peer itself", "name another peer"),
    "ambiguous-peer": _R(
        4012, "more than one peer is meant", "give the whole id: `peers` lists them"
    ),
    # 5xxx: operation
    "no-running-peer": _R(
        5001, "no peer is running here", "start one: meta-log-peer-sync bot, or from Emacs"
    ),
    "broker-unreachable": _R(5002, "the broker does not answer", "check broker.url"),
    "broker-refused": _R(5003, "the broker refused", "check user, password and ACL"),
    "timeout": _R(5004, "it took too long", "try again; nothing was lost"),
    "unknown-document": _R(5005, "there is no such document", "`sync-status` lists them"),
    "unknown-revision": _R(5006, "there is no such revision", "`history FILE` lists them"),
    "unknown-connection": _R(5007, "there is no such connection", "open it again"),
    "queue-full": _R(5008, "too much is waiting already", "wait, and try again"),
    "publish-refused": _R(5009, "the broker refused the message", "check its ACL and limits"),
    "shutting-down": _R(5010, "the sidecar is stopping", "start it again"),
    "several-running-peers": _R(5012, "several peers are running", "choose one: --state-dir DIR"),
    "content-dropped": _R(
        5015,
        "the text of this old revision was dropped to save space",
        "pin what is to stay, or raise limits.history_revisions",
    ),
    "unknown-conflict": _R(5013, "there is no such conflict", "`conflicts` lists them"),
    "conflict-moved": _R(
        5014, "the place of the conflict is gone", "edit the document, then `resolve … kept`"
    ),
    "bad-params": _R(
        5016, "the value cannot stand in its place", "give JSON as it stands in the document"
    ),
    "unknown-space": _R(5017, "there is no such space", "`space list` lists them"),
    "space-exists": _R(5018, "there is such a space already", "choose another name"),
    "space-shared": _R(5019, "the space shares another folder already", "`space leave` it first"),
    "space-encrypted": _R(
        5020,
        "encrypted spaces with members are not built yet",
        "`space create NAME` makes a local one, of which nothing leaves this machine",
    ),
    "mirror-exists": _R(
        5025, "another git repository follows the documents", "`mirror off` first; it stays there"
    ),
    "nothing-held": _R(5021, "no deletions are held there", "`sync-status` shows what is held"),
    "backup-damaged": _R(5022, "the archive, or what is to be archived, is damaged", "use another"),
    "missing-program": _R(5011, "a program that this needs is not installed", "install it"),
}


class Refusal(Exception):
    """Input that is not taken.

    ``reason`` is a key of :data:`REASONS`; ``detail`` says with what (a field,
    a name, a number) and never holds a secret or unsanitised remote text.
    """

    def __init__(self, reason: str, detail: str = "", *, hint: str = "") -> None:
        entry = REASONS[reason]
        self.reason = reason
        self.detail = detail
        self.code = entry.code
        self.hint = hint or entry.hint
        self.message = f"{entry.message}: {detail}" if detail else entry.message
        super().__init__(f"{reason}: {self.message}")

    def as_data(self) -> dict[str, object]:
        """The error in the form of ``--json`` and of the RPC's ``data``."""
        return {
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
        }


#: What the system says -> the reason; any other error is ``path-io-error``.
_SYSTEM: Final = {
    errno.ELOOP: "path-symlink-escape",
    errno.EXDEV: "path-mount-escape",
    errno.ENOTDIR: "path-not-directory",
    errno.EISDIR: "path-not-regular",
    errno.ENOENT: "file-not-found",
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.ENAMETOOLONG: "path-too-long",
}


def io_refusal(error: OSError, name: object, *, exists: str = "path-io-error") -> Refusal:
    """The refusal that a failed system call on ``name`` (a path) means.

    ``exists`` is the reason where the file was to be a new one and is there.
    """
    reason = _SYSTEM.get(error.errno or 0, "path-io-error")
    if error.errno == errno.EEXIST:
        reason = exists
    return Refusal(reason, f"{name}: {error.strerror}" if reason == "path-io-error" else f"{name}")


class Fault(Exception):
    """A defect of ours, or a machine underneath us that failed."""
