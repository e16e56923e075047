# SPDX-License-Identifier: MIT
"""Archives of a state directory: made while the peer runs, verified, and brought back.

An archive is a ``tar.gz`` of mode 0600 whose first member, ``MANIFEST.json``, has
the SHA-256 of every other one.  The database in it is a copy of one moment; synced
files are not in it, as the database has their contents and the peer writes them
again.  It holds the private key: whoever can read it is this peer.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from federation.errors import Refusal, io_refusal

MANIFEST: Final = "MANIFEST.json"
STORE: Final = "store.db"
FORMAT: Final = "meta-log-peer-sync-backup/v1"
_NAME: Final = re.compile(r"meta-log-\d{8}T\d{6}Z(-\d+)?\.tar\.gz")
_MOMENT: Final = re.compile(r"\d{8}T\d{6}Z")
#: Folders and files of a state directory that are made again, or are of this machine only.
_LEFT_OUT: Final = frozenset(
    {"synced", "conflicts", "received", "tmp", "broker", "lock", "control.sock", STORE,
     STORE + "-wal", STORE + "-shm"}
)  # fmt: skip
#: The largest member beside the database: identity, configuration, passwords are small.
_LARGEST: Final = 16 * 1024 * 1024


def archives(folder: Path) -> list[Path]:
    """The archives of a folder, oldest first."""
    try:
        found = [one for one in folder.iterdir() if _NAME.fullmatch(one.name)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda one: (one.name.split(".")[0].split("-")[2], len(one.name), one))


def make(state_dir: Path, folder: Path, moment: str) -> Path:
    """Make an archive in ``folder`` and verify it; ``moment``: ``20250107T120000Z``.

    What failed leaves nothing behind but what a kill left, which the next call removes.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob(".making-*"):
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as made:
            place = Path(made) / "archive"
            _write(state_dir, place, Path(made) / STORE, moment)
            verify(place)
            return _put(place, folder, moment)
    except OSError as error:
        raise io_refusal(error, folder) from None


def _put(place: Path, folder: Path, moment: str) -> Path:
    """Give a finished archive its name, one that nobody has."""
    number = 0
    while True:
        target = folder / f"meta-log-{moment}{f'-{number}' if number else ''}.tar.gz"
        try:
            os.link(place, target)
        except FileExistsError:
            number += 1
            continue
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)
        return target


def _write(state_dir: Path, place: Path, copy: Path, moment: str) -> None:
    sources = {STORE: _copy_store(state_dir / STORE, copy)} if (state_dir / STORE).exists() else {}
    sources |= {one.name: one for one in _files(state_dir)}
    hashes = {name: _digest(path) for name, path in sources.items()}
    manifest = json.dumps({"format": FORMAT, "made": moment, "files": hashes}, indent=1).encode()
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
            head = tarfile.TarInfo(MANIFEST)
            head.size, head.mode = len(manifest), 0o600
            tar.addfile(head, io.BytesIO(manifest))
            for name, path in sources.items():
                tar.add(path, arcname=name, recursive=False, filter=_plain)
        file.flush()
        os.fsync(file.fileno())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _files(state_dir: Path) -> Iterator[Path]:
    """What is small and ours: regular files directly in the state directory, no logs."""
    for path in sorted(state_dir.iterdir()):
        status = path.lstat()
        log = path.name.startswith("peer.log") or path.name.startswith(".")
        if path.name not in _LEFT_OUT and not log and stat.S_ISREG(status.st_mode):
            yield path


def _copy_store(source: Path, copy: Path) -> Path:
    """The database as it is at one moment, with every file still to be written."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as there,
            contextlib.closing(sqlite3.connect(copy)) as here,
        ):
            there.backup(here)
            here.execute("PRAGMA journal_mode = DELETE")
            with here:
                here.execute("UPDATE documents SET written = NULL")
                here.execute("DELETE FROM stamps")
    except sqlite3.Error as error:
        raise Refusal("backup-damaged", f"{source}: {error}") from None
    copy.chmod(0o600)
    return copy


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(archive: Path) -> dict[str, Any]:
    """The manifest of an archive whose every member is as it says; ``backup-damaged`` otherwise."""
    with tempfile.TemporaryDirectory(prefix="meta-log-verify-") as folder:
        return _unpack(archive, Path(folder))


def restore(archive: Path, state_dir: Path) -> dict[str, Any]:
    """Unpack a verified archive into a state directory that is empty or not there."""
    try:
        if state_dir.is_symlink() or (state_dir.exists() and any(state_dir.iterdir())):
            raise Refusal("path-io-error", f"{state_dir} is there already", hint="name a new one")
        state_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=state_dir.parent, prefix=".restoring-") as made:
            place = Path(made) / "state"
            place.mkdir(mode=0o700)
            manifest = _unpack(archive, place)
            if state_dir.exists():
                state_dir.rmdir()
            place.rename(state_dir)
        return manifest
    except OSError as error:
        raise io_refusal(error, state_dir) from None


def _unpack(archive: Path, folder: Path) -> dict[str, Any]:
    try:
        with _Bounded(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST or not 0 < first.size < _LARGEST:
                raise Refusal("backup-damaged", f"{archive} has no manifest")
            stream = tar.extractfile(first)
            manifest = _manifest(stream.read() if stream is not None else b"")
            left = dict(manifest["files"])
            while (member := tar.next()) is not None:
                _unpack_one(tar, member, folder, left.pop(member.name, None))
    except FileNotFoundError:
        raise Refusal("file-not-found", str(archive)) from None
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise Refusal("backup-damaged", f"{archive}: {error}") from None
    if left:
        raise Refusal("backup-damaged", f"{archive} lacks {sorted(left)!r:.200}")
    _check_store(folder / STORE, archive)
    return dict(manifest)


class _Bounded(gzip.GzipFile):
    """An archive's bytes, none of them read in one piece larger than the small members.

    A header that is said to be as long as the memory is packed into a few bytes.
    """

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes."""
        if size is None or not 0 <= size <= _LARGEST:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)


def _manifest(text: bytes) -> dict[str, Any]:
    """The manifest: an object of the right format, the names and hashes in it strings."""
    try:
        manifest = json.loads(text)
    except RecursionError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError("the manifest is of another format")
    made, listed = manifest.get("made"), manifest.get("files")
    if not isinstance(made, str) or not _MOMENT.fullmatch(made) or not isinstance(listed, dict):
        raise ValueError("the manifest lacks its moment or its files")
    return {"format": FORMAT, "made": made, "files": listed}


def _unpack_one(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, expected: str | None
) -> None:
    """Write one member under its own plain name, and compare it with the manifest."""
    # no sparse ones: a few bytes of those fill a disk
    regular = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    plain = regular and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", member.name)
    if not plain or (member.name != STORE and member.size > _LARGEST):
        raise Refusal("backup-damaged", f"a member is no plain file: {member.name!r:.80}")
    stream = tar.extractfile(member)
    assert stream is not None
    target = folder / member.name
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(stream, file)
        file.flush()
        os.fsync(file.fileno())
    if _digest(target) != expected:
        raise Refusal("backup-damaged", f"{member.name} is not what the manifest says")


def _check_store(store: Path, archive: Path) -> None:
    if not store.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(store)) as opened:
            found = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise Refusal("backup-damaged", f"{archive}: the database: {found}")


def rotate(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest ``keep`` archives; the removed ones."""
    gone = archives(folder)[:-keep]
    for one in gone:
        one.unlink(missing_ok=True)
    return gone
