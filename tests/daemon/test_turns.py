# SPDX-License-Identifier: MIT
"""Turns: one commit for many events, and what stays whole when something fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from federation import limits
from federation.daemon.turns import instant
from federation.errors import Refusal
from federation.events import Effect, Instant, Publish
from tests.daemon.desk import Desk, broken, desk, reason, refused
from tests.daemon.running import soon, until

__all__ = ["desk"]  # a fixture


async def test_the_answer_comes_when_it_is_durable_and_before_it_the_effects(desk: Desk) -> None:
    seen: list[object] = []

    async def perform(_effects: Sequence[Effect]) -> None:
        seen.append(desk.durable("a"))

    desk.turns._perform = perform
    future = desk.turns.ask(desk.note("a", "value"))
    future.add_done_callback(lambda _done: seen.append("answered"))
    assert await soon(future) == "value"
    assert seen == [True, "answered"]


async def test_what_waits_shares_a_commit_in_order(desk: Desk) -> None:
    order: list[int] = []
    for number in range(20):
        desk.turns.post(lambda _now, number=number: order.append(number))  # type: ignore[misc]
    await soon(desk.turns.ask(desk.note("a")))
    assert order == list(range(20))
    assert desk.commits == 1


async def test_a_commit_has_a_bound(desk: Desk) -> None:
    last = asyncio.Event()
    for _ in range(limits.BATCH):
        desk.turns.post(lambda _now: None)
    desk.turns.post(lambda _now: last.set())
    await soon(asyncio.ensure_future(last.wait()))
    assert desk.commits == 2


async def test_a_flood_of_messages_does_not_delay_the_user(desk: Desk) -> None:
    order: list[str] = []
    for _ in range(3 * limits.BATCH):
        desk.turns.post(lambda _now: order.append("message"))
    await soon(desk.turns.ask(lambda _now: order.append("user")))
    assert order[0] == "user"


async def test_a_turn_ends_when_its_time_is_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TURN", 0.0)
    order: list[int] = []
    last = asyncio.Event()
    for number in range(3):
        desk.turns.post(lambda _now, number=number: order.append(number), size=7)  # type: ignore[misc]
    desk.turns.post(lambda _now: last.set())
    answers = [desk.turns.ask(desk.note(f"{number}", f"{number}")) for number in range(3)]
    assert [await soon(answer) for answer in answers] == ["0", "1", "2"]
    await soon(asyncio.ensure_future(last.wait()))
    assert order == [0, 1, 2]
    assert desk.commits == 7
    assert desk.turns._bytes == 0


@pytest.mark.parametrize(
    ("bad", "expected"), [(broken, "internal-error"), (refused, "unknown-document")]
)
async def test_a_defect_or_a_refusal_leaves_the_others(
    desk: Desk, bad: Callable[[Instant], None], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    def half_done(now: Instant) -> None:
        desk.note("half")(now)
        bad(now)

    before, half = desk.turns.ask(desk.note("before")), desk.turns.ask(half_done)
    desk.turns.post(half_done)
    after = desk.turns.ask(desk.note("after"))
    assert await reason(half) == expected
    assert await soon(before) == await soon(after) == "here"
    assert desk.commits == 1
    assert [desk.durable(key) for key in ("before", "half", "after")] == [True, False, True]
    assert desk.topics() == ["before", "after"]
    assert ("a defect" in caplog.text) == (expected == "internal-error")


async def test_a_defect_in_the_effects_takes_no_answer_away(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_effects: Sequence[Effect]) -> None:
        raise RuntimeError("a file went wrong")

    desk.turns._perform = fail
    assert await soon(desk.turns.ask(desk.note("a"))) == "here"
    assert "a file went wrong" in caplog.text
    assert await soon(desk.turns.ask(desk.note("b"))) == "here"


# --- a store that cannot be written ---------------------------------------------------------


async def test_a_full_disk_refuses_everything_of_the_turn_and_is_recovered_from(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.limit()
    desk.turns.post(desk.note("posted"))
    small = desk.turns.ask(desk.note("small"))
    large = desk.turns.ask(desk.note("large", "x" * 500_000))
    assert await reason(small) == await reason(large) == "disk-full"
    assert desk.turns.failing
    assert desk.effects == []
    assert not desk.durable("posted")
    assert await reason(desk.turns.ask(desk.note("large", "x" * 500_000))) == "disk-full"
    failures = [one for one in caplog.records if "cannot be written" in one.message]
    assert len(failures) == 1, "said once"
    desk.limit(1_000_000)
    assert await soon(desk.turns.ask(desk.note("again"))) == "here"
    assert desk.turns.failing == ""
    assert await desk.turns.wait_for(lambda: desk.durable("posted"), 60)
    assert sorted(desk.topics()) == ["again", "posted"]


async def test_what_comes_once_only_is_kept_while_the_store_fails(desk: Desk) -> None:
    desk.limit()
    order: list[str] = []

    def work(name: str, text: str = "x") -> Callable[[Instant], None]:
        def run(now: Instant) -> None:
            order.append(name)
            desk.note(name, text)(now)

        return run

    desk.turns.post(work("too-large", "x" * 2_000_000), size=2_000_000)
    desk.turns.post(work("link"))
    desk.turns.post(work("message"), size=1)
    assert await reason(desk.turns.ask(desk.note("asked", "x" * 500_000))) == "disk-full"
    desk.turns.post(work("later"), size=1)
    (pages,) = desk.store._db.execute("PRAGMA page_count").fetchone()
    desk.limit(pages + 20)
    assert await soon(desk.turns.ask(desk.note("small"))) == "here"
    assert await desk.turns.wait_for(lambda: desk.durable("later"), 60)
    assert [desk.durable(name) for name in ("too-large", "link", "message")] == [False, True, True]
    assert order[-3:] == ["link", "message", "later"]
    assert order.count("too-large") == limits.TRIES
    assert desk.turns._bytes == 0


async def test_another_error_of_the_store_has_its_own_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        yield
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "transaction", failing)
        assert await reason(desk.turns.ask(lambda _now: None)) == "path-io-error"
    assert desk.turns.failing == "disk I/O error"
    await soon(desk.turns.ask(lambda _now: None))
    assert desk.turns.failing == ""


async def test_after_a_failure_the_node_is_what_the_store_is(desk: Desk) -> None:
    """The hash over all heads is kept in memory: it goes back, too."""
    root = desk.node.library.heads.root
    desk.limit()
    content = os.urandom(500_000)  # what cannot be packed

    def record(now: Instant) -> object:
        return desk.node.at(now, lambda: desk.node.sync_content("a.md", content, None))

    assert await reason(desk.turns.ask(record)) == "disk-full"
    assert desk.node.library.heads.root == root
    desk.limit(1_000_000)
    await soon(desk.turns.ask(record))
    assert desk.node.library.heads.root != root


async def test_what_found_no_room_for_long_is_tried_when_there_is_some(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A document that comes once only: it waits aside, and holds nobody up."""
    monkeypatch.setattr(limits, "TRIES", 1)
    monkeypatch.setattr(limits, "WRITE_AGAIN", 1.0)
    desk.limit()
    for name in ("first", "second"):
        desk.turns.post(desk.note(name, "x" * 300_000), size=300_000)
    await until(lambda: len(desk.turns._parked) == 2)
    assert await soon(desk.turns.ask(desk.note("small"))) == "here"
    await until(lambda: len(desk.turns._parked) == 1)
    await until(lambda: len(desk.turns._parked) == 2)  # tried, and in vain
    assert desk.turns.failing == ""
    assert len([one for one in caplog.records if "cannot be written" in one.message]) == 1
    desk.limit(1_000_000)
    for name in ("first", "second"):
        assert await desk.turns.wait_for(lambda name=name: desk.durable(name), 60)  # type: ignore[misc]
    assert (desk.turns._bytes, len(desk.turns._parked)) == (0, 0)
    monkeypatch.setattr(limits, "INBOUND_BYTES", 500_000)
    desk.limit()
    for name in ("oldest", "third"):
        desk.turns.post(desk.note(name, "x" * 300_000), size=300_000)
    await until(lambda: not desk.turns._waits and desk.turns._parked)
    assert sum(work.size for work in desk.turns._parked) == 300_000, "it is bounded"


