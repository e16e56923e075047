# SPDX-License-Identifier: MIT
"""The bounded queue and the send window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federation.adapters.mqtt.queue import MESSAGE_COST, Outgoing, SendQueue


def message(size: int = 0, qos: int = 1, name: str = "") -> Outgoing[str]:
    return Outgoing("", b"x" * size, qos, False, name)


def test_first_in_first_out() -> None:
    queue: SendQueue[str] = SendQueue()
    for name in "abc":
        assert queue.offer(message(name=name))
    taken = [queue.take(), queue.take(), queue.take()]
    assert [item.ticket for item in taken if item] == ["a", "b", "c"]
    assert queue.take() is None


def test_the_queue_is_bounded_by_count() -> None:
    queue: SendQueue[str] = SendQueue(count=2)
    assert queue.offer(message())
    assert queue.offer(message())
    assert not queue.offer(message())
    queue.take()
    assert queue.offer(message())


def test_the_queue_is_bounded_by_bytes() -> None:
    queue: SendQueue[str] = SendQueue(size=1000 + 2 * MESSAGE_COST)
    assert queue.offer(message(600))
    assert not queue.offer(message(401))
    assert queue.offer(message(400))
    assert not queue.offer(message(0))


def test_the_window_is_bounded_by_count_and_opens_with_each_acknowledgement() -> None:
    queue: SendQueue[str] = SendQueue(window=2)
    for name in "abc":
        queue.offer(message(name=name))
    for packet_id in (1, 2):
        item = queue.take()
        assert item is not None
        queue.started(packet_id, item)
    assert queue.take() is None
    assert queue.in_flight == 2
    done = queue.finished(1)
    assert done is not None
    assert done.ticket == "a"
    third = queue.take()
    assert third is not None
    assert third.ticket == "c"


def test_the_window_is_bounded_by_bytes_but_one_message_always_fits() -> None:
    queue: SendQueue[str] = SendQueue(window_bytes=1000)
    queue.offer(message(5000, name="huge"))
    queue.offer(message(0, name="small"))
    huge = queue.take()
    assert huge is not None
    queue.started(1, huge)
    assert queue.take() is None
    queue.finished(1)
    small = queue.take()
    assert small is not None
    assert small.ticket == "small"


def test_qos_0_waits_for_the_socket_not_for_acknowledgements() -> None:
    queue: SendQueue[str] = SendQueue(window=1, window_bytes=1000)
    queue.offer(message(qos=1))
    first = queue.take()
    assert first is not None
    queue.started(1, first)
    queue.offer(message(10, qos=0))
    assert queue.take(unsent=900) is None
    assert queue.take(unsent=100) is not None


def test_the_brokers_receive_maximum_is_heeded_for_one_connection() -> None:
    queue: SendQueue[str] = SendQueue(window=10)
    queue.limit_window(1)
    queue.offer(message())
    queue.offer(message())
    first = queue.take()
    assert first is not None
    queue.started(1, first)
    assert queue.take() is None
    queue.clear()
    for packet_id in range(10):
        queue.offer(message())
        item = queue.take()
        assert item is not None
        queue.started(packet_id, item)
    queue.offer(message())
    assert queue.take() is None


def test_an_acknowledgement_of_something_else_is_nothing() -> None:
    queue: SendQueue[str] = SendQueue()
    assert queue.finished(7) is None


def test_clear_tells_what_was_sent_from_what_was_not() -> None:
    queue: SendQueue[str] = SendQueue(window=1)
    queue.offer(message(name="sent"))
    queue.offer(message(name="waiting"))
    item = queue.take()
    assert item is not None
    queue.started(1, item)
    never, unknown = queue.clear()
    assert [item.ticket for item in never] == ["waiting"]
    assert [item.ticket for item in unknown] == ["sent"]
    assert len(queue) == queue.in_flight == 0


@given(st.lists(st.tuples(st.integers(0, 2000), st.booleans()), max_size=60))
def test_everything_offered_comes_out_once_and_in_order(steps: list[tuple[int, bool]]) -> None:
    queue: SendQueue[str] = SendQueue(count=20, size=20_000, window=3, window_bytes=3000)
    accepted, out = [], []
    flying: list[int] = []

    def send() -> None:
        while (item := queue.take()) is not None:
            out.append(item.ticket)
            flying.append(len(out))
            queue.started(len(out), item)
        assert queue.in_flight <= 3

    for number, (size, acknowledge) in enumerate(steps):
        if queue.offer(message(size, name=str(number))):
            accepted.append(str(number))
        send()
        if acknowledge and flying:
            assert queue.finished(flying.pop(0)) is not None
    send()
    while flying:
        assert queue.finished(flying.pop(0)) is not None
        send()
    assert out == accepted
