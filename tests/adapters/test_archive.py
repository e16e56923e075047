# SPDX-License-Identifier: MIT
"""Archives: whole, private, rotated, and nothing but what they should hold."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from federation.adapters import archive
from federation.errors import Refusal

MOMENT = "20250107T120000Z"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a database in use."""
    state = tmp_path / "state"
    (state / "synced").mkdir(parents=True)
    (state / "synced/a.md").write_text("a")
    for name in ("identity.json", "config.toml", "peer.log", "lock", ".x.new"):
        (state / name).write_text(name)
    (state / "link").symlink_to("/etc/passwd")
    store = sqlite3.connect(state / "store.db")
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("CREATE TABLE documents (file TEXT, written TEXT)")
    store.execute("CREATE TABLE stamps (file TEXT)")
    store.execute("INSERT INTO documents VALUES ('a.md', 'r1')")
    store.commit()
    store.close()
    return state


def test_made_verified_and_brought_back(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    holder = sqlite3.connect(state / "store.db")
    holder.execute("INSERT INTO documents VALUES ('b.md', 'r2')")  # not committed: not in it
    made = archive.make(state, folder, MOMENT)
    holder.close()
    assert made.name == f"meta-log-{MOMENT}.tar.gz"
    assert made.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [made.name]
    assert set(archive.verify(made)["files"]) == {"store.db", "identity.json", "config.toml"}
    target = tmp_path / "new" / "state"
    archive.restore(made, target)
    assert (target / "identity.json").read_text() == "identity.json"
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o600}
    assert target.stat().st_mode & 0o777 == 0o700
    opened = sqlite3.connect(target / "store.db")
    assert opened.execute("SELECT * FROM documents").fetchall() == [("a.md", None)]
    opened.close()
    with pytest.raises(Refusal) as caught:
        archive.restore(made, target)
    assert caught.value.reason == "path-io-error"


def test_the_same_second_and_rotation(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    (folder / ".making-left").mkdir(parents=True)
    (folder / "mine.tar.gz").write_text("not ours")
    moments = ["20250107T120000Z", "20250107T120000Z", "20250106T120000Z", "20250108T000000Z"]
    made = [archive.make(state, folder, moment) for moment in moments]
    assert archive.archives(folder) == [made[2], made[0], made[1], made[3]]
    assert archive.rotate(folder, 2) == [made[2], made[0]]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [made[1].name, made[3].name, "mine.tar.gz"]
    )
    assert archive.archives(tmp_path / "none") == []


def _other(made: Path, target: Path, change: str) -> Path:
    """An archive like ``made``, with one thing wrong."""
    with tarfile.open(made) as old, tarfile.open(target, "w:gz") as new:
        for member in old.getmembers():
            stream = old.extractfile(member)
            assert stream is not None
            data = stream.read()
            if change == "bytes" and member.name == "config.toml":
                data = b"other" + data[5:]
            if change == "lacks" and member.name == "config.toml":
                continue
            if change == "path" and member.name == "config.toml":
                member.name = "../config.toml"
            if change == "format" and member.name == archive.MANIFEST:
                data = json.dumps({"format": "x"}).encode()
            if change == "store" and member.name == "store.db":
                data = data[:2048]
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        if change == "link":
            link = tarfile.TarInfo("more")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(link)
        if change == "more":
            new.addfile(tarfile.TarInfo("more"))
    return target


@pytest.mark.parametrize("change", ["bytes", "lacks", "path", "format", "store", "link", "more"])
def test_damaged_archives_are_refused_and_leave_nothing(
    state: Path, tmp_path: Path, change: str
) -> None:
    made = archive.make(state, tmp_path / "backups", MOMENT)
    bad = _other(made, tmp_path / "bad.tar.gz", change)
    target = tmp_path / "target"
    with pytest.raises(Refusal) as caught:
        archive.restore(bad, target)
    assert caught.value.reason == "backup-damaged"
    assert not target.exists()
    assert not list(tmp_path.glob(".restoring*"))


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    cut = tmp_path / "cut"
    cut.write_bytes(b"\x1f\x8b\x08")
    for path, reason in ((tmp_path / "text", "backup-damaged"), (cut, "backup-damaged"),
                         (tmp_path / "none", "file-not-found")):  # fmt: skip
        with pytest.raises(Refusal) as caught:
            archive.verify(path)
        assert caught.value.reason == reason


def _member(
    name: str, data: bytes, kind: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None
) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.pax_headers = kind, len(data), pax or {}
    padding = bytes(-len(data) % tarfile.BLOCKSIZE)
    return info.tobuf(tarfile.PAX_FORMAT) + data + padding


def _says(**changes: object) -> bytes:
    manifest = {"format": archive.FORMAT, "made": MOMENT, "files": {}, **changes}
    return _member(archive.MANIFEST, json.dumps(manifest).encode())


@pytest.mark.parametrize(
    "unpacked",
    [
        _member(archive.MANIFEST, b"[]"),
        _member(archive.MANIFEST, b'"x"'),
        _member(archive.MANIFEST, b"[" * 100_000),
        _says(made="\x1b[2J"),
        _says(made=None),
        _says(files=[[1, 2]]),
        _says(files={"\x1b[2J": ""}),
        # a name of 64 MiB of zeros, in a few kB
        _member("long", bytes(1 << 26), tarfile.GNUTYPE_LONGNAME),
        _says() + _member("long", bytes(1 << 26), tarfile.XHDTYPE),
        # a database of 1 TiB of nothing
        _says(files={"store.db": ""})
        + _member("store.db", b"1\n0\n0\n" + bytes(506), pax={
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0",
            "GNU.sparse.name": "store.db", "GNU.sparse.realsize": str(1 << 40),
        }),
    ],
    ids=["list", "string", "deep", "escapes", "no-moment", "numbers", "lacks", "name", "pax",
         "sparse"],
)  # fmt: skip
def test_hostile_archives_are_refused_in_a_harmless_line(tmp_path: Path, unpacked: bytes) -> None:
    place = tmp_path / "hostile"
    place.write_bytes(gzip.compress(unpacked + bytes(2 * tarfile.BLOCKSIZE), 1))
    tracemalloc.start()
    with pytest.raises(Refusal) as caught:
        archive.verify(place)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "backup-damaged"
    assert caught.value.message.isprintable()
    assert most < 32 << 20


def test_a_damaged_database_is_not_archived(state: Path, tmp_path: Path) -> None:
    (state / "store.db").write_text("nothing of a database" * 100)
    with pytest.raises(Refusal) as caught:
        archive.make(state, tmp_path / "backups", MOMENT)
    assert caught.value.reason == "backup-damaged"
    assert list((tmp_path / "backups").iterdir()) == []
