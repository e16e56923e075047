# SPDX-License-Identifier: MIT
"""The files of a mosquitto that lets a peer do only what is its own: made, and looked through.

The broker's user name is the peer's id (contract), so ``%u`` in the access list
is the peer.  Nothing is read or written here: texts come in and go out.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from federation import limits
from federation.errors import Refusal

#: What every peer may do.  Whoever is written to may be anybody; who reads is only oneself.
ACCESS: Final = """\
pattern readwrite canvasl/peers/announce
pattern readwrite canvasl/sync
pattern readwrite canvasl/live/+
pattern read canvasl/peers/+/presence
pattern write canvasl/peers/%u/presence
pattern read canvasl/peers/%u/messages
pattern write canvasl/peers/+/messages
"""
#: The broker's own names for its files, in one folder.
CONFIG, ACL, USERS = "mosquitto.conf", "acl", "users"
CERTIFICATE, KEY, AUTHORITY, DATA = "server.crt", "server.key", "ca.crt", "data"
#: PBKDF2 as mosquitto_passwd has it.  Our passwords are 192 random bits: no guess needs slowing.
_ROUNDS: Final = 101
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_ACCESSES: Final = frozenset({"read", "write", "readwrite", "deny"})
#: Passwords that are in every list of passwords.
_COMMON: Final = frozenset(
    "password passwd admin mosquitto mqtt guest secret changeme test 1234 12345 123456".split()
)


def configuration(folder: str, port: int, listen: str | None) -> str:
    """The text of ``mosquitto.conf``: one listener, with TLS; ``folder`` has the other files.

    ``listen`` is an address to listen on, None for all of them.  Refuses
    ``config-bad-value`` for a folder whose name cannot stand there.
    """
    if any(ord(char) < 32 for char in folder):
        raise Refusal("config-bad-value", "the folder's name has control characters")
    # The user name as client id: nobody takes over another one's session, and what waits in it.
    return f"""\
