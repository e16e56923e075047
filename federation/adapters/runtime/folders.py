# SPDX-License-Identifier: MIT
"""The folders of a peer, and small private files in them: whose they are, and what they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import platformdirs

from federation import limits
from federation.errors import Refusal, io_refusal

APP: Final = "meta-log-peer-sync"
LOCK_NAME: Final = "lock"
SOCKET_NAME: Final = "control.sock"
CONFIG_NAME: Final = "config.toml"
LOG_NAME: Final = "peer.log"
#: Names that show a folder to be a state directory (of ours, or of Emacs's package).
_OURS: Final = (LOCK_NAME, CONFIG_NAME, "synced", "federation-blackboard.org")
#: Folders of the system: nothing directly in them, and nothing below the second kind.
_SYSTEM: Final = frozenset(
    Path("/", name)
    for name in ("", "boot", "dev", "dev/shm", "home", "media", "mnt", "opt", "root", "run",
                 "srv", "tmp", "var", "var/lib", "var/tmp")
)  # fmt: skip
_SYSTEM_TREES: Final = tuple(
    Path(name) for name in ("/bin", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
)
#: Folders of the home directory that hold other things.
_HOME_FOLDERS: Final = (
    ".cache", ".config", ".config/emacs", ".emacs.d", ".gnupg", ".local", ".local/bin",
    ".local/share", ".local/state", ".ssh", "Desktop", "Documents", "Downloads",
)  # fmt: skip
#: Largest file of ours that is read whole here.
_SMALL_FILE: Final = 256 * limits.KIB


def absolute(path: str, environ: Mapping[str, str]) -> Path:
    """``path`` made absolute, with ``~`` as the home directory of ``environ``."""
    home = _home(environ)
    if path == "~" or path.startswith("~/"):
        return home if path == "~" else home / path[2:]
    return Path(os.path.abspath(path))


def check_state_dir(path: Path, environ: Mapping[str, str]) -> None:
    """Refuse folders that hold other things: ``config-unsafe-sync-dir``."""
    home = _home(environ)
    plain = Path(os.path.normpath(path))
    candidates = {plain, Path(os.path.realpath(plain))}
    for folder in candidates:
        unsafe = (
            folder in _SYSTEM
            or any(folder.is_relative_to(tree) for tree in _SYSTEM_TREES)
            or home.is_relative_to(folder)
            or any(folder == home / name for name in _HOME_FOLDERS)
        )
        if unsafe:
            raise Refusal("config-unsafe-sync-dir", f"{path} is a folder for other things")
    if plain.is_symlink():
        raise Refusal("config-unsafe-sync-dir", f"{path} is a symbolic link")


def prepare_state_dir(path: Path, environ: Mapping[str, str]) -> Path:
    """Make ``path`` a state directory of mode 0700, or refuse it; missing parents are made.

    An own folder that is empty, or a state directory already, gets its mode
    corrected; others may not have been able to write into it.
    """
    check_state_dir(path, environ)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            _sync_folder(path.parent)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (NotADirectoryError, FileExistsError):
        raise Refusal("path-not-directory", str(path)) from None
    except OSError as error:
        raise io_refusal(error, path) from None
    try:
        _own_folder(descriptor, path)
    finally:
        os.close(descriptor)
    return path


def _own_folder(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise Refusal("config-foreign-owner", str(path))
    if not stat.S_IMODE(status.st_mode) & 0o077:
        return
    _check_mode(path, status.st_mode, os.listdir(descriptor))
    os.fchmod(descriptor, 0o700)


def _check_mode(path: Path, bits: int, entries: Collection[str]) -> None:
    """Refuse a folder that others could fill, or that others may read and is none of ours.

    ``entries``: the names of what is in it.  One that passes may get mode 0700.
    """
    if not entries or not bits & 0o077:
        return
    if bits & 0o022:
        raise Refusal("config-unsafe-mode", str(path), hint=f"chmod 700 {path}")
    if not any(name in _OURS or name.startswith("identity") for name in entries):
        hint = f"chmod 700 {path} if it is to be the state directory; else name another one"
        raise Refusal("config-unsafe-mode", f"{path}, which holds other things", hint=hint)


def examine_state_dir(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether there is a state directory; the refusal that a start there would meet.

    Nothing is made or changed.  Files of ours in it are looked at as well.
    """
    check_state_dir(path, environ)
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid():  # it may not even let us look into it
            raise Refusal("config-foreign-owner", str(path))
        entries = sorted(os.listdir(path)) if stat.S_ISDIR(status.st_mode) else []
        ours = {*_OURS, "store.db"}
        files = [path / name for name in entries if name in ours or name.startswith("identity")]
        owners = [(path, status.st_uid), *((file, file.lstat().st_uid) for file in files)]
    except FileNotFoundError:
        return False
    except OSError as error:
        raise io_refusal(error, path) from None
    if not stat.S_ISDIR(status.st_mode):
        raise Refusal("path-not-directory", str(path))
    for one, owner in owners:
        if owner != os.geteuid():
            raise Refusal("config-foreign-owner", str(one))
    _check_mode(path, status.st_mode, entries)
    return True