# --- notes that may be lost -------------------------------------------------------------------


async def test_lazy_notes_ride_at_the_head_of_the_next_turn(desk: Desk) -> None:
    order: list[str] = []
    desk.turns.post(lambda _now: order.append("work"))
    desk.turns.post_lazily(lambda _now: order.append("first note"))
    desk.turns.post_lazily(lambda _now: order.append("second note"))
    await soon(desk.turns.ask(desk.note("a")))
    assert order == ["first note", "second note", "work"]
    assert desk.commits == 1


@pytest.mark.parametrize("why", ["no time", "no room"])
async def test_what_is_asked_never_overtakes_a_note(
    desk: Desk, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is known before it is asked what was made from it."""
    order: list[str] = []
    monkeypatch.setattr(limits, "TURN", 0.0 if why == "no time" else limits.TURN)

    def note(name: str, now: Instant) -> None:
        order.append(name)
        desk.note(name, "x" * 200_000)(now)

    for name in ("first", "second"):
        desk.turns.post_lazily(partial(note, name))
    if why == "no room":
        desk.limit()
        assert await reason(desk.turns.ask(desk.note("small"))) == "disk-full"
        assert await soon(desk.turns.ask(lambda _now: "what only reads needs no room"))
        assert desk.turns.failing
        desk.limit(1_000_000)
        order.clear()
    await soon(desk.turns.ask(lambda _now: order.append("asked")))
    assert order[-3:] == ["first", "second", "asked"]
    assert desk.durable("second")
    assert desk.turns.failing == ""


@pytest.mark.parametrize("turn", [0.0, limits.TURN])
async def test_lazy_notes_do_not_wait_for_ever(
    desk: Desk, turn: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TURN", turn)
    noted: list[float] = []
    start = asyncio.get_running_loop().time()
    for _ in range(3):
        desk.turns.post_lazily(lambda now: noted.append(now.mono))
    assert await desk.turns.wait_for(lambda: len(noted) == 3, 60)
    assert noted[0] - start >= limits.LAZY * 0.9


async def test_a_lazy_note_with_a_defect_harms_nobody(desk: Desk) -> None:
    desk.turns.post_lazily(broken)
    assert await soon(desk.turns.ask(desk.note("a"))) == "here"
    assert desk.durable("a")


# --- pressure, waiting, time -------------------------------------------------------------------


async def test_too_many_events_press_once_and_room_is_told(desk: Desk) -> None:
    told: list[bool] = []
    desk.turns.on_pressure = told.append
    for _ in range(limits.INBOUND):
        desk.turns.post(lambda _now: None)
    assert told == []
    for _ in range(10):
        desk.turns.post(lambda _now: None)
    assert told == [True]
    await until(lambda: len(told) > 1)
    assert told == [True, False]
    assert limits.INBOUND // 4 < len(desk.turns._queue) < limits.INBOUND // 2


async def test_too_many_bytes_press_too(desk: Desk) -> None:
    told: list[bool] = []
    desk.turns.on_pressure = told.append
    desk.turns.post(lambda _now: None, limits.INBOUND_BYTES)
    assert told == []
    desk.turns.post(lambda _now: None, 1)
    assert told == [True]
    await soon(desk.turns.ask(lambda _now: None))
    assert told == [True, False]
    assert desk.turns._bytes == 0


async def test_waiting_for_a_state(desk: Desk) -> None:
    waiting = asyncio.ensure_future(desk.turns.wait_for(lambda: desk.durable("b"), 60))
    await soon(desk.turns.ask(desk.note("a")))
    assert not waiting.done()
    await soon(desk.turns.ask(desk.note("b")))
    assert await soon(waiting) is True
    for reached, seconds in ((False, 0), (True, 0), (False, 0.01)):
        assert await desk.turns.wait_for(lambda: reached, seconds) is reached  # noqa: B023


async def test_the_nodes_timer_makes_a_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    due = instant().mono + 0.02
    handled: list[float] = []

    def handle(now: Instant) -> None:
        handled.append(now.mono)

    def next_timer() -> float:
        return float("inf") if handled and handled[-1] >= due else due

    monkeypatch.setattr(desk.node, "next_timer", next_timer)
    monkeypatch.setattr(desk.node, "handle_timer", handle)
    desk.turns._wake.set()  # it was waiting by the timer of before
    await until(lambda: handled and handled[-1] >= due)


async def test_stopping_finishes_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "store.db")
    waiting = [desk.turns.ask(desk.note(f"{number}")) for number in range(limits.BATCH + 10)]
    desk.turns.post_lazily(desk.note("lazy"))
    desk.turns.stop()
    assert await reason(desk.turns.ask(desk.note("late"))) == "shutting-down"
    await soon(desk.turns.run())
    assert [await soon(one) for one in waiting] == ["here"] * len(waiting)
    assert desk.durable("lazy")
    assert not desk.durable("late")
    desk.store.close()


async def test_nobody_who_left_is_answered(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    desk.turns.ask(desk.note("a")).cancel()
    assert await soon(desk.turns.ask(desk.note("b"))) == "here"
    assert desk.durable("a"), "it was asked for"
    assert caplog.records == []


# --- what needs no turn ----------------------------------------------------------------------
async def test_what_only_reads_is_done_at_once_and_overtakes_nothing(desk: Desk) -> None:
    done: list[Sequence[Effect]] = []
    desk.turns.perform_now = lambda effects: done.append(list(effects))

    def work(_now: Instant) -> str:
        desk.node.context.effects.append(Publish("t", b"x"))
        return "read"

    assert desk.turns.at_once(work) == "read"
    assert done == [[Publish("t", b"x")]]
    assert desk.commits == 0
    desk.turns.post(desk.note("first"))
    assert desk.turns.at_once(work) is None
    assert len(done) == 1


async def test_a_refusal_at_once_leaves_nothing_behind(desk: Desk) -> None:
    with pytest.raises(Refusal):
        desk.turns.at_once(refused)
    assert desk.turns.at_once(lambda _now: 1) == 1


async def test_what_is_read_waits_for_no_turn_and_for_none_of_its_files(desk: Desk) -> None:
    written = asyncio.Event()

    desk.turns._perform = lambda _effects: soon(written.wait())
    future = desk.turns.ask(desk.note("a", "value"))
    await until(lambda: desk.durable("a"))
    assert desk.turns.read(lambda: desk.store.meta("a")) == "value"
    assert not future.done()
    written.set()
    await soon(future)


async def test_a_store_that_cannot_be_read_is_a_refusal(desk: Desk) -> None:
    def work() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(Refusal, match="disk"):
        desk.turns.read(work)
