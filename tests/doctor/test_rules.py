# SPDX-License-Identifier: MIT
"""What findings mean, as a table of findings and the case that each is."""

from __future__ import annotations

from typing import Any

import pytest

from federation import limits
from federation.doctor import rules
from federation.doctor.cases import CASES
from federation.doctor.rules import Check, Probe
from federation.errors import REASONS, Refusal

URL = "mqtts://hub:8883"
LINK: dict[str, Any] = {"url": URL, "state": "connecting", "error": None, "embedded": False,
                        "protocol": None, "kind": None}  # fmt: skip
HOUR = 3600.0


def probe(step: str, code: int = 0) -> Check:
    return rules.broker(URL, Probe(step, "why", code))


def link(error: str | None, found: Probe | None = None, state: str = "connecting") -> Check:
    return rules.link(LINK | {"error": error, "state": state}, found)


FOUND = [
    ("", rules.version("1", None)), ("", rules.version("1", "1")),
    ("old-peer", rules.version("1", "2")),
    ("", rules.config(None, "f")),
    ("config-unreadable", rules.config(Refusal("config-bad-config"), "f")),
    ("broker-plaintext", rules.config(Refusal("config-plaintext-non-loopback"), "f")),
    ("state-open", rules.config(Refusal("config-unsafe-mode"), "f")),
    ("", rules.state(None, "d", there=True)), ("", rules.state(None, "d", there=False)),
    ("state-owner", rules.state(Refusal("config-foreign-owner"), "d", there=False)),
    ("state-open", rules.state(Refusal("config-unsafe-mode"), "d", there=False)),
    ("store-damaged", rules.state(Refusal("config-store-corrupt"), "d", there=True)),
    ("state-newer", rules.state(Refusal("config-state-newer"), "d", there=True)),
    ("state-unsafe", rules.state(Refusal("config-unsafe-sync-dir"), "d", there=False)),
    ("", rules.disk(None, writable=True)), ("", rules.disk(1024 * limits.MIB, writable=True)),
    ("disk-full", rules.disk(0, writable=False)), ("disk-full", rules.disk(0, writable=True)),
    ("disk-full", rules.disk(9, writable=True, failing="the database or disk is full")),
    ("disk-failing", rules.disk(1024 * limits.MIB, writable=True, failing="I/O error")),
    ("disk-low", rules.disk(limits.MIB, writable=True)),
    ("", rules.runtime(None, "d")),
    ("runtime-unsafe", rules.runtime(Refusal("config-foreign-owner"), "d")),
    ("runtime-unused", rules.runtime(None, "d", unused=Refusal("config-unsafe-mode", "e"))),
    ("", rules.identity(None, "peer-a")),
    ("", rules.identity(Refusal("identity-missing"), "")),
    ("identity-damaged", rules.identity(Refusal("config-identity-corrupt"), "")),
    ("identity-open", rules.identity(Refusal("config-unsafe-mode"), "")),
    ("identity-passphrase", rules.identity(Refusal("identity-wrong-passphrase"), "")),
    ("identity-locked", rules.identity(Refusal("identity-locked"), "")),
    ("identity-refused", rules.identity(Refusal("config-identity-unencrypted"), "")),
    ("identity-cloned", rules.identity(None, "peer-a", refused={"self-peer": 1})),
    ("identity-cloned", rules.identity(None, "peer-a", refused={"fork": 2})),
    ("identity-cloned", rules.identity(None, "peer-a", twins=["d"])),
    ("", rules.instance(locked=False, answers=False, who="d")),
    ("instance-hangs", rules.instance(locked=True, answers=False, who="d")),
    ("instance-other", rules.instance(locked=True, answers=True, who="d")),
    ("", probe("up")), ("broker-unreachable", probe("connect")), ("broker-name", probe("name")),
    ("broker-silent", probe("silent")), ("tls-ca-file", probe("ca-file")),
    ("tls-plain-port", probe("plain")), ("tls-wanted", probe("tls-wanted")),
    ("broker-password", probe("refused", 4)), ("broker-password", probe("refused", 5)),
    ("broker-refused", probe("refused", 3)),
    ("tls-expired", probe("tls", 10)), ("tls-name", probe("tls", 62)),
    ("tls-authority", probe("tls", 19)), ("tls-failed", probe("tls")),
    ("broker-embedded", rules.broker(URL, Probe("connect", "no"), may_host=True)),
    ("broker-password", rules.broker(URL, Probe("refused", "no", 5), may_host=True)),
    ("", link(None, state="connected")),
    ("broker-password", link("refused: Bad user name or password")),
    ("broker-password", link("refused: Not authorized")),
    ("broker-refused", link("refused: Banned")),
    ("tls-authority", link("the certificate", Probe("tls", "it", 20))),
    ("broker-connecting", link(None, Probe("up"))),
    ("broker-connecting", link("gone", Probe("refused", "x", 5))),
    ("peers-none", rules.peers([], {})), ("peers-none", rules.peers([{"online": False}], {})),
    ("", rules.peers([{"online": True}], {"replay": 9})),
    ("peers-refused", rules.peers([{"online": True}], {"bad-signature": 1})),
    ("", rules.clock({})), ("", rules.clock({"ada": 3, "ben": -200})),
    ("clock-own", rules.clock({"ada": 2 * HOUR, "ben": 2 * HOUR + 9})),
    ("clock-either", rules.clock({"ada": -2 * HOUR})),
    ("clock-peer", rules.clock({"ada": 2 * HOUR, "ben": 1})),
    ("clock-peer", rules.clock({"ada": 2 * HOUR, "ben": -HOUR})),
    ("clock-back", rules.clock({}, ahead=HOUR)), ("", rules.clock({}, ahead=-HOUR)),
]  # fmt: skip


@pytest.mark.parametrize(("case", "check"), FOUND, ids=lambda one: getattr(one, "found", one))
def test_what_is_found_is_this_case(case: str, check: Check) -> None:
    assert check.case == case
    assert bool(case) == bool(check.cause) == bool(check.cure)
    assert check.state == (CASES[case].state if case else "ok")
    assert check.found


@pytest.mark.parametrize("reason", [one for one in REASONS if one.startswith("config-")])
def test_the_cure_of_a_configuration_says_a_thing_once(reason: str) -> None:
    check = rules.config(Refusal(reason), "f")
    assert check.cure.startswith(REASONS[reason].hint)
    assert check.cure.count("--reset") <= 1
    assert check.cure.lower().count("correct") <= 1
    assert ("--reset" in check.cure) == (check.case == "config-unreadable")


def test_every_case_is_found_here() -> None:
    seen = {case for case, _check in FOUND if case}
    assert seen == {name for name, case in CASES.items() if case.check != "sidecar"}


def test_an_error_is_what_is_not_healthy() -> None:
    error, warning, well = (rules.bad("disk-full", "x"), rules.bad("disk-low", "x"),
                            rules.well("disk", "x"))  # fmt: skip
    assert rules.healthy([warning, well])
    assert not rules.healthy([well, error])
    assert error.as_data()["case"] == "disk-full"


def test_whose_clock_is_said_with_hours() -> None:
    assert "this clock is 2 h behind" in rules.clock({"a": 2 * HOUR, "b": 2 * HOUR}).found
    assert "that of ada is 2 h 5 min ahead" in rules.clock({"ada": 7500, "ben": 0}).found
    assert rules.spell(-20) == "0 min behind"


def test_refusals_are_those_of_the_table() -> None:
    tables = (rules._CONFIG, rules._STATE, rules._IDENTITY)
    for table in tables:
        assert set(table) <= set(REASONS)
        assert set(table.values()) <= set(CASES)
