# SPDX-License-Identifier: MIT
"""What verbs share: where the state and the configuration are, and who a peer is."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.adapters import runtime
from federation.adapters.runtime import Running
from federation.cli.context import Context
from federation.cli.output import CommandError
from federation.cli.parser import build
from federation.errors import Refusal
from tests.cli.peer import standing_in

ONE, TWO = "peer-" + "a" * 52, "peer-" + "ab" * 26
ME = "peer-" + "c" * 52
PEERS = {
    "peers.list": {"peers": [{"peer_id": ONE, "name": "ann"}, {"peer_id": TWO, "name": None}]},
    "status": {"peer_id": ME, "name": "me"},
}


def context(*words: str, **environ: str) -> Context:
    return Context(build().parse_args(words), environ)


def test_flags_variables_and_file_come_together(state: Path) -> None:
    (state / "config.toml").write_text("trust.policy = 'paired'\nlog.level = 'error'\n")
    made = context("status", "--log-level", "debug", META_LOG_PEER_SYNC_LOG_FORMAT="json")
    config = made.settings(state)
    assert [config.values[name].source for name in ("trust.policy", "log.level", "log.format")] == [
        "file", "flag --log-level", "META_LOG_PEER_SYNC_LOG_FORMAT"
    ]  # fmt: skip


def test_a_named_file_has_to_be_there(home: Path, state: Path) -> None:
    assert context("status").config_text(state) is None
    for made in (
        context("status", "--config", "~/c.toml", HOME=str(home)),
        context("status", META_LOG_PEER_SYNC_CONFIG="~/c.toml", HOME=str(home)),
    ):
        with pytest.raises(Refusal) as caught:
            made.config_text(state)
        assert caught.value.reason == "file-not-found"
    (home / "c.toml").write_text("log.level = 'error'")
    assert made.settings(state).choice("log.level") == "error"


def test_a_file_that_others_may_write_is_refused(state: Path) -> None:
    (state / "config.toml").touch()
    (state / "config.toml").chmod(0o666)
    with pytest.raises(Refusal) as caught:
        context("status").settings(state)
    assert caught.value.reason == "config-unsafe-mode"


def test_who_a_peer_is(state: Path) -> None:
    with standing_in(state, PEERS):
        made = context("status", "--state-dir", str(state))
        assert made.peer_id("ann") == ONE
        assert made.peer_id("peer-aaaa") == ONE
        assert made.peer_id(TWO[:13]) == TWO
        for text, said in (("bob", "bob"), ("peer-zzzz", ""), ("", ""), ("\x1b[2J", "\ufffd")):
            with pytest.raises(CommandError) as caught:
                made.peer_id(text)
            assert caught.value.reason == "unknown-peer"
            assert said in caught.value.message
        made.close()


@pytest.mark.parametrize(("text", "said"), [
    ("peer-a", ("4 characters after peer-", f"it begins {ONE[:13]} (ann), {TWO[:13]}")),
    ("peer-aba", ("is too short", f"it begins {TWO[:13]}")),
    ("peer-z", ("is too short", "`peers` lists whole ids")),
    ("peer-", ("is too short", ONE[:13])),
    ("peer-AAAA", ("a to z and 2 to 7", "copy it")),
    (ONE + "a", ("52 of them", "copy it")),
])  # fmt: skip
def test_what_cannot_be_an_id_is_told_so(state: Path, text: str, said: tuple[str, str]) -> None:
    with standing_in(state, PEERS):
        made = context("status", "--state-dir", str(state))
        with pytest.raises(CommandError) as caught:
            made.peer_id(text)
        error = caught.value
        assert (error.reason, error.exit_code) == ("bad-peer-id", 2)
        assert said[0] in error.message
        assert said[1] in error.hint
        made.close()


def test_several_are_told_apart_by_more_of_their_ids(state: Path) -> None:
    ids = ["peer-" + "a" * 20 + digit * 32 for digit in "bcdefgh"]
    with standing_in(state, {"peers.list": {"peers": [{"peer_id": one} for one in ids]}}):
        made = context("status", "--state-dir", str(state))
        with pytest.raises(CommandError) as caught:
            made.peer_id("peer-aaaa")
        named = caught.value.message.partition(" may be ")[2].split(", ")
        assert named == [*(one[:26] for one in ids[:5]), "2 more"]
        made.close()


def test_a_broken_file_is_named(state: Path) -> None:
    (state / "config.toml").write_text("x = 1\nbroker = ]")
    with pytest.raises(Refusal) as caught:
        context("status").settings(state)
    assert caught.value.reason == "config-bad-config"
    assert f"{state}/config.toml at line 2" in caught.value.message
    assert "config --reset" in caught.value.hint


def test_a_name_of_two_peers_is_refused(state: Path) -> None:
    both = {"peers.list": {"peers": [{"peer_id": ONE, "name": "x"}, {"peer_id": TWO, "name": "x"}]}}
    with standing_in(state, both):
        made = context("status", "--state-dir", str(state))
        with pytest.raises(CommandError) as caught:
            made.peer_id("x")
        assert caught.value.reason == "ambiguous-peer"
        assert all(one[:13] in caught.value.message for one in (ONE, TWO))
        made.close()


@pytest.mark.parametrize("text", ["me", ME[:13]])
def test_the_peer_itself_is_no_other(state: Path, text: str) -> None:
    with standing_in(state, PEERS):
        made = context("status", "--state-dir", str(state))
        with pytest.raises(CommandError) as caught:
            made.peer_id(text)
        assert caught.value.reason == "own-peer"
        made.close()


def test_of_several_running_peers_one_has_to_be_chosen(
    home: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason(*words: str, **environ: str) -> Refusal:
        with pytest.raises(Refusal) as caught:
            context("status", *words, **environ).client()
        return caught.value

    running = [Running(home / name, home / name / "s", 1) for name in ("one", "two")]
    monkeypatch.setattr(runtime, "running_peers", lambda: running)
    found = reason()
    assert found.reason == "several-running-peers"
    assert all(str(one.state_dir) in found.message for one in running)
    assert found.hint == f"choose one: --state-dir {home / 'one'}"
    assert reason("--state-dir", str(state)).reason == "no-running-peer"
    assert reason(META_LOG_PEER_SYNC_STATE_DIR=str(state)).reason == "no-running-peer"
    monkeypatch.setattr(runtime, "running_peers", lambda: running[:1])
    assert reason().reason == "no-running-peer"


def test_a_whole_id_is_not_looked_up(state: Path) -> None:
    assert context("status", "--state-dir", str(state)).peer_id(ONE) == ONE


def test_paths_are_absolute(home: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    made = context("status", "--broker-ca-file", "ca.pem", HOME=str(home),
                   META_LOG_PEER_SYNC_IDENTITY_PASSPHRASE_FILE="~/secret")  # fmt: skip
    settings = made.settings(state)
    assert settings.text("broker.ca_file") == str(home / "ca.pem")
    assert settings.text("identity.passphrase_file") == str(home / "secret")
