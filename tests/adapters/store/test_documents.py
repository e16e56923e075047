# SPDX-License-Identifier: MIT
"""Documents, revisions, contents: what goes in comes out."""

from __future__ import annotations

import hashlib

import pytest

from federation.adapters.store import SqliteStore
from federation.errors import Fault, Refusal
from federation.replica.records import Document, Revision


def revision(name: str, file: str = "x.md", author: str = "a", seq: int = 1, *,
             content: bytes = b"text", counted: bool = True) -> Revision:  # fmt: skip
    return Revision(
        revision=name, file=file, author=author, seq=seq, timestamp="2026-01-01T00:00:00Z",
        timestamp_us=-5, received_us=2**60, content_hash=hashlib.sha256(content).hexdigest(),
        size=len(content), binary=False, envelope='{"é":1}', plain=not counted, counted=counted,
        vector={"a": 2**53 - 1}, parents=("p", "q"),
    )  # fmt: skip


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def test_a_revision_comes_back_as_it_was(store: SqliteStore) -> None:
    one = revision("r1")
    store.add_revision(one, b"text")
    assert store.revision("r1") == one
    assert store.revision("r") is None
    assert store.content(one.content_hash) == b"text"
    assert store.has_content("x.md", one.content_hash)
    assert not store.has_content("y.md", one.content_hash)


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"x" * 1_000_000])
def test_any_content(store: SqliteStore, content: bytes) -> None:
    one = revision("r1", content=content)
    store.add_revision(one, content)
    store.add_revision(revision("r2", "y.md", seq=2, content=content), content)
    assert store.content(one.content_hash) == content
    (count,) = store._db.execute("SELECT count(*) FROM contents").fetchone()
    assert count == 1


def test_a_content_that_is_gone_is_a_fault(store: SqliteStore) -> None:
    with pytest.raises(Fault):
        store.content("0" * 64)


def test_the_same_revision_twice_is_a_defect(store: SqliteStore) -> None:
    store.add_revision(revision("r1"), b"text")
    with pytest.raises(Exception, match="recorded already"):
        store.add_revision(revision("r1"), b"text")


def test_heads(store: SqliteStore) -> None:
    for number, file in enumerate(("x.md", "x.md", "y.md")):
        store.add_revision(revision(f"r{number}", file, seq=number), b"text")
    store.set_heads("x.md", ["r1", "r0"])
    store.set_heads("y.md", ["r2"])
    assert [head.revision for head in store.heads("x.md")] == ["r0", "r1"]
    assert store.all_heads() == [("x.md", "r0"), ("x.md", "r1"), ("y.md", "r2")]
    store.set_heads("x.md", ["r1"])
    assert store.all_heads() == [("x.md", "r1"), ("y.md", "r2")]
    assert store.heads("z.md") == []


def test_documents_that_a_start_looks_at(store: SqliteStore) -> None:
    """One that is settled, lags behind, was never written, has two heads, had two versions."""
    shape = {"settled": (1, "r0", 1), "behind": (2, "r0", 1), "never": (1, None, 1),
             "heads": (2, "r1", 2), "joined": (3, "r2", 1)}  # fmt: skip
    for name, (count, written, heads) in shape.items():
        file = f"{name}.md"
        ids = [f"{name}-r{number}" for number in range(count)]
        for number, one in enumerate(ids):
            store.add_revision(revision(one, file, seq=number), name.encode())
        store.set_heads(file, ids[-heads:])
        found = f"{name}-{written}" if written else None
        store.put_document(Document(file, "text", ids[-1], found, deleted=False))
    files = [one.file for one in store.documents(unsettled=True)]
    assert files == ["behind.md", "heads.md", "joined.md", "never.md"]
    assert len(store.documents()) == len(shape)


def test_history_is_in_the_order_of_recording(store: SqliteStore) -> None:
    for name, seq in (("b", 5), ("a", 9), ("c", 1)):
        store.add_revision(revision(name, seq=seq), b"text")
    assert [one.revision for one in store.revisions("x.md")] == ["b", "a", "c"]
    assert store.count_revisions() == {"x.md": 3}
    newest = store.last_of_author("x.md", "a")
    assert newest is not None
    assert newest.revision == "a"
    assert store.last_of_author("x.md", "b") is None
    assert store.last_of_author("y.md", "a") is None


def test_counters_count_only_where_the_author_counted(store: SqliteStore) -> None:
    assert store.last_seq("a") == 0
    store.add_revision(revision("r1", seq=7), b"text")
    store.add_revision(revision("r2", seq=1_700_000_000_000, counted=False), b"text")
    assert store.last_seq("a") == 7
    assert store.revision_at("a", 7) == "r1"
    assert store.revision_at("a", 1_700_000_000_000) is None
    assert store.revision_at("b", 7) is None


