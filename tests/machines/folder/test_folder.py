# SPDX-License-Identifier: MIT
"""A shared folder as a whole: gone, replaced, off, and when something fails."""

from __future__ import annotations

import random
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.errors import REASONS
from federation.machines.folder import (
    Adopt,
    Away,
    Delete,
    Effect,
    Folder,
    Gone,
    Held,
    Known,
    Listing,
    Look,
    Move,
    Note,
    Root,
    Seen,
    State,
    Take,
)
from tests.machines.folder.place import HERE, Place, digest, live, named, place


# --- the folder itself --------------------------------------------------------------------
def test_a_folder_that_is_gone_says_nothing() -> None:
    one = live({"x.md": "X", "y.md": "Y"})
    known = dict(one.folder.known)
    one.happened("x.md", "y.md", missing=True)
    one.gone = "file-not-found"
    assert one.run(300.0) == [Away("file-not-found")]
    assert (one.folder.state, one.folder.known) == (State.AWAY, known)
    assert one.folder.receive_read("x.md", Known("other", Seen(1, 1, 1)), one.now) == []
    one.gone = ""
    one.files["x.md"] = "edited elsewhere"
    effects = one.run(limits.FOLDER_AWAY + 1)
    assert [type(each) for each in effects] == [Away, Take]
    assert effects[0] == Away("")


def test_what_was_noticed_before_it_went_away_counts_no_more() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    one.files["y.md"] = "half"
    one.happened("y.md")
    del one.files["x.md"]
    one.happened("x.md")
    one.gone = "file-not-found"
    assert one.do(one.folder.look(one.now)) == [Away("file-not-found")]
    assert one.run(60.0) == []
    assert one.read == []  # nothing is read where the folder is not
    one.gone = ""
    assert one.do(one.folder.look(one.now)) == [Away("")]
    assert one.run(limits.FOLDER_GONE * 0.9) == [Take("y.md", one.known_now("y.md"), ANY)]
    assert [type(each) for each in one.run(limits.FOLDER_GONE)] == [Delete]


@pytest.mark.parametrize("root", [Root(HERE.device + 1, 2), Root(HERE.device, 77)])
def test_an_empty_folder_in_its_place_says_nothing(root: Root) -> None:
    one = live({"x.md": "X", "y.md": "Y"})
    known = dict(one.folder.known)
    one.root, files = root, dict(one.files)
    one.files.clear()
    assert one.run(300.0) == [Away("folder-replaced")]
    assert "folder-replaced" in REASONS
    one.files["someone else's.md"] = "S"
    assert one.run(300.0) == []
    assert one.folder.known == known
    one.root, one.files = HERE, files
    assert one.run(limits.FOLDER_AWAY + 1) == [Away("")]


def test_a_copy_in_its_place_is_adopted_and_what_it_lacks_waits_for_a_yes() -> None:
    one = live({f"{number}.md": str(number) for number in range(100)})
    one.root = Root(7, 7)
    del one.files["5.md"]
    assert one.run(300.0) == [Adopt(Root(7, 7)), Held(("5.md",))]
    assert [type(each) for each in one.do(one.folder.confirm(one.now))] == [Delete, Held]


def test_numbers_may_change_while_the_marker_stays() -> None:
    one = place({"x.md": "X"}, root=Root(1, 1, "space"))
    one.run(1.0)
    one.root = Root(9, 9, "space")
    one.files.clear()
    assert one.run(limits.FOLDER_INTERVAL + 3)[0] == Adopt(Root(9, 9, "space"))


def test_known_files_without_a_known_folder_are_not_deleted() -> None:
    known = {f"{number}.md": Known("d", Seen(1, 1, number)) for number in range(100)}
    files = {name: "content" for name in known if name != "5.md"}
    one = Place(Folder(known, None, 0.0), files)
    assert Held(("5.md",)) in one.run(10.0)


# --- on, off and failures -----------------------------------------------------------------
def test_off_is_off_until_asked() -> None:
    one = place({"x.md": "X"}, auto_sync=False)
    assert one.folder.next_timer() == float("inf")
    assert one.happened("x.md") == []
    assert one.folder.next_timer() == float("inf")
    assert [type(each) for each in one.do(one.folder.look(0.0))] == [Adopt]
    assert [type(each) for each in one.run(300.0)] == [Take]
    one.files["x.md"] = "changed"
    one.happened("x.md")
    assert one.run(300.0) == []
    assert one.do(one.folder.set_auto_sync(True, one.now)) == []
    assert [type(each) for each in one.run(300.0)] == [Take]
    one.do(one.folder.set_auto_sync(False, one.now))
    assert one.folder.next_timer() == float("inf")


def test_deletions_are_found_when_asked_too() -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    one.folder.set_auto_sync(False, one.now)
    del one.files["x.md"]
    assert one.do(one.folder.look(one.now)) == []
    assert [type(each) for each in one.run(300.0)] == [Delete]


def test_the_interval_is_how_often_everything_is_looked_at() -> None:
    one = live({"x.md": "X"})
    one.looks = 0
    one.folder.set_interval(10.0, one.now)
    one.run(100.5)
    assert one.looks in (10, 11)
    one.folder.set_interval(1000.0, one.now)
    one.run(100.0)
    assert one.looks <= 12


