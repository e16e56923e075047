# SPDX-License-Identifier: MIT
"""The broker's files: what is made is right, what is worse is found."""

from __future__ import annotations

import base64
import hashlib

import pytest

from federation.config import broker_files as files
from federation.errors import Refusal
from tests.conformance import badinputs
from tests.conformance.badinputs import Case

#: the data's name of a text -> a file name that is known
_NAMES = {"mosquitto.conf": "mosquitto.conf", "acl": "acl", "compose": "docker-compose.yml",
          "env": ".env", "passwd": "users"}  # fmt: skip
CASES = [
    case for case in badinputs.cases("config")
    if isinstance(case.row["payload"], dict) and set(case.row["payload"]) & set(_NAMES)
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_shared_bad_files_are_found(case: Case) -> None:
    ((name, text),) = case.row["payload"].items()
    assert case.reason in [one.reason for one in files.findings(_NAMES[name], text)]


def test_what_is_made_is_found_good() -> None:
    for listen in (None, "127.0.0.1"):
        text = files.configuration("/srv/a broker", 8883, listen)
        assert files.findings("mosquitto.conf", text) == []
        assert text.count("listener ") == 1
    assert files.findings("/x/acl", files.ACCESS) == []
    with pytest.raises(Refusal):
        files.configuration("/a\nallow_anonymous true", 8883, None)


@pytest.mark.parametrize(("name", "text", "reasons"), [
    ("mosquitto.conf", "listener 1 127.0.0.1\nallow_anonymous true", []),
    ("mosquitto.conf", "acl_file /a\nlistener 1 ::\ncertfile /c\nlistener 2\n",
     ["plaintext-non-loopback"]),
    ("mosquitto.conf", "listener 9001 127.0.0.1\nprotocol websockets", []),
    ("mosquitto.conf", "max_queued_bytes 0\nmax_queued_messages 9", []),
    ("mosquitto.conf", "max_queued_bytes 0", ["resource-limit"]),
    ("acl", "# nothing\n", ["acl-empty"]),
    ("acl", "topic read canvasl/#", ["acl-too-wide"]),
    ("users", "+:$7$x\npeer-a:$7$y", ["acl-wildcard-username"]),
    ("compose.yaml", '- "127.0.0.1:1:1"\n- "[::1]:1:1"\n# privileged: true\nuser: "10001:1"', []),
    ("compose.yaml", '- "0.0.0.0:1:1"\n- 1-2:3-4/udp', ["published-on-all-interfaces"] * 2),
    ("compose.yaml", "pid: host\nuser: root", ["excess-privilege"] * 2),
    ("compose.yaml", "PASSWORD: ${PASSWORD}", []),
    ("prod.env", "TOKEN='admin'\nSECRET=x9\nNAME=1", ["default-credential", "secret-in-file"]),
    ("README", "privileged: true", []),
])  # fmt: skip
def test_findings(name: str, text: str, reasons: list[str]) -> None:
    found = [one.reason.removeprefix("config-") for one in files.findings(name, text)]
    assert found == reasons


def test_a_line_of_users_is_what_mosquitto_reads() -> None:
    line = files.user_line("peer-a", "secret", b"s" * 12)
    user, _, rest = line.partition(":")
    _, kind, rounds, salt, made = rest.split("$")
    assert (user, kind, base64.b64decode(salt)) == ("peer-a", "7", b"s" * 12)
    again = hashlib.pbkdf2_hmac("sha512", b"secret", b"s" * 12, int(rounds))
    assert base64.b64decode(made) == again
    assert "secret" not in line
    assert files.users(f"{line}\n\nother:x\n") == {"peer-a": line, "other": "other:x"}


@pytest.mark.parametrize(
    ("rule", "wide"),
    [
        ("pattern read canvasl/peers/+/messages", True),
        ("pattern readwrite canvasl/peers/+/messages", True),
        ("topic canvasl/peers/+/messages", True),
        ("topic read +/+/+/messages", True),
        ("topic read canvasl/peers/+/#", True),
        ("topic write canvasl/peers/+/presence", True),
        ("topic write #", True),
        ("pattern write canvasl/peers/+/messages", False),
        ("pattern read canvasl/peers/%u/messages", False),
        ("topic deny #", False),
    ],
)
def test_rules_that_open_what_is_for_others_are_found(rule: str, wide: bool) -> None:
    found = [one.reason for one in files.findings("acl", rule)]
    assert found == (["config-acl-too-wide"] if wide else [])


def test_a_listener_is_judged_by_what_counts_for_it() -> None:
    text = """\
per_listener_settings true
listener 8883
certfile a
acl_file b
allow_anonymous true
listener 8884
certfile a
acl_file b
allow_anonymous false
"""
    assert [one.reason for one in files.findings("mosquitto.conf", text)] == [
        "config-anonymous-non-loopback"
    ]
    bare = "listener 8883\ncertfile a\nallow_anonymous false\npassword_file b\n"
    assert [one.reason for one in files.findings("mosquitto.conf", bare)] == ["config-acl-too-wide"]
    assert files.findings("mosquitto.conf", bare.replace("8883", "8883 127.0.0.1")) == []
