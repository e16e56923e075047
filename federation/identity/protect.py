# SPDX-License-Identifier: MIT
"""The identity at rest: one JSON object, its secret in a sealed box.

================  ==============================================================
``format``        ``"meta-log-peer-sync-identity"``
``version``       1
``peer_id``       the identity's id
``public_key``    ``0x`` and 64 hex digits
``protection``    ``passphrase``, ``key-file``, ``keyring`` or ``none``
``kdf``           with ``passphrase``: ``{name: "argon2id", ops, memory, salt}``,
                  memory in bytes, salt 32 hex digits
``nonce``         with a box: 48 hex digits
``box``           the seed under secretbox (XSalsa20-Poly1305), 96 hex digits
``seed``          with ``none`` only: 64 hex digits, readable by whoever has the file
================  ==============================================================

::

    secret   = argon2id(passphrase, salt, ops, memory), or the 32 bytes of the
               key file or keyring as they are
    box key  = BLAKE2b-256(key = secret, RFC 8785 form of the object without "box")

so every other field is authenticated: a file whose parameters were changed does
not open.  The parameters are checked against bounds before they are used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
import rfc8785
from nacl.bindings import (
    crypto_secretbox,
    crypto_secretbox_KEYBYTES,
    crypto_secretbox_NONCEBYTES,
    crypto_secretbox_open,
)
from nacl.exceptions import CryptoError
from nacl.exceptions import RuntimeError as SodiumError
from nacl.pwhash import argon2id

from federation import limits
from federation.errors import Refusal
from federation.identity import keys
from federation.identity.keys import SigningKey

Protection = Literal["passphrase", "key-file", "keyring", "none"]

FORMAT: Final = "meta-log-peer-sync-identity"
VERSION: Final = 1
#: Bytes of the secret in a key file or keyring, of a salt, and of a nonce.
SECRET_BYTES: Final = crypto_secretbox_KEYBYTES
SALT_BYTES: Final = argon2id.SALTBYTES
NONCE_BYTES: Final = crypto_secretbox_NONCEBYTES
#: argon2id's MODERATE: about 0.6 s and 256 MiB.
OPS: Final = argon2id.OPSLIMIT_MODERATE
MEMORY: Final = argon2id.MEMLIMIT_MODERATE

_Hex16 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Hex24 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{48}\Z")]
_Hex32 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Hex48 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{96}\Z")]


class _Kdf(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: Literal["argon2id"]
    ops: int
    memory: int
    salt: _Hex16


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    format: Literal["meta-log-peer-sync-identity"]
    version: Literal[1]
    peer_id: str
    public_key: str
    protection: Protection
    kdf: _Kdf | None = None
    nonce: _Hex24 | None = None
    box: _Hex48 | None = None
    seed: _Hex32 | None = None


#: Which of the optional fields each protection has: no other, and no fewer.
_FIELDS: Final[dict[str, frozenset[str]]] = {
    "passphrase": frozenset({"kdf", "nonce", "box"}),
    "key-file": frozenset({"nonce", "box"}),
    "keyring": frozenset({"nonce", "box"}),
    "none": frozenset({"seed"}),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """An identity whose key is at hand, and how its file protects it."""

    key: SigningKey
    protection: Protection


def check_passphrase(passphrase: bytes) -> bytes:
    """``passphrase`` if it may protect an identity; else ``Refusal``.

    ``config-passphrase-too-weak`` under 8 characters (or bytes that are not
    UTF-8), ``config-bad-value`` over 1,024 bytes.
    """
    if len(passphrase) > limits.PASSPHRASE_MAX:
        raise Refusal("config-bad-value", f"a passphrase over {limits.PASSPHRASE_MAX} bytes")
    if len(passphrase.decode("utf-8", "replace").strip()) < limits.PASSPHRASE_MIN:
        raise Refusal("config-passphrase-too-weak")
    return passphrase


def seal(
    seed: bytes,
    protection: Protection,
    *,
    secret: bytes | None,
    salt: bytes,
    nonce: bytes,
    ops: int = OPS,
    memory: int = MEMORY,
) -> bytes:
    """The bytes of an identity file.

    ``secret`` is the passphrase, or the 32 bytes of a key file or keyring, or
    None with ``none``.  ``salt`` (16 bytes) and ``nonce`` (24) are fresh random
    bytes; those that the protection does not need are ignored.  Refuses a
    passphrase as :func:`check_passphrase` does.
    """
    key = SigningKey.from_seed(seed)
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "peer_id": key.peer_id,
        "public_key": keys.to_hex(key.public_key),
        "protection": protection,
    }
    if protection == "none":
        return _written({**header, "seed": seed.hex()})
    if secret is None:
        raise ValueError(f"{protection} needs a secret")
    header["nonce"] = nonce.hex()
    if protection == "passphrase":
        check_passphrase(secret)
        header["kdf"] = {"name": "argon2id", "ops": ops, "memory": memory, "salt": salt.hex()}
        secret = _derive(secret, salt, ops, memory)
    box = crypto_secretbox(seed, nonce, _box_key(secret, header))
    return _written({**header, "box": box.hex()})


def open_identity(
    data: bytes,
    secret_for: Callable[[Protection], bytes | None],
    *,
    allow_unprotected: bool = False,
) -> Opened:
    """The identity in the bytes of a file.

    ``secret_for`` is asked once, with the file's protection, for the passphrase
    or the 32 bytes.  ``Refusal``: ``config-identity-corrupt``,
    ``config-identity-unencrypted`` (unless allowed), ``config-kdf-unknown``,
    ``config-kdf-too-strong``, ``config-state-newer``, ``identity-locked`` (no
    secret), ``config-passphrase-too-weak``, ``identity-wrong-passphrase``.
    """
    file = _decode(data, allow_unprotected=allow_unprotected)
    if file.seed is not None:
        return _opened(file, bytes.fromhex(file.seed))
    secret = secret_for(file.protection)
    if secret is None:
        raise Refusal("identity-locked", file.protection)
    if file.kdf is not None:
        check_passphrase(secret)
        secret = _derive(secret, bytes.fromhex(file.kdf.salt), file.kdf.ops, file.kdf.memory)
    header = msgspec.to_builtins(file)
    box = bytes.fromhex(header.pop("box"))
    try:
        seed = crypto_secretbox_open(box, bytes.fromhex(file.nonce or ""), _box_key(secret, header))
    except CryptoError:
        if file.protection == "passphrase":
            raise Refusal("identity-wrong-passphrase") from None
        raise Refusal(
            "config-identity-corrupt", f"its {file.protection} does not open it"
        ) from None
    return _opened(file, seed)


def peer_id_in(data: bytes) -> str:
    """The peer id that an identity file names, to find its keyring entry.

    Nothing is verified: :func:`open_identity` does that.  Refuses as it does
    for what is not a file of ours.
    """
    return _decode(data, allow_unprotected=True).peer_id


def _decode(data: bytes, *, allow_unprotected: bool) -> _File:
    """The fields of a file, all in their form and range."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refusal("config-identity-corrupt", "not JSON") from None
    if not isinstance(value, dict):
        raise Refusal("config-identity-corrupt", "not an object")
    # Judged before the form: these say more than that it is not ours.
    unprotected = "seed" in value or value.get("protection") == "none"
    if unprotected and not allow_unprotected:
        raise Refusal("config-identity-unencrypted")
    if "kdf" in value:
        _check_kdf(value["kdf"])
    version = value.get("version")
    if type(version) is int and version > VERSION:
        raise Refusal("config-state-newer", f"identity version {version}")
    try:
        file = msgspec.convert(value, _File, strict=True)
    except msgspec.ValidationError:
        raise Refusal("config-identity-corrupt", "a field is missing, wrong or unknown") from None
    present = {name for name in ("kdf", "nonce", "box", "seed") if name in value}
    if present != _FIELDS[file.protection]:
        raise Refusal("config-identity-corrupt", "the fields do not fit the protection")
    return file


