# SPDX-License-Identifier: MIT
"""Every way of being broken that `doctor` tells apart, as one table.

``docs/how-to/troubleshooting.md`` is made from it.  A check is a question that
is asked in this order; a case is one answer to it that is worth a cause and a
cure.  The cases whose check is ``sidecar`` are Emacs's: only it can see them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["ok", "warning", "error"]

#: check -> the question that it answers
CHECKS: Final = {
    "sidecar": "Does Emacs find the sidecar, in its own version? (only in Emacs)",
    "version": "Do the program and the running peer have the same version?",
    "config": "Can the configuration be read, and does it make sense?",
    "state": "Is the state directory private and yours?",
    "disk": "Is there room, and does what is written stay?",
    "runtime": "Can a control socket be made?",
    "identity": "Can the identity be opened, and is it used once only?",
    "instance": "Does a peer run here?",
    "broker": "Does the broker answer, and let this peer in?",
    "peers": "Is anybody else there?",
    "clock": "Is the clock right?",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One way of being broken: which check finds it, how bad it is, why, and what to do."""

    check: str
    state: State
    cause: str
    cure: str


_C = Case
_UPGRADE = "upgrade the older one: `pip install --upgrade meta-log-peer-sync`, or in Emacs \
M-x meta-log-peer-sync-upgrade-sidecar"

