# SPDX-License-Identifier: MIT
"""Published vectors: Ed25519, RFC 8785 and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from federation.identity import keys
from federation.wire.canonical import canonical
from federation.wire.strictjson import decode
from tests.conformance import badinputs


@pytest.fixture(scope="session")
def vectors(shared: Path) -> Path:
    return shared / "data" / "vectors"


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def accepts(key: bytes, data: bytes, signature: bytes) -> bool:
    """What a peer does: the key is admitted first, and verifies then."""
    try:
        keys.admit(key)
    except Refusal:
        return False
    return keys.verify(key, data, signature)


def test_wycheproof_ed25519(vectors: Path) -> None:
    verdicts = [
        (test["tcId"], test["result"] == "valid",
         keys.verify(*(bytes.fromhex(text) for text in
                       (group["publicKey"]["pk"], test["msg"], test["sig"]))))
        for group in load(vectors / "wycheproof/ed25519_test.json")["testGroups"]
        for test in group["tests"]
    ]  # fmt: skip
    assert len(verdicts) == 151
    assert [number for number, valid, got in verdicts if valid != got] == []


def test_wycheproof_keys_are_admitted(vectors: Path) -> None:
    for group in load(vectors / "wycheproof/ed25519_test.json")["testGroups"]:
        keys.admit(bytes.fromhex(group["publicKey"]["pk"]))


def test_cctv_accepts_exactly_one(vectors: Path) -> None:
    tests = load(vectors / "cctv-ed25519/ed25519vectors.json")
    assert len(tests) == 914
    accepted = [
        test["number"] for test in tests
        if accepts(bytes.fromhex(test["key"]), test["msg"].encode(), bytes.fromhex(test["sig"]))
    ]  # fmt: skip
    assert accepted == [305]


def test_speccheck_accepts_none(vectors: Path) -> None:
    tests = load(vectors / "speccheck/cases.json")
    assert len(tests) == 12
    assert not any(
        accepts(*(bytes.fromhex(test[name]) for name in ("pub_key", "message", "signature")))
        for test in tests
    )


def test_rfc8032(vectors: Path) -> None:
    tests = load(vectors / "rfc8032/ed25519_section7_1.json")
    assert len(tests) == 5
    for test in tests:
        key = keys.SigningKey.from_seed(bytes.fromhex(test["secret_key"]))
        data, signature = bytes.fromhex(test["message"]), bytes.fromhex(test["signature"])
        assert key.public_key.hex() == test["public_key"]
        assert key.sign(data) == signature
        assert accepts(key.public_key, data, signature)


def test_rfc8785(vectors: Path) -> None:
    inputs = sorted((vectors / "rfc8785/testdata/input").iterdir())
    assert len(inputs) == 6
    for path in inputs:
        # The standard library reads them: one has numbers beyond I-JSON's.
        expected = (vectors / "rfc8785/testdata/output" / path.name).read_bytes()
        assert canonical(json.loads(path.read_bytes())) == expected, path.name


def _verdict(data: bytes) -> str:
    try:
        decode(data)
    except Refusal as refusal:
        return refusal.reason
    return "accepted"


def test_json_suite_refuses_what_is_not_json(vectors: Path) -> None:
    files = sorted((vectors / "jsontestsuite/test_parsing").glob("n_*"))
    assert len(files) == 188
    assert [path.name for path in files if _verdict(path.read_bytes()) == "accepted"] == []


def test_json_suite_accepts_what_is(vectors: Path) -> None:
    files = sorted((vectors / "jsontestsuite/test_parsing").glob("y_*"))
    assert len(files) == 95
    refused = {path.name: _verdict(path.read_bytes()) for path in files}
    assert {name: reason for name, reason in refused.items() if reason != "accepted"} == {
        # JSON, but no I-JSON (RFC 7493, 2.3).
        "y_object_duplicated_key.json": "duplicate-key",
        "y_object_duplicated_key_and_value.json": "duplicate-key",
    }


def test_json_suite_either_way_is_never_a_crash(vectors: Path) -> None:
    files = sorted((vectors / "jsontestsuite/test_parsing").glob("i_*"))
    assert len(files) == 35
    kept = [path.name for path in files if _verdict(path.read_bytes()) == "accepted"]
    assert kept == ["i_number_double_huge_neg_exp.json", "i_number_real_underflow.json"]


def test_identities_of_the_data(shared: Path) -> None:
    rows = load(shared / "data/badinputs/identities.json")["identities"]
    for name, key in badinputs.identities().items():
        assert key.peer_id == rows[name]["peer_id"]
        assert keys.to_hex(key.public_key) == rows[name]["public_key"]
