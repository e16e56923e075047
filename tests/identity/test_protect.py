# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.identity import protect
from federation.identity.keys import SigningKey

SEED = bytes(range(32))
KEY = bytes(range(100, 132))
SALT, NONCE = b"s" * 16, b"n" * 24
PASSPHRASE = "correct horse Ω".encode()
#: The least that is accepted: the tests are not about argon2's strength.
CHEAP = {"ops": limits.ARGON2_OPS_MIN, "memory": limits.ARGON2_MEMORY_MIN}


def seal(protection: protect.Protection, secret: bytes | None) -> bytes:
    return protect.seal(SEED, protection, secret=secret, salt=SALT, nonce=NONCE, **CHEAP)


KEY_FILE = seal("key-file", KEY)
NONE = seal("none", None)


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal("passphrase", PASSPHRASE)


def reason(data: bytes, secret: bytes | None = KEY, *, allow_unprotected: bool = False) -> str:
    with pytest.raises(Refusal) as caught:
        protect.open_identity(data, lambda _: secret, allow_unprotected=allow_unprotected)
    assert SEED.hex() not in str(caught.value)
    return caught.value.reason


def changed(data: bytes, **changes: Any) -> bytes:
    value = json.loads(data)
    value |= changes
    return json.dumps({name: item for name, item in value.items() if item is not None}).encode()


@pytest.mark.parametrize("protection", ["key-file", "keyring"])
def test_a_key_opens_what_it_sealed(protection: protect.Protection) -> None:
    asked: list[str] = []

    def secret_for(kind: protect.Protection) -> bytes:
        asked.append(kind)
        return KEY

    data = seal(protection, KEY)
    opened = protect.open_identity(data, secret_for)
    assert (opened.key.seed(), opened.protection) == (SEED, protection)
    assert asked == [protection]
    assert SEED.hex().encode() not in data
    assert protect.peer_id_in(data) == opened.key.peer_id


def test_a_passphrase_opens_what_it_sealed(sealed: bytes) -> None:
    opened = protect.open_identity(sealed, lambda _: PASSPHRASE)
    assert (opened.key.seed(), opened.protection) == (SEED, "passphrase")
    assert reason(sealed, PASSPHRASE + b"x") == "identity-wrong-passphrase"
    assert reason(sealed, None) == "identity-locked"
    assert reason(sealed, b"") == "config-passphrase-too-weak"
    assert reason(sealed, b"x" * 2000) == "config-bad-value"


def test_the_parameters_are_under_the_seal(sealed: bytes) -> None:
    kdf = json.loads(sealed)["kdf"]
    for other in ({"ops": kdf["ops"] + 1}, {"memory": kdf["memory"] + 1024}, {"salt": "00" * 16}):
        assert reason(changed(sealed, kdf=kdf | other), PASSPHRASE) == "identity-wrong-passphrase"


def test_other_fields_are_under_the_seal() -> None:
    other = json.loads(protect.seal(KEY, "key-file", secret=KEY, salt=SALT, nonce=NONCE))
    assert reason(changed(KEY_FILE, protection="keyring")) == "config-identity-corrupt"
    for name in ("peer_id", "public_key", "nonce", "box"):
        if other[name] != json.loads(KEY_FILE)[name]:
            assert reason(changed(KEY_FILE, **{name: other[name]})) == "config-identity-corrupt"


def test_moderate_is_the_default() -> None:
    data = protect.seal(SEED, "passphrase", secret=PASSPHRASE, salt=SALT, nonce=NONCE)
    kdf = json.loads(data)["kdf"]
    assert (kdf["name"], kdf["ops"], kdf["memory"]) == ("argon2id", 3, 256 * limits.MIB)


