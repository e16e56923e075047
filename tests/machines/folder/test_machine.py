# SPDX-License-Identifier: MIT
"""A shared folder: every state with every event, and what each happening leads to."""

from __future__ import annotations

import itertools

import pytest

from federation import limits
from federation.machines.folder import (
    TABLE,
    Adopt,
    Away,
    Delete,
    Effect,
    Event,
    Held,
    Known,
    Move,
    Note,
    Read,
    Report,
    Restore,
    Seen,
    State,
    Take,
)
from tests.machines.folder.place import HERE, digest, live, named, place

SETTLE, GONE = limits.FOLDER_SETTLE, limits.FOLDER_GONE


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    after = TABLE.step(state, event)
    if event is Event.VANISHED:
        assert after is State.AWAY
    elif event is Event.LISTED:
        assert after is (State.HOLDING if state is State.HOLDING else State.LIVE)
    elif event is Event.MANY_DELETED:
        assert after is (State.HOLDING if state is State.LIVE else state)
    else:
        assert after is (State.LIVE if state is State.HOLDING else state)


def test_every_state_is_reached_and_left() -> None:
    entered = {after for (before, _event), after in TABLE.moves.items() if before is not after}
    left = {before for (before, _event), after in TABLE.moves.items() if before is not after}
    assert entered | {TABLE.start} == left == set(State)
    assert "LIVE --> HOLDING: many deleted" in TABLE.diagram()


# --- reading ------------------------------------------------------------------------------
def test_the_first_look_takes_what_is_there() -> None:
    one = place({"x.md": "X", "a/y.canvasl": "Y", "x.png": "P", ".git/config": "c", "x.md~": "b"})
    assert one.step() == [Adopt(HERE), Report("x.png", "path-forbidden-ext")]
    assert one.folder.state is State.LIVE
    assert named(one.run(1.0)) == [(Take, "x.md"), (Take, "a/y.canvasl")]
    assert one.run(1000.0) == []
    assert set(one.folder.known) == {"x.md", "a/y.canvasl"}


def test_a_file_is_read_when_it_rests() -> None:
    one = live({"x.md": "X"})
    for _ in range(5):
        one.files["x.md"] += "half"
        assert one.happened("x.md") == []
        assert one.run(SETTLE * 0.9) == []
    before = one.folder.known["x.md"]
    effects = one.run(SETTLE)
    assert effects == [Take("x.md", one.folder.known["x.md"], before)]
    assert one.folder.known["x.md"].digest == digest("X" + 5 * "half")
    assert one.read == ["x.md"]


def test_a_file_that_never_rests_is_read_now_and_then() -> None:
    one = live({"x.md": "X"})
    for _ in range(100):
        one.files["x.md"] += "more"
        one.happened("x.md")
        one.run(0.3)
    assert 2 <= len(one.read) <= 30.0 / limits.FOLDER_SETTLE_MAX


@pytest.mark.parametrize("told", [False, True])
def test_a_file_that_is_written_to_while_it_is_read_is_read_again_when_it_rests(told: bool) -> None:
    one = live({"x.md": "X"})
    one.files["x.md"] = "rests"
    one.happened("x.md")
    one.slow = True
    assert one.run(SETTLE) == []
    one.files["x.md"] = "ha"
    if told:
        one.happened("x.md")
    one.slow = False
    assert one.do(one.folder.receive_read("x.md", one.known_now("x.md"), one.now)) == []
    one.files["x.md"] = "half and half"
    one.happened("x.md")
    before = one.folder.known["x.md"]
    assert one.run(5.0) == [Take("x.md", one.folder.known["x.md"], before)]
    assert one.folder.known["x.md"].digest == digest("half and half")
    assert one.run(5.0) == []


def test_what_a_program_has_emptied_is_taken_only_when_it_rests() -> None:
    """A program that saves again and again empties the file first."""
    one = live({"x.md": "X"})
    taken: list[Effect] = []
    one.slow = True
    for number in range(100):
        one.files["x.md"] = f"text {number}"
        one.happened("x.md")
        one.run(0.3)
        one.files["x.md"] = ""
        one.happened("x.md")
        taken += one.folder.receive_read("x.md", one.known_now("x.md"), one.now)
    assert taken == []
    one.slow = False
    assert [type(each) for each in one.run(5.0)] == [Take]
    assert one.folder.known["x.md"].digest == digest("")


