# SPDX-License-Identifier: MIT
"""The method table: complete, documented, and every refusal one that exists."""

from __future__ import annotations

import re

import pytest

from federation.errors import REASONS
from federation.rpc.methods import ALWAYS, METHODS, Method


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_every_method_is_documented(method: Method) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z]+)?", method.name)
    assert method.summary.endswith(".")
    assert method.result
    assert all(words for words in method.result.values())
    assert set(method.refusals) <= set(REASONS)
    assert len(set(method.refusals)) == len(method.refusals)
    assert method.params.__doc__


def test_the_table_is_by_name() -> None:
    assert all(name == method.name for name, method in METHODS.items())
    assert set(ALWAYS) <= set(REASONS)


def test_what_the_contract_and_emacs_call() -> None:
    assert {
        "rpc.discover", "status", "health", "identity.show", "identity.words", "identity.create",
        "identity.load", "identity.sign", "identity.verify", "peers.list", "peers.announce",
        "peers.connect", "trust.accept", "trust.block", "sync.file", "sync.all", "sync.status",
        "documents.list", "documents.history", "documents.export", "documents.restore",
        "conflicts.list", "conflicts.resolve", "message.send", "topic.publish", "topic.subscribe",
        "topic.unsubscribe", "broker.open", "broker.close", "config.show", "logs.tail",
        "events.subscribe", "shutdown",
    } <= set(METHODS)  # fmt: skip


def test_no_method_takes_or_gives_a_private_key() -> None:
    for method in METHODS.values():
        fields = {*method.params.__struct_fields__, *method.result}
        assert not {"private_key", "seed", "secret_key"} & fields
