# SPDX-License-Identifier: MIT
"""The verb ``doctor``, without a running peer and with a stand-in for one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from federation import __version__
from federation.adapters import runtime
from federation.adapters.store import schema
from tests.cli.conftest import Outcome, Run
from tests.cli.peer import standing_in

NOWHERE = {"META_LOG_MQTT_BROKER": "mqtt://127.0.0.1:1"}
STATUS: dict[str, Any] = {
    "version": "0.0.1", "peer_id": "peer-" + "a" * 52, "front_ends": 2, "uptime": 7.0,
    "refusals": {"self-peer": 3},
    "broker": {"url": "mqtt://127.0.0.1:1", "state": "connecting", "embedded": False, "kind": None,
               "protocol": None, "error": "refused: Bad user name or password"},
}  # fmt: skip


def cases(outcome: Outcome) -> dict[str, str]:
    """Check -> case, of what is worth one."""
    return {one["name"]: one["case"] for one in outcome.data["checks"] if one["case"]}


def test_a_new_user(run: Run, home: Path) -> None:
    found = run("doctor", "--json", "--state-dir", str(home / "new"), **NOWHERE)
    assert cases(found) == {"broker": "broker-unreachable"}
    assert (found.code, found.data["healthy"]) == (1, False)
    assert not (home / "new").exists()
    people = run("doctor", "--state-dir", str(home / "new"), **NOWHERE)
    assert "cure: start the broker" in people.out
    assert people.out.endswith("1 error, 0 warnings\n")


def test_what_is_wrong_with_files(run: Run, state: Path) -> None:
    def look() -> dict[str, str]:
        return cases(run("doctor", "--json", "--state-dir", str(state), **NOWHERE))

    (state / "config.toml").write_text("broker = ")
    assert look() == {"config": "config-unreadable"}
    (why,) = (one for one in run("doctor", "--json", **NOWHERE, META_LOG_PEER_SYNC_STATE_DIR=str(
        state)).data["checks"] if one["case"])  # fmt: skip
    assert str(state / "config.toml") in why["found"]
    (state / "config.toml").unlink()
    run("identity", "create", "--state-dir", str(state))
    assert "identity" not in look()
    (state / "identity.json").chmod(0o644)
    assert look()["identity"] == "identity-open"
    (state / "identity.json").chmod(0o600)
    (state / "identity.json").write_text("{}")
    assert look()["identity"] == "identity-damaged"
    (state / "store.db").write_bytes(b"no database at all" * 100)
    assert look()["state"] == "store-damaged"
    store = bytearray(b"SQLite format 3\0".ljust(100, b"\0"))
    store[60:64] = (schema.VERSION + 1).to_bytes(4, "big")
    (state / "store.db").write_bytes(store)
    assert look()["state"] == "state-newer"
    later = time.time() + 7200
    os.utime(state / "store.db", (later, later))
    assert look()["clock"] == "clock-back"
    state.chmod(0o777)
    assert look()["state"] == "state-open"
    state.chmod(0o700)
    before = sorted(path.name for path in state.iterdir())
    look()
    assert sorted(path.name for path in state.iterdir()) == before


def test_a_folder_that_the_start_refuses_is_not_well(run: Run, home: Path) -> None:
    folder = home / "music"
    folder.mkdir()
    (folder / "song.ogg").touch()
    folder.chmod(0o755)
    found = run("doctor", "--json", "--state-dir", str(folder), **NOWHERE)
    assert cases(found)["state"] == "state-open"
    (state,) = (one for one in found.data["checks"] if one["name"] == "state")
    start = run("identity", "create", "--json", "--state-dir", str(folder))
    assert start.error["reason"] == "config-unsafe-mode"
    assert start.error["message"] in state["found"]
    assert start.error["hint"] == state["cure"]
    folder.chmod(0o700)
    assert run("identity", "create", "--state-dir", str(folder)).code == 0
    folder.chmod(0o755)  # the start corrects it by itself now
    found = run("doctor", "--json", "--state-dir", str(folder), **NOWHERE)
    assert "state" not in cases(found)


def test_a_runtime_directory_of_all_is_found(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> dict[str, str]:
        found = run("doctor", "--json", "--state-dir", str(home / "new"), **NOWHERE)
        (one,) = (one for one in found.data["checks"] if one["name"] == "runtime")
        return dict(one)

    assert look()["state"] == "ok"
    (home / "run").chmod(0o777)
    unused = look()
    assert (unused["case"], unused["state"]) == ("runtime-unused", "warning")
    assert str(home / "run") in unused["found"]
    assert f"chmod 700 {home / 'run'}" in unused["cure"]
    # Some versions of platformdirs take what is named, without a look at it.
    monkeypatch.setattr(platformdirs, "user_runtime_dir", lambda name: str(home / "run" / name))
    unsafe = look()
    assert (unsafe["case"], unsafe["state"]) == ("runtime-unsafe", "error")
    assert f"chmod 700 {home / 'run'}" in unsafe["cure"]
    assert list((home / "run").iterdir()) == []


def test_a_folder_for_other_things_is_left_alone(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".config").mkdir()
    opened: list[str] = []
    real = os.open

    def watched(path: str, *given: int) -> int:
        opened.append(str(path))
        return real(path, *given)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", watched)
        found = run("doctor", "--json", "--state-dir", str(home / ".config"), **NOWHERE)
    assert cases(found) == {"state": "state-unsafe", "broker": "broker-unreachable"}
    assert [path for path in opened if ".doctor" in path] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owner(run: Run, state: Path) -> None:
    os.chown(state, 65534, -1)
    found = run("doctor", "--json", "--state-dir", str(state), **NOWHERE)
    assert cases(found) == {"state": "state-owner", "broker": "broker-unreachable"}
    # The other way round: the folder lets nobody in.
    os.chown(state, 0, -1)
    (state / "config.toml").touch(mode=0o600)
    for folder in (state.parent, state.parent.parent):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        found = run("doctor", "--json", "--state-dir", str(state), **NOWHERE)
    finally:
        os.seteuid(0)
    assert cases(found)["state"] == "state-owner"
    assert not {"config", "disk", "identity"} & set(cases(found))


def test_a_wrong_passphrase(run: Run, state: Path) -> None:
    # Each derivation of a key takes half a second: there are two here.
    for name, text in (("right", "correct horse"), ("wrong", "battery staple")):
        (state.parent / name).write_text(text)
        (state.parent / name).chmod(0o600)
    flags = ("--state-dir", str(state), "--identity-protection", "passphrase")
    file = ("--identity-passphrase-file", str(state.parent / "right"))
    assert run("identity", "create", *flags, *file).code == 0
    locked = run("doctor", "--json", *flags, **NOWHERE)
    assert cases(locked)["identity"] == "identity-locked"
    file = ("--identity-passphrase-file", str(state.parent / "wrong"))
    wrong = run("doctor", "--json", *flags, *file, **NOWHERE)
    assert cases(wrong)["identity"] == "identity-passphrase"


def test_of_several_running_peers_one_has_to_be_named(run: Run, home: Path) -> None:
    """It would look at a folder that nobody meant, and find no peer there."""
    one, two = home / "one", home / "two"
    for folder in (one, two):
        folder.mkdir(mode=0o700)
    with standing_in(one, {}), standing_in(two, {}):
        found = run("doctor", "--json", **NOWHERE)
    assert (found.code, found.error["reason"]) == (1, "several-running-peers")
    assert str(one) in found.error["message"] + str(found.error)


def test_a_process_that_hangs(run: Run, state: Path) -> None:
    lock = runtime.StateLock.acquire(state)
    found = run("doctor", "--json", "--state-dir", str(state), **NOWHERE)
    assert cases(found)["instance"] == "instance-hangs"
    lock.release()
    found = run("doctor", "--json", "--state-dir", str(state), **NOWHERE)
    assert "instance" not in cases(found)


def test_more_is_known_of_a_running_peer(run: Run, state: Path) -> None:
    others = [
        {"name": name, "short": name, "online": True, "trust": "unknown", "clock_offset": offset}
        for name, offset in (("ada", 7200.0), ("ben", 7190.0))
    ]
    answers = {"status": STATUS, "health": {"checks": [
        {"name": "store", "ok": False, "detail": "database or disk is full"}]},
        "peers.list": {"peers": others}}  # fmt: skip
    with standing_in(state, answers):
        found = run("doctor", "--json", "--state-dir", str(state))
        people = run("doctor", "--state-dir", str(state)).out.splitlines()
    # What is well needs no cure, also where there is something to say about it.
    (well,) = (at for at, line in enumerate(people) if line.split()[:2] == ["ok", "instance"])
    assert "why:" not in people[well + 1]
    assert sum("cure:" in line for line in people) == len(cases(found)) - 1
    assert cases(found) == {
        "version": "old-peer", "disk": "disk-full", "identity": "identity-cloned",
        "instance": "instance-other", "broker": "broker-password", "peers": "peers-refused",
        "clock": "clock-own",
    }  # fmt: skip
    assert found.data["version"] == __version__