def test_what_a_listing_sees_first_is_read_too() -> None:
    one = live({"x.md": "X"})
    one.files.update({"x.md": "new", "n.md": "N"})
    assert named(one.run(limits.FOLDER_INTERVAL + 1)) == [(Take, "x.md"), (Take, "n.md")]


def test_a_file_that_holds_the_same_is_only_noted() -> None:
    one = live({"x.md": "X"})
    before = one.folder.known["x.md"]
    one.touch("x.md")
    one.happened("x.md")
    effects = one.run(1.0)
    assert effects == [Note("x.md", one.folder.known["x.md"])]
    assert one.folder.known["x.md"].digest == before.digest
    assert one.folder.known["x.md"].seen != before.seen


def test_our_own_writes_are_no_news_and_others_are() -> None:
    one = live({"x.md": "X"})
    one.files["x.md"] = "theirs"
    one.folder.written("x.md", one.known_now("x.md"), one.now)
    one.happened("x.md")
    assert (one.run(5.0), one.read) == ([], [])
    one.happened("x.md")  # of the same look, and nothing of ours: it is looked into
    assert [type(each) for each in one.run(5.0)] == [Note]
    one.files["x.md"] = "mine"
    one.folder.written("x.md", Known(digest("theirs"), Seen(6, 1, 1)), one.now)
    one.happened("x.md")
    assert [type(each) for each in one.run(5.0)] == [Take]


def test_what_was_written_before_our_own_write_is_told_is_read() -> None:
    one = live({"x.md": "X"})
    one.files["x.md"] = "theirs"
    ours = one.known_now("x.md")
    one.happened("x.md")
    one.files["x.md"] = "mine"
    one.happened("x.md")
    one.folder.written("x.md", ours, one.now)
    assert [type(each) for each in one.run(5.0)] == [Take]


def test_few_files_are_read_at_once() -> None:
    one = place({f"{number}.md": str(number) for number in range(3 * limits.FOLDER_READS)})
    one.slow = True
    one.step()
    one.now += SETTLE
    assert len(one.folder.handle_timer(one.now)) == limits.FOLDER_READS
    assert one.folder.handle_timer(one.now) == []
    assert one.folder.next_timer() > one.now
    effects = one.folder.receive_read("0.md", one.known_now("0.md"), one.now)
    assert [type(each) for each in effects] == [Take, Read]
    one.slow = False
    assert one.folder.next_timer() > one.now


def test_a_file_that_changes_while_it_is_read_is_read_again() -> None:
    one = live({"x.md": "X"})
    one.files["x.md"] = "one"
    one.happened("x.md")
    one.slow = True
    assert one.run(SETTLE) == []
    one.files["x.md"] = "two"
    one.happened("x.md")
    one.slow = False
    assert [type(each) for each in one.run(SETTLE)] == [Take]
    assert one.folder.known["x.md"].digest == digest("two")


def test_what_cannot_be_read_is_told_once_and_tried_again_when_it_changed() -> None:
    one = live({"x.md": "X"})
    one.files["x.md"] = "locked"
    one.unreadable.add("x.md")
    one.happened("x.md")
    assert one.run(1.0) == [Report("x.md", "path-io-error")]
    assert one.run(200.0) == []
    assert one.folder.refused == {"x.md": "path-io-error"}
    one.touch("x.md")
    one.unreadable.clear()
    assert [type(each) for each in one.run(limits.FOLDER_INTERVAL + 1)] == [Take]
    assert one.folder.refused == {}


def test_links_and_devices_are_told_and_delete_nothing() -> None:
    one = live({"x.md": "X", "a/y.md": "Y", "a/b/z.md": "Z", "other.md": "O"})
    for name in ("x.md", "a/y.md", "a/b/z.md"):
        del one.files[name]
    one.odd = {"x.md": "path-symlink-escape", "a": "path-mount-escape", ".#x.md": "path-io-error"}
    effects = one.run(500.0)
    assert effects == [Report("x.md", "path-symlink-escape"), Report("a", "path-mount-escape")]
    assert set(one.folder.known) == {"x.md", "a/y.md", "a/b/z.md", "other.md"}


def test_a_listing_that_ended_at_a_limit_deletes_nothing() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    del one.files["x.md"]
    one.complete = False
    assert one.run(500.0) == [Report("", "folder-too-large")]
    one.complete = True
    assert [type(each) for each in one.run(limits.FOLDER_INTERVAL + 3)] == [Delete]
    assert one.folder.refused == {}


