# SPDX-License-Identifier: MIT
"""The verb config: shows, sets, resets, and keeps what it does not change."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.cli.settings import edit
from federation.config import KEYS, read_file, resolve
from tests.cli.conftest import Run
from tests.cli.peer import standing_in


def test_every_key_is_shown(run: Run) -> None:
    shown = run("config", "--json").data["config"]
    assert shown.keys() == KEYS.keys()
    assert run("config").out.count("\n") == len(KEYS) + 1
    shown = run("config", "--json", MQTT_PASSWORD="canary-7").out
    assert "canary" not in shown


def test_one_key(run: Run) -> None:
    data = run("config", "trust.policy", "--json", META_LOG_PEER_SYNC_TRUST_POLICY="paired").data
    assert (data["value"], data["source"]) == ("paired", "META_LOG_PEER_SYNC_TRUST_POLICY")
    assert (data["default"], data["flag"]) == ("ask", "--trust-policy")
    assert "paired | ask | announced" in run("config", "trust.policy").out
    assert run("config", "trust.polcy", "--json").error["reason"] == "config-unknown-key"


def test_values_are_spelled_as_the_file_spells_them(run: Run, state: Path) -> None:
    there = ("--state-dir", str(state))
    (state / "config.toml").write_text("files.extensions = ['.csv']\nlimits.heartbeat = 2.5\n")
    rows = dict(line.split(None, 1) for line in run("config", *there).out.splitlines())
    assert rows["broker.allow_plaintext"].split() == ["false", "default"]
    assert rows["files.extensions"].split() == ['[".csv"]', "file"]
    assert rows["limits.heartbeat"].split() == ["2.5", "file"]
    assert rows["broker.ca_file"].split() == ["-", "default"]
    assert "broker.allow_plaintext  false\n" in run("config", "broker.allow_plaintext", *there).out
    outcome = run("config", "broker.allow_plaintext", "yes", *there)
    assert outcome.out == "broker.allow_plaintext  true\n"
    for name, value in (("broker.allow_plaintext", "true"), ("files.extensions", "['.csv']")):
        assert f"{name.partition('.')[2]} = {value}" in (state / "config.toml").read_text()


def test_setting_a_key_keeps_the_rest(run: Run, state: Path) -> None:
    file = state / "config.toml"
    file.write_text("# mine\n[trust]\npolicy = 'ask' # why\n")
    there = ("--state-dir", str(state))
    assert run("config", "log.level", "debug", *there).code == 0
    assert run("config", "files.extensions", ".csv .tsv", *there).code == 0
    assert run("config", "limits.heartbeat", "2.5", *there).code == 0
    text = file.read_text()
    assert "# mine" in text
    assert "# why" in text
    assert read_file(text) == {"trust.policy": "ask", "log.level": "debug",
                               "files.extensions": [".csv", ".tsv"],
                               "limits.heartbeat": 2.5}  # fmt: skip
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("config", "log.level", "--reset", *there).code == 0
    assert "log.level" not in read_file(file.read_text())


@pytest.mark.parametrize(("key", "value", "reason"), [
    ("limits.document", "-1", "config-bad-limit"), ("trust.policy", "all", "config-bad-value"),
    ("broker.url", "gopher://x", "config-bad-url"),
    ("broker.url", "mqtt://broker.example", "config-plaintext-non-loopback"),
    ("broker.password", "canary-7", "config-secret-in-argv"),
    ("broker.lurk", "x", "config-unknown-key"),
])  # fmt: skip
def test_what_is_refused_changes_nothing(
    run: Run, state: Path, key: str, value: str, reason: str
) -> None:
    outcome = run("config", key, value, "--json", "--state-dir", str(state))
    assert (outcome.code, outcome.error["reason"]) == (2, reason)
    assert "canary" not in outcome.err
    assert not (state / "config.toml").exists()


def test_a_wrong_file_is_not_made_worse(run: Run, state: Path) -> None:
    file = state / "config.toml"
    file.write_text("nonsense = 1\n")
    outcome = run("config", "log.level", "debug", "--json", "--state-dir", str(state))
    assert outcome.error["reason"] == "config-unknown-key"
    assert file.read_text() == "nonsense = 1\n"
    outcome = run("config", "--reset", "--json", "--state-dir", str(state))
    assert outcome.data == {"file": str(file), "kept": str(file) + ".old"}
    assert not file.exists()
    assert (state / "config.toml.old").read_text() == "nonsense = 1\n"
    assert run("config", "--reset", "--state-dir", str(state)).code == 0


def test_a_stronger_source_and_a_running_peer_are_mentioned(run: Run, state: Path) -> None:
    with standing_in(state, {}):
        out = run("config", "log.level", "debug", META_LOG_PEER_SYNC_LOG_LEVEL="error").out
    assert "META_LOG_PEER_SYNC_LOG_LEVEL is stronger" in out
    assert "starts again" in out


def test_a_file_elsewhere(run: Run, home: Path) -> None:
    file = home / "c.toml"
    assert run("config", "log.level", "debug", "--config", str(file)).code == 0
    assert run("config", "log.level", "--config", str(file), "--json").data["value"] == "debug"


def test_wrong_usage(run: Run) -> None:
    assert run("config", "log.level", "debug", "--reset").code == 2


@given(
    st.sampled_from(["", "# c\n", "[log]\n", "log.format = 'json'\n", "[log]\nformat='json'#\n"])
)
def test_editing_any_form_of_table(text: str) -> None:
    after = edit(text, "log.level", "debug")
    assert resolve({}, {}, after).choice("log.level") == "debug"
    assert read_file(edit(after, "log.level", None)) == read_file(text)