@pytest.mark.parametrize(
    ("kdf", "expected"),
    [
        ("md5", "config-kdf-unknown"),
        ({"name": "md5"}, "config-kdf-unknown"),
        ({"name": "pbkdf2", "iter": 100_000}, "config-kdf-unknown"),
        ({"name": "argon2i", "ops": 3, "memory": 2**28, "salt": "00" * 16}, "config-kdf-unknown"),
        ({"name": "argon2id", "ops": 1000, "memory": 2**28}, "config-kdf-too-strong"),
        ({"name": "argon2id", "ops": 3, "memory": 2**46}, "config-kdf-too-strong"),
        ({"name": "argon2id", "ops": 1, "memory": 2**28}, "config-kdf-unknown"),
        ({"name": "argon2id", "ops": 3, "memory": 8192}, "config-kdf-unknown"),
        ({"name": "argon2id", "ops": -3, "memory": 2**28}, "config-kdf-unknown"),
        ({"name": "argon2id", "ops": True, "memory": 2**28}, "config-identity-corrupt"),
        ({"name": "argon2id", "memory": 2**28}, "config-identity-corrupt"),
        ({"name": "argon2id", "ops": 3, "memory": 2**28}, "config-identity-corrupt"),
        ({"name": "argon2id", "ops": 3, "memory": 2**28, "salt": "00" * 16, "p": 1},
         "config-identity-corrupt"),
    ],
)  # fmt: skip
def test_derivations(sealed: bytes, kdf: object, expected: str) -> None:
    assert reason(changed(sealed, kdf=kdf), PASSPHRASE) == expected


def test_unprotected_only_where_that_is_accepted() -> None:
    assert reason(NONE) == "config-identity-unencrypted"
    opened = protect.open_identity(NONE, lambda _: None, allow_unprotected=True)
    assert (opened.key.seed(), opened.protection) == (SEED, "none")
    for plain in (b'{"seed":"00"}', b'{"seed":"' + b"00" * 32 + b'"}'):
        assert reason(plain) == "config-identity-unencrypted"
        assert reason(plain, allow_unprotected=True) == "config-identity-corrupt"


def test_the_public_key_is_that_of_the_seed() -> None:
    other = SigningKey.from_seed(KEY)
    for change in ({"public_key": "0x" + other.public_key.hex()}, {"peer_id": other.peer_id}):
        assert reason(changed(NONE, **change), allow_unprotected=True) == "config-identity-corrupt"


@pytest.mark.parametrize("secret", [bytes(31), bytes(33), b"", bytes(32)])
def test_another_key_is_damage(secret: bytes) -> None:
    assert reason(KEY_FILE, secret) == "config-identity-corrupt"


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, KEY_FILE[:-20],
     KEY_FILE + b"x", changed(KEY_FILE, extra=1), changed(KEY_FILE, format="x"),
     changed(KEY_FILE, version=0), changed(KEY_FILE, version=True), changed(KEY_FILE, box=None),
     changed(KEY_FILE, nonce=None), changed(KEY_FILE, box="zz"), changed(KEY_FILE, nonce="00"),
     changed(KEY_FILE, protection="other"), changed(KEY_FILE, protection="passphrase"),
     changed(KEY_FILE, peer_id=1), changed(KEY_FILE, box=json.loads(KEY_FILE)["box"].upper())],
)  # fmt: skip
def test_damage(data: bytes) -> None:
    assert reason(data) == "config-identity-corrupt"


def test_a_later_version() -> None:
    assert reason(changed(KEY_FILE, version=2, more=1)) == "config-state-newer"


@given(st.integers(0, len(KEY_FILE) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_no_changed_byte_opens_as_another_identity(at: int, by: int) -> None:
    data = bytearray(KEY_FILE)
    data[at] ^= by
    try:
        opened = protect.open_identity(bytes(data), lambda _: KEY)
    except Refusal:
        return
    # What is left is the spelling of the JSON.
    assert json.loads(data) == json.loads(KEY_FILE)
    assert opened.key.seed() == SEED


@pytest.mark.parametrize("passphrase", [b"", b"1234567", b" " * 20, "ééééééé".encode()])
def test_weak_passphrases(passphrase: bytes) -> None:
    with pytest.raises(Refusal, match="config-passphrase-too-weak"):
        seal("passphrase", passphrase)


def test_a_secret_is_needed() -> None:
    with pytest.raises(ValueError, match="secret"):
        seal("key-file", None)
