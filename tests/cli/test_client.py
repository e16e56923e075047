# SPDX-License-Identifier: MIT
"""The client: answers, refusals, and a peer that leaves or never answers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from federation import limits
from federation.adapters import runtime
from federation.cli.client import Client
from federation.cli.output import CommandError
from federation.errors import Refusal
from tests.cli.peer import standing_in


def test_an_answer(state: Path) -> None:
    big = "x" * (9 * limits.MIB)
    answers = {"status": {"version": "1"}, "echo": lambda params: {"got": params, "big": big}}
    with standing_in(state, answers) as peer, Client(runtime.socket_path(state)) as client:
        assert client.call("status") == {"version": "1"}
        assert client.call("echo", {"a": "\u00e9"}) == {"got": {"a": "\u00e9"}, "big": big}
    assert peer.asked == [("status", {}), ("echo", {"a": "\u00e9"})]


def test_a_refusal_keeps_its_reason(state: Path) -> None:
    answers = {"status": Refusal("unknown-peer", "peer-x")}
    with standing_in(state, answers), Client(runtime.socket_path(state)) as client:
        with pytest.raises(CommandError) as caught:
            client.call("status")
        error = caught.value
        assert (error.reason, error.code, error.exit_code) == ("unknown-peer", 4005, 2)
        assert "peer-x" in error.message
        assert error.hint


def test_a_peer_that_leaves(state: Path) -> None:
    with standing_in(state, {"status": None}), Client(runtime.socket_path(state)) as client:
        with pytest.raises(Refusal) as caught:
            client.call("status")
        assert caught.value.reason == "shutting-down"


def test_a_peer_that_never_answers(state: Path) -> None:
    place = state / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        with Client(place) as client, pytest.raises(Refusal) as caught:
            client.call("status", timeout=0.05)
        assert caught.value.reason == "timeout"


def test_nobody_listens(state: Path) -> None:
    with pytest.raises(Refusal) as caught:
        Client(state / "nothing")
    assert caught.value.reason == "no-running-peer"


def test_events_are_kept_and_waited_for(state: Path) -> None:
    # the stand-in sends a notification (without events) before each answer
    with standing_in(state, {"status": {}}), Client(runtime.socket_path(state)) as client:
        client.call("status")
        assert client.events(0.05) == []
        client._keep({"method": "events", "params": {"events": [{"event": "ready"}]}})
        client._keep({"method": "other", "params": {"events": [{"event": "no"}]}})
        assert client.events(0) == [{"event": "ready"}]
        assert client.events(0) == []
