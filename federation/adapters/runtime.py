# SPDX-License-Identifier: MIT
"""Where a peer lives on this machine: its state directory, its lock, its socket.

One peer a state directory: whoever holds the lock of ``STATE/lock`` is it, and
writes there, as one line of JSON, its process and the path of its control
socket.  That is ``STATE/control.sock``, or a short name in the user's runtime
directory when the path would be too long for a socket.  The runtime directory
also lists the running peers, so that a verb finds the only one.  A list entry
proves nothing: whoever wants to use it connects.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import socket
import stat
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from federation import limits
from federation.config import PREFIX
from federation.errors import Refusal

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


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that runs: its state directory, control socket and process id."""

    state_dir: Path
    socket: Path
    pid: int


def absolute(path: str, environ: Mapping[str, str]) -> Path:
    """``path`` made absolute, with ``~`` as the home directory of ``environ``."""
    home = _home(environ)
    if path == "~" or path.startswith("~/"):
        return home if path == "~" else home / path[2:]
    return Path(os.path.abspath(path))


def resolve_state_dir(
    flag: str | None, environ: Mapping[str, str], *, running: bool = True
) -> Path:
    """The state directory to use: flag, variable, the only running peer's, the default.

    ``running`` false leaves out the running peers: a peer that starts does not
    move in with another one.  Nothing is created.
    """
    named = flag or environ.get(PREFIX + "STATE_DIR")
    if named:
        return absolute(named, environ)
    if running:
        peers = running_peers()
        if len(peers) == 1:
            return peers[0].state_dir
    return Path(platformdirs.user_data_dir(APP))


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
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (NotADirectoryError, FileExistsError):
        raise Refusal("path-not-directory", str(path)) from None
    except OSError as error:
        raise _io_refusal(error, path) from None
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
    entries = os.listdir(descriptor)
    known = any(name in _OURS or name.startswith("identity") for name in entries)
    if entries and (status.st_mode & 0o022 or not known):
        raise Refusal("config-unsafe-mode", str(path), hint=f"chmod 700 {path}")
    os.fchmod(descriptor, 0o700)


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
        raise _io_refusal(error, path) from None
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
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _io_refusal(error, path) from None


class StateLock:
    """The lock of a state directory, held until :meth:`release` or the end of the process."""

    def __init__(self, state_dir: Path, descriptor: int) -> None:
        self.state_dir = state_dir
        self._descriptor = descriptor
        self._entry: Path | None = None

    @classmethod
    def acquire(cls, state_dir: Path) -> StateLock:
        """Take the lock, or raise :class:`Refusal` ``config-state-locked`` at once."""
        path = state_dir / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise _io_refusal(error, path) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whatever the last owner wrote is not true any more.
            os.ftruncate(descriptor, 0)
        except BlockingIOError:
            os.close(descriptor)
            raise Refusal("config-state-locked", str(state_dir)) from None
        except OSError as error:
            os.close(descriptor)
            raise _io_refusal(error, path) from None
        return cls(state_dir, descriptor)

    def publish(self, socket_path: Path) -> None:
        """Say where the control socket is, once it listens; also in the list of running peers."""
        record = {"pid": os.getpid(), "socket": str(socket_path), "state_dir": str(self.state_dir)}
        line = json.dumps(record).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, line + b"\n", 0)
        # The list is a comfort: without a runtime directory the peer runs all the same.
        with contextlib.suppress(OSError, Refusal):
            entry = _runtime_dir() / f"{_short(self.state_dir)}.json"
            write_private_text(entry, line.decode())
            self._entry = entry

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor < 0:
            return
        if self._entry is not None:
            self._entry.unlink(missing_ok=True)
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1


def socket_path(state_dir: Path) -> Path:
    """Where the control socket of a new peer on ``state_dir`` is to be made."""
    near = state_dir / SOCKET_NAME
    if len(os.fsencode(near)) <= limits.SOCKET_PATH:
        return near
    far = _runtime_dir() / f"{_short(state_dir)}.sock"
    if len(os.fsencode(far)) > limits.SOCKET_PATH:
        raise Refusal("config-bad-value", f"no path short enough for a socket: {far}")
    return far


def running_peer(state_dir: Path) -> Running | None:
    """The peer that runs on ``state_dir`` and answers on its socket, or None."""
    found = _read_record(state_dir / LOCK_NAME)
    return found if found is not None and _answers(found.socket) else None


def running_peers() -> list[Running]:
    """This user's running peers, by state directory; stale entries are left out."""
    try:
        entries = sorted(_runtime_dir(create=False).glob("*.json"))
    except (OSError, Refusal):
        return []
    records = [record for entry in entries if (record := _read_record(entry)) is not None]
    alive = [record for record in records if _answers(record.socket)]
    return sorted(alive, key=lambda record: record.state_dir)


def free_port() -> int:
    """A TCP port of the loopback address that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _read_record(path: Path) -> Running | None:
    try:
        record = json.loads(read_private_text(path, secret=True))
        return Running(Path(record["state_dir"]), Path(record["socket"]), int(record["pid"]))
    except (Refusal, ValueError, KeyError, TypeError):
        return None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (OSError, ValueError):
            return False
    return True


def _runtime_dir(*, create: bool = True) -> Path:
    """The user's own folder for sockets, of mode 0700."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it is a folder in /tmp: what that needs is checked below.
        warnings.simplefilter("ignore")
        path = Path(platformdirs.user_runtime_dir(APP))
    if create:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in _own_parents(path):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise Refusal("config-foreign-owner", str(folder))
        if status.st_mode & 0o022:
            raise Refusal("config-unsafe-mode", str(folder), hint=f"chmod 700 {folder}")
    return path


def _own_parents(path: Path) -> Iterator[Path]:
    """The folder, and the one it is in unless that is the system's."""
    yield path
    if path.parent not in _SYSTEM:
        yield path.parent


def _short(state_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]


def _home(environ: Mapping[str, str]) -> Path:
    return Path(os.path.abspath(environ.get("HOME") or Path.home()))


def _io_refusal(error: OSError, path: Path) -> Refusal:
    if error.errno == errno.ELOOP:
        return Refusal("path-symlink-escape", str(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal("disk-full", str(path))
    return Refusal("path-io-error", f"{path}: {error.strerror}")