# --- renaming and deleting ----------------------------------------------------------------
def test_a_deletion_is_told_after_two_looks() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    before = one.folder.known["x.md"]
    del one.files["x.md"]
    assert one.happened("x.md") == []
    looks = one.looks
    assert one.run(GONE * 0.9) == []
    assert one.run(GONE) == [Delete("x.md", before)]
    assert one.looks > looks
    assert "x.md" not in one.folder.known


def test_an_editor_that_deletes_and_writes_anew_deletes_nothing() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    del one.files["x.md"]
    one.happened("x.md")
    one.run(0.4)
    one.files["x.md"] = "saved"
    one.happened("x.md")
    assert [type(each) for each in one.run(100.0)] == [Take]


@pytest.mark.parametrize("events", [True, False])
def test_a_renaming_is_one(events: bool) -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    before = one.folder.known["x.md"]
    one.rename("x.md", "a/n.md")
    if events:
        one.happened("x.md", "a/n.md")
    assert one.run(200.0) == [Move("x.md", "a/n.md", one.folder.known["a/n.md"], before)]


def test_a_folder_that_is_renamed_is_many_renamings_and_no_deletion() -> None:
    one = live({f"old/{number}.md": f"content {number}" for number in range(300)})
    for name in list(one.files):
        one.rename(name, name.replace("old", "new"))
    one.happened("old")  # one event for the folder that is gone
    effects = one.run(60.0)
    assert {type(each) for each in effects} == {Move}
    assert len(effects) == 300


def test_renamed_and_edited_is_another_file() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    one.rename("x.md", "n.md")
    one.files["n.md"] = "changed, too"
    assert {type(each) for each in one.run(200.0)} == {Take, Delete}


def test_many_deletions_wait_for_a_yes() -> None:
    one = live({f"{number:03}.md": str(number) for number in range(40)})
    gone = sorted(one.files)[:20]
    for name in gone:
        del one.files[name]
    one.happened(*gone)
    assert one.run(100.0) == [Held(tuple(gone))]
    assert (one.folder.state, one.folder.held) == (State.HOLDING, tuple(gone))
    one.files["new.md"] = "goes on meanwhile"
    one.happened("new.md")
    assert [type(each) for each in one.run(100.0)] == [Take]
    effects = one.do(one.folder.confirm(one.now))
    assert [each.name for each in effects if isinstance(each, Delete)] == gone
    assert effects[-1] == Held(())
    assert one.folder.state is State.LIVE
    assert one.folder.confirm(one.now) == []


def test_a_yes_after_the_folder_went_away_deletes_nothing() -> None:
    one = live({f"{number:03}.md": str(number) for number in range(40)})
    known = dict(one.folder.known)
    one.files.clear()
    one.run(100.0)
    assert len(one.folder.held) == 40
    one.gone = "file-not-found"
    assert one.do(one.folder.confirm(one.now)) == [Held(()), Away("file-not-found")]
    assert (one.folder.known, one.folder.held) == (known, ())


def test_files_that_come_back_end_the_hold() -> None:
    one = live({f"{number:03}.md": str(number) for number in range(40)})
    files = dict(one.files)
    one.files.clear()
    assert one.run(100.0) == [Held(tuple(sorted(files)))]
    one.files.update(files)
    assert [type(each) for each in one.run(100.0)] == [Held]
    assert (one.folder.state, one.folder.held) == (State.LIVE, ())


def test_files_that_come_back_under_other_names_end_the_hold() -> None:
    one = live({f"old/{number:03}.md": str(number) for number in range(40)})
    files = dict(one.files)
    one.files.clear()
    one.run(100.0)
    one.files.update({name.replace("old", "new"): content for name, content in files.items()})
    effects = one.run(100.0)
    assert [type(each) for each in effects].count(Move) == 40
    assert one.folder.held == ()


def test_a_no_brings_them_back() -> None:
    one = live({f"{number:03}.md": str(number) for number in range(40)})
    files = dict(one.files)
    one.files.clear()
    one.run(100.0)
    assert one.folder.decline() == [Restore(tuple(sorted(files))), Held(())]
    assert one.folder.decline() == []
    assert one.run(300.0) == []  # writing them again takes its time
    for name, content in files.items():
        one.files[name] = content
        assert one.folder.written(name, one.known_now(name), one.now) == []
    assert one.run(300.0) == []
    del one.files["000.md"]
    assert [type(each) for each in one.run(300.0)] == [Delete]


def test_a_deletion_of_ours_is_no_news() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    del one.files["x.md"]
    assert one.folder.removed("x.md") == []
    one.happened("x.md")
    assert one.run(300.0) == []
