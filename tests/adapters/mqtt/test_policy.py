# SPDX-License-Identifier: MIT
"""Keepalive, backoff and the choice of version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.adapters.mqtt.policy import (
    ASK_FOR_FIVE_AGAIN,
    UNKNOWN_BROKER_TIMEOUT,
    Backoff,
    Keepalive,
    Versions,
)
from federation.limits import CONNECT_TIMEOUT


class TestKeepalive:
    def test_a_quiet_connection_is_pinged_after_the_interval(self) -> None:
        keepalive = Keepalive(15, now=100)
        assert keepalive.action(114.9, listening=True) == "none"
        assert keepalive.action(115, listening=True) == "ping"

    def test_a_ping_is_not_repeated_at_once(self) -> None:
        keepalive = Keepalive(15, now=0)
        assert keepalive.action(15, listening=True) == "ping"
        assert keepalive.action(16, listening=True) == "none"
        assert keepalive.action(22, listening=True) == "none"

    def test_silence_for_one_and_a_half_intervals_is_death(self) -> None:
        keepalive = Keepalive(15, now=0)
        assert keepalive.action(22.4, listening=True) == "ping"
        assert keepalive.action(22.5, listening=True) == "dead"

    def test_what_we_send_does_not_hide_a_dead_broker(self) -> None:
        keepalive = Keepalive(15, now=0)
        for second in range(23):
            keepalive.sent(second)
        assert keepalive.action(23, listening=True) == "dead"

    def test_a_broker_that_talks_is_alive_and_still_hears_of_us(self) -> None:
        keepalive = Keepalive(15, now=0)
        actions = []
        for second in range(1, 61):
            keepalive.received(second)
            actions.append(keepalive.action(second, listening=True))
        assert actions.count("ping") == 4
        assert "dead" not in actions

    def test_a_pause_is_not_death_and_pings_go_on(self) -> None:
        keepalive = Keepalive(15, now=0)
        actions = [keepalive.action(second, listening=False) for second in range(1, 301)]
        assert actions.count("ping") == 20
        assert "dead" not in actions
        keepalive.received(300)
        assert keepalive.action(301, listening=True) == "none"

    def test_zero_switches_it_off(self) -> None:
        assert Keepalive(0, now=0).action(10_000, listening=True) == "none"


class TestBackoff:
    def test_doubles_from_a_tenth_to_five_seconds(self) -> None:
        backoff = Backoff(lambda: 0.0)
        delays = [backoff.delay() for _ in range(9)]
        assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]

    def test_reset_begins_again(self) -> None:
        backoff = Backoff(lambda: 0.0)
        backoff.delay()
        backoff.delay()
        backoff.reset()
        assert backoff.delay() == 0.1

    @given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50))
    def test_jitter_only_shortens_and_never_by_more_than_half(self, numbers: list[float]) -> None:
        given_numbers = iter(numbers)
        jittered, plain = Backoff(lambda: next(given_numbers)), Backoff(lambda: 0.0)
        for _ in numbers:
            base = plain.delay()
            assert base / 2 <= jittered.delay() <= base


class TestVersions:
    def test_five_comes_first(self) -> None:
        versions = Versions()
        assert versions.choose(0) == 5
        assert versions.timeout(5) == UNKNOWN_BROKER_TIMEOUT
        versions.succeeded(5)
        assert versions.choose(1) == 5
        assert versions.timeout(5) == CONNECT_TIMEOUT

    @pytest.mark.parametrize(("refused", "reached"), [(True, True), (False, True)])
    def test_a_broker_without_five_is_asked_with_four_at_once(
        self, refused: bool, reached: bool
    ) -> None:
        versions = Versions()
        assert versions.choose(0) == 5
        assert versions.failed(5, refused_version=refused, reached=reached)
        assert versions.choose(0) == 4
        assert versions.timeout(4) == CONNECT_TIMEOUT

    def test_four_is_remembered_and_five_asked_for_again_rarely(self) -> None:
        versions = Versions()
        versions.choose(1000)
        versions.failed(5, refused_version=True, reached=True)
        versions.choose(1000)
        versions.succeeded(4)
        assert versions.choose(1001) == 4
        assert versions.choose(1000 + ASK_FOR_FIVE_AGAIN - 1) == 4
        assert versions.choose(1000 + ASK_FOR_FIVE_AGAIN) == 5
        assert versions.failed(5, refused_version=False, reached=True)
        assert versions.choose(1000 + ASK_FOR_FIVE_AGAIN) == 4

    def test_a_host_that_is_not_there_says_nothing_about_versions(self) -> None:
        versions = Versions()
        versions.choose(0)
        assert not versions.failed(5, refused_version=False, reached=False)
        assert versions.choose(1) == 5

    def test_when_neither_works_five_is_next(self) -> None:
        versions = Versions()
        versions.choose(0)
        assert versions.failed(5, refused_version=False, reached=True)
        versions.choose(0)
        assert not versions.failed(4, refused_version=False, reached=True)
        assert versions.choose(1) == 5

    def test_a_broker_known_to_speak_five_is_not_doubted_for_one_bad_attempt(self) -> None:
        versions = Versions()
        versions.choose(0)
        versions.succeeded(5)
        assert not versions.failed(5, refused_version=False, reached=True)
        assert versions.choose(1) == 5

    def test_unless_it_was_replaced_by_one_that_says_so(self) -> None:
        versions = Versions()
        versions.choose(0)
        versions.succeeded(5)
        assert versions.failed(5, refused_version=True, reached=True)
        assert versions.choose(1) == 4
