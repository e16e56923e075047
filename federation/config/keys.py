# SPDX-License-Identifier: MIT
"""The table of configuration keys: names, forms, defaults, ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from federation import limits
from federation.errors import Refusal

#: Every own variable begins so.
PREFIX: Final = "META_LOG_PEER_SYNC_"
#: Own variables that are no keys: where the state and the file are, which program the
#: embedded broker is (``adapters/broker``, for tests), and what a hook program is told.
OTHER_VARIABLES: Final = frozenset(
    PREFIX + name for name in ("STATE_DIR", "CONFIG", "EMBEDDED", "EVENT")
)
#: Events that a program of the bot can be hooked to (``events.EVENTS``; a test compares).
HOOK_EVENTS: Final = (
    "ready", "broker-connected", "broker-lost", "peer-discovered", "peer-connected",
    "peer-disconnected", "peer-trusted", "identity-changed", "sync-started", "sync-completed",
    "sync-failed", "document-changed", "document-held", "conflict-detected",
    "deletions-held", "folder-away", "space-changed",
    "message-received", "events-dropped",
)  # fmt: skip

Scalar = str | int | float | bool | tuple[str, ...] | None
Kind = Literal[
    "text", "integer", "number", "boolean", "choice", "path", "list", "url", "program", "listen"
]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name, form, default, range and a sentence for people.

    ``low`` and ``high`` bound numbers (both ends included); ``secret`` keys
    have no flag and never stand in the file; ``variables`` are documented
    names of the environment beside its own.
    """

    name: str
    kind: Kind
    default: Scalar
    help: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    secret: bool = False
    variables: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + re.sub(r"[.-]", "_", self.name).upper()

    @property
    def flag(self) -> str | None:
        """Its name on the command line; None for a secret."""
        return None if self.secret else "--" + re.sub(r"[._]", "-", self.name)

    @property
    def form(self) -> str:
        """What a value looks like, for people."""
        if self.kind == "choice":
            return " | ".join(self.choices)
        if self.kind == "boolean":
            return "true | false"
        if self.kind == "listen":
            return "loopback address:port"
        if self.high:
            return f"{self.kind} from {self.low:g} to {int(self.high)}"
        return self.kind


DEFAULT_BROKER: Final = "mqtt://localhost:1883"
DEFAULT_EXTENSIONS: Final = (".canvasl", ".canvas", ".jsonl", ".json", ".org", ".md", ".txt")

#: Endings of programs and of files that something runs when it meets them: never synced,
#: whatever the configuration says (contract).
FORBIDDEN_ENDINGS: Final = frozenset(
    f".{ending}"
    for ending in (
        "a apk app bash bat bin cgi class cmd com command cpl csh deb desktop dll dmg dylib el elc "
        "eln exe fish gadget hta inf ins jar js jse ksh lnk lua mjs msc msi msp mst o out pif pkg "
        "php pl pm ps1 psm1 pth py pyc pyo pyw rb reg rpm run scf scr service sh so sys url vb vbe "
        "vbs wasm workflow ws wsf wsh zsh"
    ).split()
)