def read_private_text(path: Path, *, secret: bool = False) -> str:
    """The UTF-8 text of a configuration file, or of a file with a ``secret``.

    Refuses a file of somebody else, one that others may write, and a secret
    that others may read.  A pipe or device is not read: it could block.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refusal("path-not-regular", str(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            # root's files are everybody's base: /etc/meta-log-peer-sync/config.toml
            if status.st_uid not in (os.geteuid(), 0):
                raise Refusal("config-foreign-owner", str(path))
            if status.st_mode & (0o077 if secret else 0o022):
                raise Refusal("config-unsafe-mode", str(path))
            data = file.read(_SMALL_FILE + 1)
    except FileNotFoundError:
        raise Refusal("file-not-found", str(path)) from None
    except OSError as error:
        raise io_refusal(error, path) from None
    if len(data) > _SMALL_FILE:
        raise Refusal("config-bad-config", f"{path} has more than {_SMALL_FILE} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("config-bad-config", f"{path} is not UTF-8") from None


def write_private_text(path: Path, text: str) -> None:
    """Replace a small file of mode 0600 in one step: a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise io_refusal(error, path) from None


def _sync_folder(path: Path) -> None:
    """What was made or renamed in a folder is there after a crash, too."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def runtime_place() -> Path:
    """Where the user's own folder for sockets is, or is to be made; nothing is checked."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it is a folder in /tmp: who uses it checks what that needs.
        warnings.simplefilter("ignore")
        return Path(platformdirs.user_runtime_dir(APP))


def runtime_dir(*, create: bool = True) -> Path:
    """The user's own folder for sockets, of mode 0700."""
    return _checked(runtime_place(), create=create)


def unused_runtime_dir(path: Path, environ: Mapping[str, str]) -> Refusal | None:
    """Why the folder that ``XDG_RUNTIME_DIR`` names is not used, where ``path`` is used instead.

    None where it is used, or no folder is named.  Peers that are started with
    another value of it make other lists of who runs.
    """
    named = environ.get("XDG_RUNTIME_DIR", "")
    if not named.strip() or path.is_relative_to(os.path.abspath(named)):
        return None
    if not os.path.isabs(named):
        return Refusal("path-not-absolute", f"XDG_RUNTIME_DIR={named}")
    hint = f"chmod 700 {named}, or let XDG_RUNTIME_DIR name another folder of your own"
    try:
        status = os.lstat(named)
    except OSError as error:
        return io_refusal(error, named)
    if not stat.S_ISDIR(status.st_mode):
        return Refusal("path-not-directory", named, hint=hint)
    if status.st_uid != os.geteuid():
        return Refusal("config-foreign-owner", named)
    where = named if status.st_mode & 0o077 else f"{named}, or a folder above it"
    return Refusal("config-unsafe-mode", where, hint=hint)


def short_runtime_dir() -> Path:
    """A folder of the user's own whose path is short wherever the runtime directory is."""
    return _checked(Path("/tmp") / f"{APP}-{os.geteuid()}", create=True)  # noqa: S108 - checked


def _checked(path: Path, *, create: bool) -> Path:
    """The folder, if it and the one above it are ours alone; made where wanted.

    The one above comes first: in a folder that others may write, nothing is made.
    """
    for folder in _own_parents(path):
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise Refusal("config-foreign-owner", str(folder))
        if status.st_mode & 0o022:
            raise Refusal("config-unsafe-mode", str(folder), hint=f"chmod 700 {folder}")
    return path


def _own_parents(path: Path) -> Iterator[Path]:
    """The folder, behind the one it is in unless that is the system's."""
    if path.parent not in _SYSTEM:
        yield path.parent
    yield path


def short_name(state_dir: Path) -> str:
    """A name of a state directory that is short enough for a socket: 16 hex digits."""
    return hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]


def _home(environ: Mapping[str, str]) -> Path:
    return Path(os.path.abspath(environ.get("HOME") or Path.home()))
