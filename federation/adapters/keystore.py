# SPDX-License-Identifier: MIT
"""The files of the identity: made once, never replaced, read only if they are ours alone.

In the state directory, which ``adapters/runtime`` makes private:
``identity.json`` (``identity/protect.py`` draws it) and, with the protection
``key-file``, ``identity.key`` with 32 random bytes; both 0600.  Any other
identity file ``NAME.json`` has its ``NAME.key``.

A new file is written under another name, synced, and linked to its own: it is
there whole or not at all, and one that was there stays.  The key file comes
first, so a crash between the two leaves a key without an identity, which the
next start takes.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, Protocol, cast

from federation import limits
from federation.errors import Refusal, io_refusal
from federation.identity import protect
from federation.identity.keys import SEED_BYTES, SigningKey
from federation.identity.protect import Opened, Protection

FILE: Final = "identity.json"
KEY_SUFFIX: Final = ".key"
KEYRING_SERVICE: Final = "meta-log-peer-sync"

Wanted = Literal["auto", "passphrase", "none", "keyring"]
Random = Callable[[int], bytes]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
#: A file system without hard links.
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class Keyring(Protocol):
    """What we need of a keyring: the interface of the ``keyring`` package."""

    def get_password(self, service: str, username: str) -> str | None:
        """The entry, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Make or replace the entry."""


@contextlib.contextmanager
def _ring(given: Keyring | None) -> Iterator[Keyring]:
    """The keyring given, or the desktop's by the package ``keyring``; errors as refusals."""
    if given is not None:
        yield given
        return
    try:
        desktop = importlib.import_module("keyring")
        failed = importlib.import_module("keyring.errors").KeyringError
    except ImportError:
        raise Refusal("missing-program", "the Python package keyring") from None
    try:
        yield cast("Keyring", desktop)
    except failed as error:
        raise Refusal("identity-locked", f"keyring: {type(error).__name__}") from error


# --- the identity of a state directory ---------------------------------------


def load_or_create(
    state_dir: Path,
    *,
    protection: Wanted,
    passphrase: bytes | None,
    random: Random,
    keyring: Keyring | None = None,
) -> Opened:
    """The identity of ``state_dir``, a private folder that is there; on the first start it is made.

    ``auto`` makes a key file, or opens what is there.  ``passphrase`` or
    ``keyring`` on an identity protected otherwise protects it so from now on.
    ``none`` makes an unprotected one, or opens what is there; without it an
    unprotected file is refused.  ``random(n)`` gives n secret random bytes.
    Refuses as :func:`load_file` and ``protect`` do.
    """
    path = state_dir / FILE
    if not os.path.lexists(path):
        return _create(path, random(SEED_BYTES), protection, passphrase, random, keyring)
    # Not with ``auto``: nobody said then that an unprotected one is all right.
    allowed = protection != "auto"
    opened = load_file(path, passphrase, allow_unprotected=allowed, keyring=keyring)
    if protection in ("passphrase", "keyring") and protection != opened.protection:
        return _protect_anew(path, opened, protection, passphrase, random, keyring)
    return opened


def load_file(
    path: Path,
    passphrase: bytes | None,
    *,
    allow_unprotected: bool = False,
    keyring: Keyring | None = None,
) -> Opened:
    """The identity in the file ``path``.

    ``Refusal``: ``identity-missing``, ``path-symlink-escape``,
    ``path-not-regular``, ``config-foreign-owner``, ``config-unsafe-mode``,
    ``config-identity-corrupt``, and those of ``protect.open_identity``.
    """
    data = _read(path, limits.IDENTITY_FILE)
    if data is None:
        raise Refusal("identity-missing", str(path))
    return _open(data, path, passphrase, keyring, allow_unprotected=allow_unprotected)


def create_file(path: Path, passphrase: bytes | None, random: Random) -> Opened:
    """A new identity in a new file, under the passphrase or a key file beside it.

    ``Refusal("identity-exists")`` if there is such a file, of either.
    """
    _check_absent(path)
    if passphrase is None:
        _check_absent(_key_path(path))
    with _io(path):
        path.parent.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    wanted: Wanted = "auto" if passphrase is None else "passphrase"
    return _create(path, random(SEED_BYTES), wanted, passphrase, random, None)


def export_backup(opened: Opened, path: Path, passphrase: bytes, random: Random) -> None:
    """Write the identity to a new file that the passphrase alone opens, on any machine.

    ``Refusal``: ``identity-exists``, ``config-passphrase-too-weak``, ``path-io-error``.
    """
    protect.check_passphrase(passphrase)
    _check_absent(path)
    _write_new(path, _seal(opened.key.seed(), "passphrase", passphrase, random), random)


def import_backup(
    path: Path,
    passphrase: bytes,
    state_dir: Path,
    *,
    random: Random,
    protection: Wanted = "auto",
    new_passphrase: bytes | None = None,
    keyring: Keyring | None = None,
) -> Opened:
    """Make the identity of a backup that of ``state_dir``, which has none.

    The backup may be readable by others (it is encrypted).  ``protection`` and
    ``new_passphrase`` are those of the state directory from now on.
    ``Refusal``: ``identity-exists``, ``identity-missing``,
    ``identity-wrong-passphrase``, and those of :func:`load_or_create`.
    """
    _check_absent(state_dir / FILE)
    data = _read(path, limits.IDENTITY_FILE, private=False)
    if data is None:
        raise Refusal("identity-missing", str(path))
    seed = _open(data, path, passphrase, keyring, allow_unprotected=False).key.seed()
    return _create(state_dir / FILE, seed, protection, new_passphrase, random, keyring)