_ALL: Final = (
    Key("broker.url", "url", DEFAULT_BROKER,
        "Where the broker is: mqtt://, mqtts://, ws:// or wss://.",
        variables=("META_LOG_MQTT_BROKER", "MQTT_BROKER_HOST", "MQTT_BROKER_PORT")),
    Key("broker.username", "text", None,
        "User name at the broker; with a %u access list this is the peer id.",
        variables=("MQTT_USERNAME",)),
    Key("broker.password", "text", None, "Password at the broker; only from the environment.",
        secret=True, variables=("MQTT_PASSWORD",)),
    Key("broker.password_file", "path", None,
        "File of mode 0600 whose first line is the password at the broker."),
    Key("broker.ca_file", "path", None,
        "Certificates (PEM) of the authority of the broker, instead of the system's."),
    Key("broker.allow_plaintext", "boolean", False,
        "Allow an unencrypted connection to a broker on another machine."),
    Key("trust.policy", "choice", "ask",
        "Whose documents are taken: of accepted peers only (paired), of others held back until "
        "they are accepted (ask), or of every peer that announced itself (announced).",
        choices=("paired", "ask", "announced")),
    Key("merge.strategy", "choice", "auto_merge",
        "What happens where two people changed the same value at once: one value stands for all "
        "and the other is listed (auto_merge), this peer shows its own until somebody chooses "
        "(manual), or this peer settles it for all with its own value (prefer_local) or with the "
        "other one (prefer_remote).",
        choices=("auto_merge", "manual", "prefer_local", "prefer_remote")),
    Key("deletions.hold", "choice", "all",
        "Which deletions wait for a yes when they are many at once: all, also those that others "
        "made, whose files stay here until then (all), or only those of files in folders of this "
        "peer (own).",
        choices=("all", "own")),
    Key("identity.protection", "choice", "auto",
        "How the private key lies on disk: under a key file beside it (auto), under a "
        "passphrase (argon2id), with its key in the desktop's keyring, or as it is (none).",
        choices=("auto", "passphrase", "keyring", "none")),
    Key("identity.passphrase_file", "path", None,
        "File of mode 0600 whose first line is the passphrase of the identity."),
    Key("identity.name", "text", None, "Display name that other peers see, up to 64 characters.",
        high=limits.DISPLAY_NAME),
    Key("files.extensions", "list", (),
        "More endings of files to sync, beside " + " ".join(DEFAULT_EXTENSIONS) + "."),
    Key("log.level", "choice", "info", "How much is logged.",
        choices=("debug", "info", "warning", "error")),
    Key("log.format", "choice", "text", "Form of a log line.", choices=("text", "json")),
    Key("metrics.listen", "listen", None,
        "Loopback address and port on which metrics are answered over HTTP, such as "
        "127.0.0.1:9464; without it they are not."),
    Key("limits.document", "integer", limits.DOCUMENT, "Largest document, in bytes.",
        low=limits.KIB, high=limits.DOCUMENT),
    Key("limits.held_per_peer", "integer", limits.HELD_PER_PEER,
        "Bytes held back from one peer that is not accepted yet.",
        low=limits.MIB, high=16 * limits.HELD_PER_PEER),
    Key("limits.unknown_peers", "integer", limits.UNKNOWN_PEERS,
        "Peers remembered that nobody accepted yet.", low=1, high=16 * limits.UNKNOWN_PEERS),
    Key("limits.heartbeat", "number", limits.HEARTBEAT,
        "Seconds between two signs of life.", low=1, high=limits.FRESHNESS),
    Key("limits.history_revisions", "integer", limits.HISTORY_REVISIONS,
        "Old versions of one document that can be restored; of older ones stays who made them "
        "and when. Pinned versions and those that a merge needs stay in any case.",
        low=1, high=128 * limits.HISTORY_REVISIONS),
    Key("limits.history_bytes", "integer", limits.HISTORY_BYTES,
        "Bytes on disk that the old versions of one document may take.",
        low=limits.MIB, high=256 * limits.HISTORY_BYTES),
    Key("limits.hook_timeout", "number", limits.HOOK_TIMEOUT,
        "Seconds that a hook program may run; then it and what it started is ended.",
        low=1, high=120 * limits.HOOK_TIMEOUT),
    *(Key(f"hooks.{event}", "program", None,
          f"Program that a bot runs on {event}, the event as JSON on its standard input.")
      for event in HOOK_EVENTS),
)  # fmt: skip

#: name -> key
KEYS: Final[dict[str, Key]] = {key.name: key for key in _ALL}

VERIFY_REASON: Final = "config-tls-verification-off"
SECRET_REASON: Final = "config-secret-in-file"  # noqa: S105 - the name of a reason
#: Keys that other programs have and this one never will: last part -> reason.
#: The order is the order of the checks.
FORBIDDEN: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("password", "passphrase", "credential", "secret", "seed", "private_key", "token"),
        SECRET_REASON,
    ),
    **dict.fromkeys(
        ("tls_insecure", "insecure", "tls_verify", "verify", "verify_tls", "skip_verify",
         "insecure_skip_verify", "check_hostname", "tls_insecure_set"),
        VERIFY_REASON,
    ),
    **dict.fromkeys(("stun", "stun_servers", "ice", "ice_servers", "urls"),
                    "config-third-party-default"),
}  # fmt: skip
#: Flags that would put a secret where every process of the machine can read it.
SECRET_FLAGS: Final = frozenset(
    {"--passphrase", "--password", "--broker-password", "--identity-passphrase", "--secret"}
)


def find(name: str) -> Key:
    """The key of that name, or ``config-unknown-key`` with the nearest names."""
    key = KEYS.get(name)
    if key is not None:
        return key
    import difflib  # only on the way to an error, and slow to load

    near = difflib.get_close_matches(name, KEYS, n=1, cutoff=0.7)
    raise Refusal("config-unknown-key", show(name) + (f" (meant {near[0]}?)" if near else ""))


def show(name: str) -> str:
    """A name from outside as one short printable word."""
    return "".join(char if char.isprintable() else "?" for char in name)[:80]
