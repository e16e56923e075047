# SPDX-License-Identifier: MIT
"""Options and their defaults."""

from __future__ import annotations

import dataclasses

import pytest

from federation.adapters.mqtt import ConnectionInfo, MqttCallbacks, MqttOptions
from federation.limits import WIRE_MESSAGE


def test_only_a_client_id_is_needed() -> None:
    options = MqttOptions(client_id="me")
    assert (options.username, options.password, options.ca_file) == (None, None, None)
    assert (options.persistent, options.no_local) == (False, False)
    assert (options.keepalive, options.max_payload) == (15, WIRE_MESSAGE)


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(MqttOptions(client_id="me", username="me", password="hunter2"))


def test_options_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MqttOptions(client_id="me").client_id = "you"  # type: ignore[misc]


def test_an_owner_may_listen_to_messages_only() -> None:
    callbacks = MqttCallbacks(on_message=lambda *message: None)
    callbacks.on_up(ConnectionInfo("5", False))
    callbacks.on_down("reason")
    callbacks.on_unreachable("reason")
    assert callbacks.make_will() is None