def _create(
    path: Path,
    seed: bytes,
    wanted: Wanted,
    passphrase: bytes | None,
    random: Random,
    keyring: Keyring | None,
) -> Opened:
    protection: Protection = "key-file" if wanted == "auto" else wanted
    data = _new_data(path, seed, protection, passphrase, random, keyring)
    _write_new(path, data, random)
    # What was written is what the next start reads: no surprise then.
    return load_file(path, passphrase, allow_unprotected=wanted == "none", keyring=keyring)


def _new_data(
    path: Path,
    seed: bytes,
    protection: Protection,
    passphrase: bytes | None,
    random: Random,
    keyring: Keyring | None,
) -> bytes:
    """The bytes of an identity file; its key file or keyring entry is made before."""
    secret: bytes | None = None
    if protection == "passphrase":
        if passphrase is None:
            raise Refusal("identity-locked", "a passphrase is wanted and none is given")
        secret = passphrase
    elif protection == "key-file":
        secret = _read(_key_path(path), protect.SECRET_BYTES)
        if secret is None:
            secret = random(protect.SECRET_BYTES)
            _write_new(_key_path(path), secret, random)
    elif protection == "keyring":
        secret = random(protect.SECRET_BYTES)
        peer_id = SigningKey.from_seed(seed).peer_id
        with _ring(keyring) as ring:
            ring.set_password(KEYRING_SERVICE, peer_id, secret.hex())
    return _seal(seed, protection, secret, random)


def _seal(seed: bytes, protection: Protection, secret: bytes | None, random: Random) -> bytes:
    salt, nonce = random(protect.SALT_BYTES), random(protect.NONCE_BYTES)
    return protect.seal(seed, protection, secret=secret, salt=salt, nonce=nonce)


def _open(
    data: bytes,
    path: Path,
    passphrase: bytes | None,
    keyring: Keyring | None,
    *,
    allow_unprotected: bool,
) -> Opened:
    def secret_for(protection: Protection) -> bytes | None:
        if protection == "passphrase":
            return passphrase
        if protection == "keyring":
            with _ring(keyring) as ring:
                entry = ring.get_password(KEYRING_SERVICE, protect.peer_id_in(data))
            return None if entry is None else _from_hex(entry)
        secret = _read(_key_path(path), protect.SECRET_BYTES)
        if secret is None:
            raise Refusal("config-identity-corrupt", f"{_key_path(path)} is missing")
        return secret

    return protect.open_identity(data, secret_for, allow_unprotected=allow_unprotected)


def _from_hex(entry: str) -> bytes:
    try:
        return bytes.fromhex(entry)
    except ValueError:
        raise Refusal("config-identity-corrupt", "the keyring's entry") from None


def _protect_anew(
    path: Path,
    opened: Opened,
    protection: Protection,
    passphrase: bytes | None,
    random: Random,
    keyring: Keyring | None,
) -> Opened:
    """The same identity under another protection: old or new at every instant."""
    data = _new_data(path, opened.key.seed(), protection, passphrase, random, keyring)
    with _io(path):
        temporary = _write_temporary(path, data, random)
        temporary.replace(path)
        _sync_directory(path.parent)
        _key_path(path).unlink(missing_ok=True)
    return Opened(opened.key, protection)


# --- files -------------------------------------------------------------------------


@contextlib.contextmanager
def _io(path: Path) -> Iterator[None]:
    """Errors of the system as refusals."""
    try:
        yield
    except OSError as error:
        raise io_refusal(error, path) from error


def _key_path(path: Path) -> Path:
    name = path.stem if path.suffix not in ("", KEY_SUFFIX) else path.name
    return path.with_name(name + KEY_SUFFIX)


def _check_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise Refusal("identity-exists", str(path))


def _read(path: Path, limit: int, *, private: bool = True) -> bytes | None:
    """The bytes of a small file of our own, or None where there is none."""
    # Not blocking: opening a FIFO would otherwise wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _io(path):
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Refusal("path-symlink-escape", str(path)) from None
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Refusal("path-not-regular", str(path))
            if private and status.st_uid != os.geteuid():
                raise Refusal("config-foreign-owner", str(path))
            if private and status.st_mode & _OTHERS:
                raise Refusal("config-unsafe-mode", str(path))
            data = b""
            while len(data) <= limit and (chunk := os.read(descriptor, limit + 1 - len(data))):
                data += chunk
        finally:
            os.close(descriptor)
    if len(data) > limit:
        raise Refusal("config-identity-corrupt", f"{path} is over {limit} bytes")
    return data


def _write_temporary(path: Path, data: bytes, random: Random) -> Path:
    temporary = path.with_name(f".{path.name}.{random(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as stream:
        try:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _write_new(path: Path, data: bytes, random: Random) -> None:
    """Write a file of mode 0600, whole and durable, where there is none."""
    with _io(path):
        temporary = _write_temporary(path, data, random)
        try:
            _put_in_place(temporary, path)
        except FileExistsError:
            raise Refusal("identity-exists", str(path)) from None
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)


def _put_in_place(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # One peer runs on a state directory: nobody comes in between.
        _check_absent(path)
        temporary.rename(path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
