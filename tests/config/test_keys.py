# SPDX-License-Identifier: MIT
"""The table of keys: three spellings each, no two alike, every default in its own range."""

from __future__ import annotations

from typing import get_args

import pytest

from federation.config import KEYS, PREFIX, find
from federation.config.keys import DEFAULT_EXTENSIONS, FORBIDDEN, FORBIDDEN_ENDINGS, HOOK_EVENTS
from federation.config.values import check
from federation.errors import REASONS, Refusal
from federation.events import EVENTS
from federation.node.context import NodeSettings, Strategy


def test_the_fixed_keys_are_there() -> None:
    fixed = {"broker.url", "trust.policy", "merge.strategy", "identity.protection",
             "identity.passphrase_file", "log.level", "log.format"}  # fmt: skip
    assert fixed <= KEYS.keys()
    assert any(name.startswith("limits.") for name in KEYS)


def test_every_strategy_of_the_node_can_be_chosen_and_no_other() -> None:
    key = find("merge.strategy")
    assert key.choices == get_args(Strategy)
    assert key.default == NodeSettings().strategy == "auto_merge"
    for name in get_args(Strategy):
        assert check(key, name) == name
    with pytest.raises(Refusal, match="config-bad-value"):
        check(key, "prefer_newest")


def test_a_key_has_three_spellings() -> None:
    key = find("trust.policy")
    assert (key.variable, key.flag) == ("META_LOG_PEER_SYNC_TRUST_POLICY", "--trust-policy")
    key = find("identity.passphrase_file")
    assert key.variable == "META_LOG_PEER_SYNC_IDENTITY_PASSPHRASE_FILE"
    assert key.flag == "--identity-passphrase-file"


@pytest.mark.parametrize("spelling", ["variable", "flag"])
def test_no_two_keys_share_a_spelling(spelling: str) -> None:
    spelled = [getattr(key, spelling) for key in KEYS.values() if getattr(key, spelling)]
    assert len(spelled) == len(set(spelled))


def test_secrets_have_no_flag() -> None:
    assert [key.name for key in KEYS.values() if key.flag is None] == ["broker.password"]


def test_every_default_is_in_its_own_range() -> None:
    for key in KEYS.values():
        if key.default is not None:
            raw = list(key.default) if isinstance(key.default, tuple) else key.default
            assert check(key, raw) == key.default


def test_every_key_explains_itself() -> None:
    for key in KEYS.values():
        assert key.help.endswith(".")
        assert key.form
        assert key.variable.startswith(PREFIX)


def test_the_hooks_are_the_events() -> None:
    # what is typed goes to editors alone
    assert set(HOOK_EVENTS) == set(EVENTS) - {"document-edited"}


def test_forbidden_names_have_reasons_and_are_no_keys() -> None:
    assert set(FORBIDDEN.values()) <= REASONS.keys()
    parts = {part for key in KEYS.values() if not key.secret for part in key.name.split(".")}
    assert not parts & FORBIDDEN.keys()


def test_no_default_ending_is_forbidden() -> None:
    assert not FORBIDDEN_ENDINGS & set(DEFAULT_EXTENSIONS)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("trust.polcy", "trust.policy"), ("broker_url", "broker.url"), ("xyzzy", None)],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(wrong: str, meant: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        find(wrong)
    assert caught.value.reason == "config-unknown-key"
    assert wrong in caught.value.message
    assert meant is None or meant in caught.value.message


def test_a_name_from_outside_is_shown_harmlessly() -> None:
    with pytest.raises(Refusal) as caught:
        find("a\x1b[31m\u202eb" + "c" * 500)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200