#: name -> the case
CASES: Final[dict[str, Case]] = {
    # Emacs alone can see these two
    "no-sidecar": _C(
        "sidecar", "error",
        "Emacs finds no program meta-log-peer-sync: it is not installed, or not where Emacs looks",
        "M-x meta-log-peer-sync-install-sidecar, or set meta-log-peer-sync-rpc-program",
    ),
    "wrong-version": _C(
        "sidecar", "error",
        "the Emacs package and the sidecar are of different versions",
        "M-x meta-log-peer-sync-upgrade-sidecar",
    ),
    "old-peer": _C(
        "version", "warning",
        "the running peer was started by another version of the program",
        "stop it, and start it again; if the versions still differ, " + _UPGRADE,
    ),
    "config-unreadable": _C(
        "config", "error",
        "the configuration file, a variable or a flag cannot be used",
        "correct what is named; `meta-log-peer-sync config KEY` explains a key, "
        "`config --reset` puts the file aside",
    ),
    "state-owner": _C(
        "state", "error",
        "the state directory, or a file in it, belongs to another user: "
        "it was made under sudo or copied",
        "`chown -R` it back to you, or choose another one with --state-dir",
    ),
    "state-open": _C(
        "state", "error",
        "others may read or change the state directory, or a file in it",
        "`chmod 700` the folder, `chmod 600` the file",
    ),
    "state-unsafe": _C(
        "state", "error",
        "this cannot be a state directory: it holds other things, or is none",
        "name a folder of its own with --state-dir",
    ),
    "state-newer": _C(
        "state", "error",
        "the state directory was written by a newer version of the program",
        _UPGRADE,
    ),
    "store-damaged": _C(
        "state", "error",
        "the store of this peer (store.db) is damaged: its documents and history cannot be read",
        "move store.db and its -wal away and start again: the identity and the files stay, and "
        "other peers bring the history back",
    ),
    "disk-full": _C(
        "disk", "error",
        "the disk of the state directory is full: nothing can be recorded, so nothing is accepted",
        "free some space; the peer goes on by itself, and nothing was lost",
    ),
    "disk-low": _C(
        "disk", "warning",
        "there is little room on the disk of the state directory",
        "free some space before it is full",
    ),
    "disk-failing": _C(
        "disk", "error",
        "the running peer cannot write its state",
        "look at the disk and at `meta-log-peer-sync logs`; the peer tries again by itself",
    ),
    "runtime-unsafe": _C(
        "runtime", "error",
        "the folder for sockets belongs to another user, or others may write into it",
        "correct it, or let XDG_RUNTIME_DIR name a folder of yours of mode 0700",
    ),
    "runtime-unused": _C(
        "runtime", "warning",
        "the folder that XDG_RUNTIME_DIR names is not used for sockets: it is not yours alone, "
        "or cannot be used, and another user could put a socket of theirs in its place",
        "let XDG_RUNTIME_DIR name a folder of yours of mode 0700, the same for every program: "
        "else `peers` and other verbs may not find the running peer without --state-dir",
    ),
    "identity-damaged": _C(
        "identity", "error",
        "the identity file is damaged, or a part of it is missing; it was not changed",
        "bring back identity.json and identity.key from a backup, or move identity.json away and "
        "`meta-log-peer-sync identity import FILE`",
    ),
    "identity-open": _C(
        "identity", "error",
        "the identity file belongs to somebody else, or others may read it",
        "`chown` it to you and `chmod 600` it; if others have read it, make a new identity",
    ),
    "identity-passphrase": _C(
        "identity", "error",
        "the passphrase is wrong, or the identity file was changed",
        "let identity.passphrase_file name the file that the identity was made with",
    ),
    "identity-locked": _C(
        "identity", "error",
        "the identity is under a passphrase or in a keyring, and neither can be had",
        "set identity.passphrase_file to a file of mode 0600, or unlock the keyring",
    ),
    "identity-refused": _C(
        "identity", "error",
        "the identity cannot be used as it is",
        "do what is named; the file was not changed",
    ),
    "identity-cloned": _C(
        "identity", "error",
        "somebody else runs with the same identity: a copied state directory, or a backup "
        "that was imported while the first one goes on",
        "stop one of the two; give it an identity of its own: move its identity files and "
        "store.db away, then start it again",
    ),
    "instance-other": _C(
        "instance", "ok",
        "a peer runs on this state directory already: a second `bot` is refused there; "
        "Emacs and every verb use the one that runs",
        "use it, or start the second one with another --state-dir",
    ),
    "instance-hangs": _C(
        "instance", "error",
        "a process holds this state directory and does not answer: it is starting, stopping, "
        "or hangs",
        "wait some seconds and look again; then end that process",
    ),
    "broker-unreachable": _C(
        "broker", "error",
        "nothing answers at the broker's address",
        "start the broker, or correct broker.url; is a firewall in between?",
    ),
    "broker-name": _C(
        "broker", "error",
        "the name of the broker's machine is not known",
        "correct broker.url, or look at the network and its name servers",
    ),
    "broker-silent": _C(
        "broker", "error",
        "something listens at the broker's address and does not speak MQTT",
        "correct the port of broker.url: 1883 is plain, 8883 usually TLS; "
        "a TLS port wants mqtts://",
    ),
    "broker-embedded": _C(
        "broker", "warning",
        "no broker is configured, and none answers yet at the default address",
        "nothing: a peer that is started brings one along; for several machines set broker.url",
    ),
    "broker-connecting": _C(
        "broker", "warning",
        "the broker answers, and the peer is about to connect",
        "look again in some seconds",
    ),
    "broker-password": _C(
        "broker", "error",
        "the broker does not take the user name or the password",
        "correct broker.username and broker.password_file (or MQTT_USERNAME, MQTT_PASSWORD; "
        "in Emacs auth-source)",
    ),
    "broker-refused": _C(
        "broker", "error",
        "the broker refuses this peer",
        "look at the broker's log: its ACL, its limits, a ban",
    ),
    "broker-plaintext": _C(
        "broker", "error",
        "the broker is on another machine, and its address is not encrypted",
        "write mqtts:// or wss://, or set broker.allow_plaintext = true if you must",
    ),
    "tls-authority": _C(
        "broker", "error",
        "the broker's certificate is signed by nobody that this machine trusts",
        "set broker.ca_file to the certificate of the broker's authority",
    ),
    "tls-ca-file": _C(
        "broker", "error",
        "broker.ca_file cannot be read, or holds no certificate",
        "let it name the certificate of the broker's authority, as a PEM file",
    ),
    "tls-expired": _C(
        "broker", "error",
        "the broker's certificate is not valid at this time: expired, not begun, "
        "or the clock of this machine is wrong",
        "renew the certificate; look at the clock",
    ),
    "tls-name": _C(
        "broker", "error",
        "the broker's certificate is for another name than that of broker.url",
        "write the name of the certificate into broker.url, or have one made for this name",
    ),
    "tls-plain-port": _C(
        "broker", "error",
        "the port of the broker does not speak TLS",
        "use the broker's TLS port (usually 8883), or mqtt:// on this machine",
    ),
    "tls-wanted": _C(
        "broker", "error",
        "the port of the broker speaks TLS, and broker.url is not encrypted",
        "write mqtts:// (or wss://) in broker.url",
    ),
    "tls-failed": _C(
        "broker", "error",
        "TLS with the broker failed",
        "the broker must speak TLS 1.2 or newer; look at its log",
    ),
    "peers-none": _C(
        "peers", "warning",
        "no other peer is online at this broker",
        "start one; both must name the same broker (`meta-log-peer-sync status` shows it)",
    ),
    "peers-refused": _C(
        "peers", "warning",
        "messages of others were refused since the start",
        "`meta-log-peer-sync logs` says whose; what each reason means is in docs/reference/wire.md",
    ),
    "clock-own": _C(
        "clock", "error",
        "the clock of this machine is wrong: other peers agree on another time. Nothing is lost, "
        "but times are wrong, and others show this peer as unverified",
        "set the clock: `timedatectl set-ntp true`, or `date`",
    ),
    "clock-either": _C(
        "clock", "warning",
        "the clock of this machine or of the other peer is wrong; with one peer nobody can tell "
        "whose",
        "compare `date -u` on both; `timedatectl set-ntp true` sets it",
    ),
    "clock-peer": _C(
        "clock", "warning",
        "the clock of another peer is wrong",
        "tell whoever runs it; nothing is lost by it here",
    ),
    "clock-back": _C(
        "clock", "warning",
        "files of the state directory are from the future: the clock is behind, or was ahead",
        "set the clock: `timedatectl set-ntp true`, or `date`",
    ),
}  # fmt: skip
