# SPDX-License-Identifier: MIT
"""The one place where the data's illustrative names become ours.

The data fixes *that* an input is refused and leaves nothing behind; method,
key and field names and the text of a reason are illustrative where the
contract does not fix them (its README).  Each entry here says why it differs.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tests.conformance.badinputs import Case, identities, signed

#: case -> our reason, where it is another one than the data's
REASONS: Final[dict[str, str]] = {
    # `sync.file` takes absolute paths only (contract: `sync FILE`, from any folder), and the
    # file's base name must then be a document's: `shadow` is none that is ever synced.
    "rpc-sync-abs-path": "path-forbidden-name",
    # A frame over 8 MiB is refused at its header, before there is a parameter to look at.
    "rpc-passphrase-10MiB": "frame-too-large",
}

#: case -> why it is not run here
SKIPPED: Final[dict[str, str]] = {
    "ann-replay-after-rekey": "rotation of an identity comes with pairing",
    "ann-caps-downgrade": "end-to-end encryption is agreed on by pairing",
    **dict.fromkeys(
        ("cfg-anon-0.0.0.0", "cfg-anon-default-listener", "cfg-no-tls-public",
         "cfg-acl-clientid-pattern", "cfg-acl-hash", "cfg-acl-empty", "cfg-username-plus",
         "cfg-default-password", "cfg-password-in-compose", "cfg-compose-ports-all",
         "cfg-compose-privileged", "cfg-compose-docker-sock", "cfg-compose-host-net",
         "cfg-compose-root", "cfg-max-queued-unlimited", "cfg-websocket-no-origin"),
        "a file of the broker: tests/config/test_broker_files.py",
    ),
}  # fmt: skip
#: Accepted into the history; only the file waits, since an editor has unsaved changes in it.
DEFERRED: Final = frozenset({"fn-fs-locked-by-emacs"})

#: the data's method -> ours
METHODS: Final = {
    "sync.publish": "sync.file",
    "peer.connect": "peers.connect",
    "peer.trust": "trust.accept",
    "broker.set": "broker.open",
    "log.set": "logs.level",
    "identity.unlock": "identity.load",
}
#: our method -> {the data's parameter: ours}
PARAMETERS: Final[dict[str, dict[str, str]]] = {"sync.file": {"file": "path"}}


def payload(case: Case) -> bytes:
    """The bytes of a message case as ours would be."""
    if case.name == "ann-will-forged-offline":
        # `peer-offline` is ours as a peer-announce with a status; the defect that stays is
        # that mallory signs it for alice.
        alice = identities()["alice"]
        message = {
            "type": "peer-announce", "peer_id": alice.peer_id, "status": "offline",
            "public_key": "0x" + alice.public_key.hex(), "timestamp": "2025-01-07T12:00:00Z",
        }  # fmt: skip
        return json.dumps(signed(message, "mallory")).encode()
    return case.payload


def request(case: Case, sandbox: str) -> bytes:
    """The bytes of an RPC case: methods and parameters by our names."""
    value = case.row["payload"]
    if case.row.get("encoding", "json") != "json":
        return case.payload
    if isinstance(value, list):
        return json.dumps(value).encode()  # a batch of `status`, which is ours too
    value = json.loads(json.dumps(value))
    theirs = str(value["method"])
    method = METHODS.get(theirs, theirs)
    names = PARAMETERS.get(method, {})
    given: dict[str, Any] = {
        names.get(str(key), str(key)): item for key, item in value["params"].items()
    }
    if case.name == "rpc-sync-symlink-out":
        given["path"] = f"{sandbox}/{given['path']}"
    if method == "identity.load":
        given["file"] = f"{sandbox}/identity.json"
        if isinstance(given["passphrase"], dict):
            given["passphrase"] = "A" * 10_485_760
    return json.dumps({**value, "method": method, "params": given}).encode()


#: case -> the configuration file, or the flags, that have the same defect with our keys
CONFIG: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "cfg-tls-insecure": ("[broker]\ntls_insecure = true\n", ()),
    "cfg-url-plaintext-remote": ('[broker]\nurl = "mqtt://broker.example:1883"\n', ()),
    "cfg-url-scheme": ('[broker]\nurl = "gopher://x"\n', ()),
    "cfg-port-0": ('[broker]\nurl = "mqtt://127.0.0.1:0"\n', ()),
    "cfg-port-70000": ('[broker]\nurl = "mqtt://127.0.0.1:70000"\n', ()),
    # The size of a message is fixed by the contract; the size of a document is ours to bound.
    "cfg-limit-negative": ("[limits]\ndocument = -1\n", ()),
    "cfg-limit-zero-unlimited": ("[limits]\ndocument = 0\n", ()),
    # Freshness is fixed (five minutes); the heartbeat is the window that a user may move.
    "cfg-window-10y": ("[limits]\nheartbeat = 315360000\n", ()),
    "cfg-sync-dir-home": ("", ("--state-dir", "~")),
    "cfg-sync-dir-root": ("", ("--state-dir", "/")),
    "cfg-sync-dir-emacs-d": ("", ("--state-dir", "~/.emacs.d")),
    "cfg-passphrase-in-argv": ("", ("--passphrase", "hunter2")),
    "cfg-unknown-key": ("[broker]\nallow_anonymus = false\n", ()),
    "cfg-yaml-python-object": ('!!python/object/apply:os.system ["id"]\n', ()),
    "cfg-turn-static-secret": ('[ice]\nurls = "turn:h"\ncredential = "static-in-repo"\n', ()),
    "cfg-stun-third-party-default": ('[ice]\nurls = "stun:stun.l.google.com:19302"\n', ()),
    "control-cfg-loopback-plain": ('[broker]\nurl = "mqtt://127.0.0.1:1883"\n', ()),
}