@pytest.mark.parametrize("change", ["new", "edited", "noted", "moved", "deleted"])
def test_an_effect_that_failed_comes_again(change: str) -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    if change == "new":
        one.files["n.md"] = "N"
    elif change == "edited":
        one.files["x.md"] = "edited"
    elif change == "noted":
        one.touch("x.md")
    elif change == "moved":
        one.rename("x.md", "n.md")
    else:
        del one.files["x.md"]
    (first,) = one.run(100.0)
    assert isinstance(first, Take | Note | Move | Delete)
    one.folder.failed(first, one.now)
    (second,) = one.run(100.0)
    assert named([second]) == named([first])
    assert one.run(300.0) == []


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_an_effect_that_failed_is_past_where_we_have_written_since(change: str) -> None:
    one = live({"x.md": "X", "y.md": "Y", "z.md": "Z"})
    if change == "edited":
        one.files["x.md"] = "edited"
    else:
        del one.files["x.md"]
    (first,) = one.run(100.0)
    assert isinstance(first, Take | Delete)
    ours = Known("ours", Seen(4, 4, 4))
    one.folder.written("x.md", ours, one.now)
    one.folder.failed(first, one.now)
    assert one.folder.known["x.md"] == ours


def test_what_was_recorded_elsewhere_since_is_taken_again_though_it_looks_the_same() -> None:
    one = live({"x.md": "X", "y.md": "Y"})
    before = one.folder.known["x.md"]
    one.folder.doubt("none.md", one.now)
    one.folder.doubt("x.md", one.now)
    effects = one.run(100.0)
    assert [effect for effect in effects if isinstance(effect, Take)] == [Take("x.md", before, ANY)]
    assert one.folder.known["x.md"] == before


def test_what_rests_goes_on_resting_when_it_is_found_to_be_changed() -> None:
    one = live({"x.md": "X", "y.md": "Y"})
    one.files["x.md"] = "edited"
    seen = one.known_now("x.md").seen
    for _ in range(20):
        one.do(one.folder.receive_edited("x.md", seen, one.now))
        one.run(limits.FOLDER_SETTLE / 4)
    assert one.folder.known["x.md"] == one.known_now("x.md")
    assert one.folder.receive_edited("y.md", one.known_now("y.md").seen, one.now) == []


def test_looks_are_asked_for_one_at_a_time() -> None:
    folder = Folder({}, None, 5.0)
    assert folder.next_timer() == 5.0
    assert folder.handle_timer(4.9) == []
    assert folder.handle_timer(5.0) == [Look()]
    assert folder.handle_timer(5.1) == []
    assert folder.receive_listing(Gone("file-not-found"), 5.2) == [Away("file-not-found")]
    assert folder.next_timer() == 5.2 + limits.FOLDER_AWAY
    listing = Listing(HERE, {}, {})
    assert folder.receive_listing(listing, 11.0) == [Away(""), Adopt(HERE)]
    assert folder.next_timer() == 11.0 + limits.FOLDER_INTERVAL


NAMES = st.sampled_from([f"{one}.md" for one in "abcdef"] + ["d/a.md", "d/b.md"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.sampled_from(["", "one", "two", "three"])),
        st.tuples(st.just("delete"), NAMES, st.just("")),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("remote write"), NAMES, st.sampled_from(["one", "four"])),
        st.tuples(st.just("remote delete"), NAMES, st.just("")),
        st.tuples(st.sampled_from(["leave", "come back", "confirm", "off", "on"]), NAMES, NAMES),
        st.tuples(st.just("wait"), st.sampled_from(["0.1", "0.6", "3", "90"]), st.just("")),
    ),
    max_size=40,
)


def act(one: Place, what: str, name: str, other: str, *, told: bool) -> list[Effect]:
    """One thing that happens; ``told``: there is an event of it."""
    names = [name, other] if what == "rename" else [name]
    if what in ("write", "remote write"):
        one.files[name] = other
    elif what in ("delete", "remote delete"):
        one.files.pop(name, None)
    elif what == "rename" and name in one.files and name != other:
        one.files.pop(other, None)
        one.rename(name, other)
    elif what == "wait":
        return one.run(float(name))
    elif what == "confirm":
        return one.do(one.folder.confirm(one.now))
    elif what in ("on", "off"):
        return one.do(one.folder.set_auto_sync(what == "on", one.now))
    elif what in ("leave", "come back"):
        one.gone = "file-not-found" if what == "leave" else ""
    if what == "remote write":
        return one.do(one.folder.written(name, one.known_now(name), one.now))
    if what == "remote delete":
        return one.do(one.folder.removed(name))
    return one.happened(*names) if told and not one.gone else []


@settings(max_examples=300, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_whatever_happens_in_the_end_the_folder_is_known(
    steps: list[tuple[str, str, str]], chance: random.Random
) -> None:
    one = place({"a.md": "A", "b.md": "B", "c.md": "C"})
    one.run(30.0)
    follower = {name: known.digest for name, known in one.folder.known.items()}
    for what, name, other in [*steps, ("come back", "", ""), ("on", "", ""), ("wait", "300", "")]:
        if what.startswith("remote") and one.gone:
            continue
        effects = act(one, what, name, other, told=chance.random() < 0.7)
        if what == "remote write":
            follower[name] = digest(other)
        elif what == "remote delete":
            follower.pop(name, None)
        follow(follower, effects)
        assert not (one.gone and any(isinstance(each, Delete) for each in effects))
    follow(follower, one.do(one.folder.confirm(one.now)))
    assert follower == {name: digest(content) for name, content in one.files.items()}
    assert follower == {name: known.digest for name, known in one.folder.known.items()}
    assert one.folder.state is State.LIVE


def follow(follower: dict[str, str], effects: list[Effect]) -> None:
    """What a peer makes of the effects; each says rightly what was before."""
    for effect in effects:
        if isinstance(effect, Take):
            before = None if effect.before is None else effect.before.digest
            assert follower.get(effect.name) == before
            follower[effect.name] = effect.known.digest
        elif isinstance(effect, Move):
            assert follower.pop(effect.old) == effect.before.digest
            assert effect.name not in follower
            follower[effect.name] = effect.known.digest
        elif isinstance(effect, Delete):
            assert follower.pop(effect.name) == effect.before.digest