def test_finding_by_the_first_digits(store: SqliteStore) -> None:
    for name in ("aaaa1", "aaaa2", "aaff", "b"):
        store.add_revision(revision(name.ljust(64, "0")), b"text")

    def found(prefix: str) -> set[str]:
        return {one.revision.rstrip("0") for one in store.find_revisions("x.md", prefix)}

    assert found("aaaa1") == {"aaaa1"}
    assert found("aaf") == {"aaff"}
    assert found("c") == set()
    assert len(found("a")) == 2
    assert found("%") == found("_") == set()
    assert store.find_revisions("y.md", "b") == []


def test_finding_by_content(store: SqliteStore) -> None:
    """The newest of those that have it; what another document has is none of this one's."""
    store.add_revision(revision("r1"), b"text")
    store.add_revision(revision("r2", seq=2), b"text")
    store.add_revision(revision("r3", "y.md", seq=3, content=b"more"), b"more")
    digest = hashlib.sha256(b"text").hexdigest()
    found = store.with_content("x.md", digest)
    assert found is not None
    assert found.revision == "r2"
    assert store.with_content("y.md", digest) is None
    assert store.with_content("x.md", "no hash") is None


def test_documents_and_paths(store: SqliteStore) -> None:
    store.put_document(Document("b.md", "text", "r1"))
    store.put_document(Document("a.md", "text", "r2", "r1"))
    store.put_document(Document("b.md", "text", "r3", "r1"))
    assert store.documents() == [Document("a.md", "text", "r2", "r1"),
                                 Document("b.md", "text", "r3", "r1")]  # fmt: skip
    assert store.document("c.md") is None
    assert store.synced_from("/x.md") is None
    store.set_synced_from("/x.md", "a.md", "r1")
    store.set_synced_from("/x.md", "b.md", "r3")
    assert store.synced_from("/x.md") == ("b.md", "r3")


def test_counts_of_documents(store: SqliteStore) -> None:
    assert (store.count_documents(), store.conflicted(), store.standing("a")) == (0, [], (0, {}))
    for name, file, author in (("r1", "x.md", "a"), ("r2", "y.md", "a"), ("r3", "z.md", "b")):
        store.add_revision(revision(name, file, author), b"text")
        store.put_document(Document(file, "text", name))
        store.set_heads(file, [name])
    store.add_revision(revision("r4", "y.md", "b", seq=2, content=b"another"), b"another")
    store.set_heads("y.md", ["r2", "r4"])
    store.acknowledge("p", "x.md", "r1")
    store.acknowledge("p", "y.md", "older")
    store.acknowledge("p", "z.md", "r3")
    store.acknowledge("q", "y.md", "r2")
    assert store.count_documents() == 3
    assert store.conflicted() == ["y.md"]
    assert store.standing("a") == (2, {"p": 1, "q": 1})
    assert store.standing("b") == (1, {"p": 1})
    assert store.own_documents("a") == {"x.md", "y.md"}
    assert store.own_documents("c") == set()


def test_how_files_looked(store: SqliteStore) -> None:
    store.put_document(Document("x.md", "text", "r1", "r1"))
    store.put_document(Document("y.md", "text", "r2", "r1"))
    store.set_stamp("x.md", "1 2")
    store.set_stamp("x.md", "1 3")
    assert store.looks(waiting=False) == {"x.md": "1 3"}
    assert store.looks(waiting=True) == {"x.md": "1 3", "y.md": None}


def test_a_history_comes_in_pages(store: SqliteStore) -> None:
    for number in range(7):
        store.add_revision(revision(f"r{number}", seq=number), b"text")
        store.add_revision(revision(f"s{number}", "y.md", seq=number), b"text")

    def page(limit: int | None, before: str | None = None) -> list[str]:
        return [one.revision for one in store.revisions("x.md", limit, before)]

    assert page(3) == ["r4", "r5", "r6"]
    assert page(3, "r4") == ["r1", "r2", "r3"]
    assert page(3, "r1") == ["r0"]
    assert page(3, "r0") == page(0) == []
    assert page(None, "r2") == ["r0", "r1"]
    assert page(100) == page(None) == [f"r{number}" for number in range(7)]
    for unknown in ("r9", "s1"):
        with pytest.raises(Refusal, match="unknown-revision"):
            store.revisions("x.md", 3, unknown)
