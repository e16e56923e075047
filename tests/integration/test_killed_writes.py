# SPDX-License-Identifier: MIT
"""kill -9 at every call that writes, of a peer that applies a change.

A real peer saves what its user synced, takes a document from another peer, or
merges two versions, and is killed at the first, second, third … write, fsync,
rename and so on of that.  Started again it must have what it acknowledged, its
files must be old or new as a whole, and it must agree with the other peer.

``META_LOG_CHAOS=full`` kills at all of them, otherwise at a sample.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from federation.adapters.store import SqliteStore
from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.killing import Strace, calls, needed, options
from tests.integration.peers import Peer, command

FULL = os.environ.get("META_LOG_CHAOS") == "full"
FILE = "plan.canvasl"
#: of each call so many places, in the sample
SAMPLE = 2

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(3600 if FULL else 120)]


class Pair:
    """Two peers that share one canvas; ``a`` is the one that is killed."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        flags = ("--trust-policy", "announced")
        self.folder, self.broker = folder, broker
        self.a, self.b = (Peer(folder / name, broker.url, flags=flags) for name in "ab")
        self.number = 0
        #: revision -> hash of its content, of what ``a`` has acknowledged
        self.acknowledged: dict[str, str] = {}
        #: what the file of ``a`` may hold
        self.allowed: list[bytes] = []

    def canvas(self, who: str) -> bytes:
        """A canvas that nobody has yet; each peer changes a line of its own."""
        self.number += 1
        lines = [json.loads(line) for line in self.shown(self.b).splitlines()] or [
            {"id": name, "type": "text", "text": "ä" * 2000} for name in ("a", "b", "both")
        ]
        for line in lines:
            if line["id"] in (who, "both"):
                line["text"] = f"{line['text'][:2000]} {who} {self.number}"
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def shown(self, peer: Peer) -> bytes:
        """What the synced file of a peer holds."""
        path = peer.synced / FILE
        return path.read_bytes() if path.exists() else b""

    def save(self, peer: Peer, content: bytes) -> None:
        """Sync a file of the user; it may end with the peer."""
        source = self.folder / f"{peer.state_dir.name}-source" / FILE
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(content)
        before = self.shown(peer)
        base = {"base": hashlib.sha256(before).hexdigest()} if before else {}
        try:
            answer = peer.call("sync.file", {"path": str(source), **base})
        except (OSError, EOFError):
            assert peer is self.a, "only one of the peers is killed"
            return
        if peer is self.a:
            self.acknowledged[answer["revision"]] = hashlib.sha256(content).hexdigest()

    # --- what is done to them -------------------------------------------------------
    def local(self) -> None:
        """The user of ``a`` saves."""
        content = self.canvas("a")
        self.allowed = [self.shown(self.a), content]
        self.save(self.a, content)

    def remote(self) -> None:
        """``b`` sends a document."""
        content = self.canvas("b")
        self.allowed = [self.shown(self.a), content]
        self.save(self.b, content)

    def part(self) -> None:
        """Both edit while the broker stands still."""
        self.broker.freeze()
        mine, theirs = self.canvas("a"), self.canvas("b")
        self.save(self.a, mine)
        self.save(self.b, theirs)
        self.a.wait(lambda: self.idle(mine), what="the file of the own edit")
        self.allowed = [mine]

    def merge(self) -> None:
        """The broker goes on: each gets what the other has written."""
        self.broker.thaw()

    # --- what must hold -------------------------------------------------------------
    def idle(self, content: bytes | None = None) -> bool:
        """Whether ``a`` has written what its document shows, and noted that."""
        with closing(sqlite3.connect(f"file:{self.a.state_dir}/store.db?mode=ro", uri=True)) as db:
            row = db.execute("SELECT current, written FROM documents WHERE file=?", (FILE,))
            current, written = row.fetchone() or ("", None)
        return current == written and content in (None, self.shown(self.a))

    def agree(self) -> bool:
        """Whether both peers have the same of everything."""
        if self.shown(self.a) != self.shown(self.b) or not self.idle():
            return False
        names = [{row["revision"] for row in peer.history(FILE)} for peer in (self.a, self.b)]
        rows = [peer.call("conflicts.list")["conflicts"] for peer in (self.a, self.b)]
        places = [[one["number"] for row in some for one in row["places"]] for some in rows]
        return names[0] == names[1] and places[0] == places[1]

    def check_dead(self) -> None:
        """What lies there while ``a`` is dead: a whole store, the old file or the new one."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in self.a.state_dir.glob("store.db*"):
            if not path.name.endswith("-shm"):  # made anew from the others
                shutil.copy(path, copy)
        with closing(sqlite3.connect(copy / "store.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        store = SqliteStore(copy / "store.db")
        revisions = store.revisions(FILE)
        for one in revisions:
            assert hashlib.sha256(store.content(one.content_hash)).hexdigest() == one.content_hash
        recorded = {one.revision: one.content_hash for one in revisions}
        views = [store.content(one.content_hash) for one in revisions if not one.author]
        store.close()
        for revision, digest in self.acknowledged.items():
            assert recorded[revision] == digest
        assert self.shown(self.a) in [*self.allowed, *views[-1:]]
        assert [path.name for path in self.a.synced.iterdir()] == [FILE]

    def check_again(self) -> None:
        """``a`` runs again: it has everything, and the two agree."""
        wait_until(self.agree, 60.0, "both peers agree")
        assert [path.name for path in self.a.synced.iterdir()] == [FILE]
        assert list((self.a.state_dir / "tmp").iterdir()) == []
        held = {row["revision"] for row in self.b.history(FILE)}
        assert held >= self.acknowledged.keys()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    needed()
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as broker:
        pair = Pair(tmp_path, broker)
        with pair.a, pair.b:
            for peer in (pair.a, pair.b):
                peer.wait(lambda peer=peer: peer.call("status")["peers"]["connected"] == 1)  # type: ignore[misc]
            pair.save(pair.b, pair.canvas("b"))
            wait_until(lambda: bool(pair.shown(pair.a)) and pair.agree(), 60.0, "the first canvas")
            yield pair


def apply(pair: Pair, act: Callable[[], None], at: tuple[str, int] | None) -> Counter[str]:
    """Do it under strace; the calls that were made up to the end of it, or of the peer."""
    before = pair.shown(pair.a)
    with Strace(pair.a.pid, pair.folder / "strace", at) as strace:
        act()
        wait_until(
            lambda: strace.died() or (pair.shown(pair.a) != before and pair.idle()), 20,
            f"the change, or the end ({at}: {strace.last()})",
        )  # fmt: skip
    if strace.died():
        pair.a.kill()  # what is left of it, for the test
    return strace.calls()


def kill_and_start(pair: Pair, prepare: Callable[[], None], act: Callable[[], None],
                   at: tuple[str, int]) -> bool:  # fmt: skip
    """Kill the peer at one call; whether it got so far as to make that call."""
    prepare()
    apply(pair, act, at)
    killed = not pair.a.alive
    if killed:
        pair.check_dead()
        pair.a.start()
    try:
        pair.check_again()
    except BaseException:
        print("killed at", at, (pair.folder / "strace").read_text()[-1500:])
        raise
    return killed


def places(calls: Counter[str]) -> Iterator[tuple[str, int]]:
    """Where to kill: everywhere, or at some calls of each name."""
    for name, count in sorted(calls.items()):
        if FULL:  # some more: one run makes more of them than another
            yield from ((name, number) for number in range(1, count + 20))
        else:
            yield from ((name, 1 + count * part // SAMPLE) for part in range(min(count, SAMPLE)))


@pytest.mark.parametrize("what", ["local", "remote", "merge"])
def test_killed_at_every_write(pair: Pair, what: str) -> None:
    prepare = pair.part if what == "merge" else lambda: None
    act: Callable[[], None] = getattr(pair, what)
    prepare()
    calls = apply(pair, act, None)
    pair.check_again()
    assert calls["fdatasync"] >= 1, calls
    assert calls["pwrite64"] >= 4, calls
    assert calls["renameat2"] + calls["rename"] >= 1, calls
    done: set[str] = set()
    kills = 0
    for name, number in places(calls):
        if name in done:
            continue
        killed = kill_and_start(pair, prepare, act, (name, number))
        kills += killed
        if not killed and number > calls[name]:
            done.add(name)
    assert kills >= (sum(calls.values()) * 0.8 if FULL else len(calls))


def start_once(pair: Pair, at: tuple[str, int] | None) -> Counter[str]:
    """Start ``a`` under strace, and end it once it is ready; the calls up to there."""
    log = pair.folder / "start"
    words = ["bot", "--state-dir", str(pair.a.state_dir), "--broker-url", pair.broker.url]
    with subprocess.Popen(
        [*options(log, at), *command(*words, *pair.a.flags)], cwd=pair.a.env["HOME"],
        env=pair.a.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "broker-connected":
                break
        else:
            return calls(log)  # it was killed
        # not strace, which would leave it to itself
        os.kill(json.loads((pair.a.state_dir / "lock").read_text())["pid"], signal.SIGTERM)
        process.stdout.read()
    return calls(log)


def test_killed_while_it_starts_again(pair: Pair) -> None:
    """A start after a crash writes what the crash left, and may be killed itself."""
    pair.remote()
    with Strace(pair.a.pid, pair.folder / "strace", ("renameat2", 1)) as strace:
        wait_until(lambda: strace.died() or pair.agree(), 60.0, "the end, or the change")
        first = pair.allowed[-1]
        pair.remote()
        pair.allowed.append(first)  # its file may still be on its way
        wait_until(strace.died, 60.0, "the end")
    pair.a.kill()
    pair.check_dead()
    copy = pair.folder / "crashed"
    shutil.copytree(pair.a.state_dir, copy, ignore=shutil.ignore_patterns("*.sock"))
    made = start_once(pair, None)
    assert made["fdatasync"] >= 1, made
    for at in places(made):
        shutil.rmtree(pair.a.state_dir)
        shutil.copytree(copy, pair.a.state_dir)
        start_once(pair, at)
        pair.check_dead()
    pair.a.start()
    pair.check_again()