listener {port}{f" {listen}" if listen else ""}
certfile {folder}/{CERTIFICATE}
keyfile {folder}/{KEY}
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/{USERS}
acl_file {folder}/{ACL}
use_username_as_clientid true
set_tcp_nodelay true
max_connections 1024
max_inflight_messages 100
max_queued_messages 10000
max_queued_bytes 67108864
max_packet_size {2 * limits.WIRE_MESSAGE}
persistent_client_expiration 14d
persistence true
persistence_location {folder}/{DATA}/
log_dest stderr
"""


def user_line(user: str, password: str, salt: bytes) -> str:
    """A line of the password file, as ``mosquitto_passwd`` writes it; ``salt``: 12 bytes."""
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    parts = (base64.b64encode(one).decode() for one in (salt, made))
    return f"{user}:$7${_ROUNDS}${'$'.join(parts)}"


def users(text: str) -> dict[str, str]:
    """User -> its line, of a password file."""
    lines = (line for line in text.splitlines() if line.strip())
    return {line.partition(":")[0]: line for line in lines}


def findings(name: str, text: str) -> list[Refusal]:
    """What is worse than it should be in a file of a broker's set-up, by the file's name.

    Known are ``mosquitto.conf``, ``acl``, ``users``, Compose files and ``.env`` files; in
    others nothing is found.
    """
    base = name.rpartition("/")[2]
    if base.endswith(".conf"):
        return list(_of_configuration(text))
    if base.endswith("acl"):
        return list(_of_access(text))
    if base.endswith((".yml", ".yaml")):
        return list(_of_compose(text))
    if base == USERS:
        wild = [one for one in users(text) if set(one) & set("+#/")]
        return [Refusal("config-acl-wildcard-username", one) for one in wild]
    return list(_of_environment(text)) if base.endswith(".env") else []


def _of_configuration(text: str) -> Iterator[Refusal]:
    settings: dict[str, str] = {}
    listeners: list[dict[str, str]] = []
    for line in text.splitlines():
        word, _, value = line.strip().partition(" ")
        if word == "listener":
            port, _, address = value.strip().partition(" ")
            listeners.append({"port": port, "address": address.strip()})
        elif word and not word.startswith("#"):
            settings[word] = value.strip()
            if listeners:
                listeners[-1][word] = value.strip()
    each = settings.get("per_listener_settings") == "true"
    for one in listeners:
        # what is set behind a listener is the broker's, unless each has its own
        own = one if each else settings
        found = list(_of_listener(one, anonymous=own.get("allow_anonymous") == "true"))
        yield from found
        guarded = any(word in own for word in ("acl_file", "plugin", "auth_plugin"))
        if one["address"] not in _LOOPBACK and not guarded and not found:
            yield Refusal("config-acl-too-wide", f"listener {one['port']} has no acl_file")
    for word in ("max_queued_messages", "max_queued_bytes"):
        if settings.get(word) == "0" and not (
            word == "max_queued_bytes" and settings.get("max_queued_messages", "0") != "0"
        ):
            yield Refusal("config-resource-limit", f"{word} 0")


def _of_listener(one: Mapping[str, str], *, anonymous: bool) -> Iterator[Refusal]:
    where = f"listener {one['port']}"
    if one.get("protocol") == "websockets" and one["address"] not in _LOOPBACK:
        yield Refusal("config-websocket-origin", where)
    if one["address"] in _LOOPBACK or one["port"] == "0":
        return
    if anonymous:
        yield Refusal("config-anonymous-non-loopback", where)
    elif "certfile" not in one:
        yield Refusal("config-plaintext-non-loopback", where)


def _of_access(text: str) -> Iterator[Refusal]:
    lines = [line.strip() for line in text.splitlines()]
    rules = [line for line in lines if line.startswith(("pattern ", "topic "))]
    if not rules:
        yield Refusal("config-acl-empty")
    for rule in rules:
        topic = rule.split()[-1]
        if "%c" in topic:
            yield Refusal("config-acl-client-id-not-authenticated", rule)
        elif _opens_inboxes(rule):
            yield Refusal("config-acl-too-wide", rule)


def _opens_inboxes(rule: str) -> bool:
    """Whether a rule lets its reader read what is for others, or write their presence."""
    words = rule.split()
    access = words[1] if len(words) > 2 and words[1] in _ACCESSES else "readwrite"
    if access == "deny":
        return False
    topic = words[-1]
    read = access != "write" and _matches(topic, "canvasl/peers/another/messages")
    return read or (access != "read" and _matches(topic, "canvasl/peers/another/presence"))


def _matches(pattern: str, topic: str) -> bool:
    """Whether a topic filter has a topic."""
    levels, parts = pattern.split("/"), topic.split("/")
    for number, level in enumerate(levels):
        if level == "#":
            return True
        if number >= len(parts) or level not in ("+", parts[number]):
            return False
    return len(levels) == len(parts)


def _of_compose(text: str) -> Iterator[Refusal]:
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            continue
        plain = line.replace('"', "").replace("'", "").removeprefix("- ").strip()
        port = re.fullmatch(r"(?:([\w.\[\]:]+):)?\d+(?:-\d+)?:\d+(?:-\d+)?(?:/\w+)?", plain)
        if port and (port[1] or "").strip("[]") not in _LOOPBACK:
            yield Refusal("config-published-on-all-interfaces", plain)
        if (
            re.match(r"(privileged: *true|(network_mode|pid|ipc|userns_mode): *host)", plain)
            or re.match(r"user: *(0|root)\b", plain)
            or "docker.sock" in plain
        ):
            yield Refusal("config-excess-privilege", plain)
        if re.match(r"\w*(PASSWORD|PASSPHRASE|SECRET|TOKEN)\w* *[:=] *[^\s$]", plain):
            yield Refusal("config-secret-in-file", re.split("[:=]", plain)[0])


def _of_environment(text: str) -> Iterator[Refusal]:
    for line in text.splitlines():
        name, found, value = line.strip().partition("=")
        if found and re.search("PASSWORD|PASSPHRASE|SECRET|TOKEN", name):
            common = value.strip("'\" ").lower() in _COMMON
            yield Refusal(
                "config-default-credential" if common else "config-secret-in-file", name.strip()
            )
