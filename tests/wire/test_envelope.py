# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.identity import keys
from federation.wire import envelope
from federation.wire.canonical import encode
from federation.wire.messages import parse

ALICE = keys.SigningKey.from_seed(bytes(range(32)))
MALLORY = keys.SigningKey.from_seed(bytes(range(1, 33)))
MESSAGE: dict[str, object] = {
    "type": "canvasl-sync",
    "peer_id": ALICE.peer_id,
    "file": "a.canvasl",
    "content": "é\n",
    "timestamp": "2025-01-07T12:00:00Z",
}


def reason(message: dict[str, object], key: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        envelope.verify(message, key)
    return caught.value.reason


def test_the_signing_input_is_the_contracts() -> None:
    assert envelope.signing_input("x", {"b": 1, "a": "é", "signature": "s"}) == (
        b'x/v1\0{"a":"\xc3\xa9","b":1}'
    )


def test_signed_messages_verify_and_are_not_changed() -> None:
    before = dict(MESSAGE)
    signed = envelope.sign(MESSAGE, ALICE)
    assert before == MESSAGE
    envelope.verify(signed, ALICE.public_key)
    assert envelope.sign(signed, ALICE) == signed
    data = envelope.signing_input("canvasl-sync", MESSAGE)
    assert signed["signature"] == "0x" + ALICE.sign(data).hex()


def test_a_parsed_message_gives_the_same_ids() -> None:
    signed = envelope.sign(MESSAGE, ALICE)
    message = parse(encode(signed), "canvasl/sync")
    envelope.verify(message, ALICE.public_key)
    assert envelope.revision_id(message) == envelope.revision_id(signed)
    data = envelope.signing_input("canvasl-sync", MESSAGE)
    expected = hashlib.sha256(b"canvasl-revision/v1\0" + data).hexdigest()
    assert envelope.revision_id(signed) == expected
    assert message.signing_input is message.signing_input


@given(st.sampled_from(sorted(MESSAGE)), st.text())
def test_any_changed_field_breaks_the_signature(name: str, text: str) -> None:
    signed = envelope.sign(MESSAGE, ALICE)
    if signed[name] != text:
        assert reason({**signed, name: text}, ALICE.public_key) == "bad-signature"


def test_an_added_or_missing_field_breaks_the_signature() -> None:
    signed = envelope.sign(MESSAGE, ALICE)
    assert reason({**signed, "x-a": 1}, ALICE.public_key) == "bad-signature"
    del signed["file"]
    assert reason(signed, ALICE.public_key) == "bad-signature"


def test_a_signature_of_another_type_or_key_is_worth_nothing() -> None:
    signed = envelope.sign(MESSAGE, ALICE)
    assert reason({**signed, "type": "canvasl-binary"}, ALICE.public_key) == "bad-signature"
    assert reason(signed, MALLORY.public_key) == "bad-signature"
    assert reason(envelope.sign(MESSAGE, MALLORY), ALICE.public_key) == "bad-signature"


@pytest.mark.parametrize("signature", [None, 1, "", "0x", "0x" + "A" * 128, "0x" + "0" * 126])
def test_signatures_in_another_encoding(signature: object) -> None:
    message = {**MESSAGE, "signature": signature}
    assert reason(message, ALICE.public_key) == "bad-signature-encoding"


def test_the_revision_does_not_depend_on_spelling_or_signature() -> None:
    signed = envelope.sign(MESSAGE, ALICE)
    turned = dict(reversed(list(signed.items())))
    assert envelope.revision_id(turned) == envelope.revision_id(signed)
    assert envelope.revision_id(MESSAGE) == envelope.revision_id(signed)
    assert envelope.revision_id({**MESSAGE, "x-a": 1}) != envelope.revision_id(MESSAGE)


def test_digest() -> None:
    assert envelope.digest(b"abc").startswith("ba7816bf8f01cfea")