def _check_kdf(kdf: object) -> None:
    """Only argon2id, neither weak nor so strong that it exhausts the machine."""
    if not isinstance(kdf, dict) or kdf.get("name") != "argon2id":
        raise Refusal("config-kdf-unknown")
    ops, memory = kdf.get("ops"), kdf.get("memory")
    if type(ops) is not int or type(memory) is not int:
        raise Refusal("config-identity-corrupt", "kdf")
    if ops > limits.ARGON2_OPS_MAX or memory > limits.ARGON2_MEMORY_MAX:
        raise Refusal("config-kdf-too-strong")
    if ops < limits.ARGON2_OPS_MIN or memory < limits.ARGON2_MEMORY_MIN:
        raise Refusal("config-kdf-unknown", "weaker than allowed")


def _opened(file: _File, seed: bytes) -> Opened:
    """The key, if it is the one that the file is about."""
    if len(seed) == keys.SEED_BYTES:
        key = SigningKey.from_seed(seed)
        if (key.peer_id, keys.to_hex(key.public_key)) == (file.peer_id, file.public_key):
            return Opened(key, file.protection)
    raise Refusal("config-identity-corrupt", "the public key is not that of the secret one")


def _derive(passphrase: bytes, salt: bytes, ops: int, memory: int) -> bytes:
    try:
        return argon2id.kdf(SECRET_BYTES, passphrase, salt, opslimit=ops, memlimit=memory)
    except (SodiumError, MemoryError):
        raise Refusal("config-kdf-too-strong", "this machine has not enough memory") from None


def _box_key(secret: bytes, header: dict[str, Any]) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise Refusal("config-identity-corrupt", f"a key file has {SECRET_BYTES} bytes")
    data = rfc8785.dumps(header)
    return hashlib.blake2b(data, key=secret, digest_size=crypto_secretbox_KEYBYTES).digest()


def _written(value: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
