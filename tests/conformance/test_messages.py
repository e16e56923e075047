# SPDX-License-Identifier: MIT
"""The shared bad inputs and controls of the wire, against a real peer behind a real broker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federation.wire import topics
from tests.conformance import badinputs, mapping
from tests.conformance.badinputs import Case, identities, signed
from tests.conformance.world import World, digest, world

pytestmark = pytest.mark.mosquitto

Worlds = Callable[[str, str], World]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """One world for each layer and receiver, so that one layer's documents are not another's."""
    made: dict[tuple[str, str], World] = {}
    with contextlib.ExitStack() as stack:

        def give(layer: str, receiver: str) -> World:
            if (layer, receiver) not in made:
                sandbox = tmp_path_factory.mktemp("w") / f"{layer}-{receiver}"
                made[layer, receiver] = stack.enter_context(world(sandbox, receiver))
            return made[layer, receiver]

        yield give


def _receiver(case: Case) -> str:
    # Its note says so; its row does not.
    default = "alice" if case.name == "sync-self-echo-forged" else "bob"
    return str(case.row.get("receiver", default))


def _is_crdt(case: Case) -> bool:
    return case.name.startswith("crdt-") or "canvasl-ops" in str(case.row["payload"])[:400]


ALL = [case for case in badinputs.cases("mqtt-announce", "mqtt-sync", "file-name", "canvasl")
       if not _is_crdt(case)]  # fmt: skip
STORED = [case for case in ALL if case.accepted or case.reason == "evaluation"]
REFUSED = [case for case in ALL if case not in STORED]


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Case, worlds: Worlds) -> None:
    if case.name in mapping.SKIPPED:
        pytest.skip(mapping.SKIPPED[case.name])
    here = worlds(case.layer, _receiver(case))
    payload = mapping.payload(case)
    with _made(here, case):
        _first(here, case, payload)
        here.log_lines()
        before = here.before()
        lines = here.send(case.topic, payload, retain=bool(case.row.get("retain")))
        here.check_alive(before)
        here.check_no_secret(lines)
        if case.name in mapping.DEFERRED:
            _check_deferred(here, case, lines)
            return
        here.check_untouched(before)
    if case.row.get("retain"):
        here.send(case.topic, b"", retain=True)
    reason = mapping.REASONS.get(case.name, case.reason)
    refusals = [line for line in lines if "a message was refused" in line]
    assert len(refusals) == 1, lines
    assert f" reason={reason} " in refusals[0] + " "


def _check_deferred(here: World, case: Case, lines: list[str]) -> None:
    """The file that an editor has open stays; the revision is there for later."""
    file, content = case.row["payload"]["file"], case.row["payload"]["content"].encode()
    assert here.contents(file) == {digest(content)}
    assert not (here.peer.synced / file).exists()
    assert any("path-local-modified" in line for line in lines)
    (here.peer.synced / f".#{file}").unlink()
    here.peer.wait((here.peer.synced / file).exists, what="written once the editor is done")
    assert (here.peer.synced / file).read_bytes() == content


def _first(here: World, case: Case, payload: bytes) -> None:
    """The ``pre`` of a case, but for trust, which the world has decided."""
    for step in case.row.get("pre", []):
        if step == "send:same":
            here.send(topics.SYNC, payload)
            file = case.row["payload"]["file"]
            assert digest(case.row["payload"]["content"].encode()) in here.contents(file)
        elif step == "restart:sidecar":
            here.peer.kill()
            here.peer.start()
        elif step == "send:sync seq=7 content=fork-a":
            message = {**case.row["payload"], "content": "fork-a"}
            del message["signature"]
            here.send(case.topic, json.dumps(signed(message, "alice")).encode())
            assert digest(b"fork-a") in here.contents(message["file"])
        else:
            assert step.startswith("revoke:"), step
    here.wait_written()


# --- the file system of a case ------------------------------------------------------------


@contextlib.contextmanager
def _made(here: World, case: Case) -> Iterator[None]:
    """Make what ``setup`` describes, and undo it."""
    setup = case.row.get("setup")
    if setup is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        _SETUPS[setup](here, stack)
        yield


def _link_loop(here: World, stack: contextlib.ExitStack) -> None:
    link = here.peer.synced / "loop"
    link.symlink_to("loop")
    stack.callback(link.unlink)


def _link_root(here: World, stack: contextlib.ExitStack) -> None:
    # Not to / itself: a peer that fails here must not harm this machine.
    synced, aside, elsewhere = (
        here.peer.synced, here.peer.state_dir / "aside", here.sandbox / "elsewhere"
    )  # fmt: skip
    elsewhere.mkdir()
    synced.rename(aside)
    synced.symlink_to(elsewhere)

    def undo() -> None:
        synced.unlink()
        aside.rename(synced)
        elsewhere.rmdir()

    stack.callback(undo)


def _fifo(here: World, stack: contextlib.ExitStack) -> None:
    path = here.peer.synced / "example.canvasl"
    os.mkfifo(path)
    stack.callback(path.unlink)


def _folder(here: World, stack: contextlib.ExitStack) -> None:
    path = here.peer.synced / "example.canvasl"
    path.mkdir()
    stack.callback(path.rmdir)


def _file_as_folder(here: World, stack: contextlib.ExitStack) -> None:
    path = here.peer.synced / "a"
    path.touch()
    stack.callback(path.unlink)


def _decomposed(here: World, stack: contextlib.ExitStack) -> None:
    path = here.peer.synced / "cafe\u0301.canvasl"
    path.touch()
    stack.callback(path.unlink)


def _mount(here: World, stack: contextlib.ExitStack) -> None:
    point, source = here.peer.synced / "m", here.sandbox / "mounted"
    point.mkdir()
    stack.callback(point.rmdir)
    source.mkdir()
    stack.callback(source.rmdir)
    done = subprocess.run(["mount", "--bind", source, point], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    stack.callback(lambda: subprocess.run(["umount", point], check=True))


def _read_only(here: World, stack: contextlib.ExitStack) -> None:
    here.peer.synced.chmod(0o555)
    stack.callback(here.peer.synced.chmod, 0o700)


def _editor_lock(here: World, _stack: contextlib.ExitStack) -> None:
    (here.peer.synced / ".#example.canvasl").symlink_to("somebody@host.123:456")


_SETUPS: dict[str, Callable[[World, contextlib.ExitStack], None]] = {
    "ln -s loop synced/loop": _link_loop,
    "synced itself is a symlink to /": _link_root,
    "mkfifo synced/example.canvasl": _fifo,
    "mkdir synced/example.canvasl": _folder,
    "touch synced/a": _file_as_folder,
    "touch synced/cafe<U+0301>.canvasl": _decomposed,
    "mount --bind /x synced/m": _mount,
    "chmod 0555 synced": _read_only,
    ".#example.canvasl lock present and buffer modified": _editor_lock,
}


# --- what is accepted ----------------------------------------------------------------------


@pytest.mark.parametrize("case", STORED, ids=lambda case: case.name)
def test_accepted(case: Case, worlds: Worlds) -> None:
    here = worlds("controls", "bob")
    payload = mapping.payload(case)
    message: dict[str, Any] = json.loads(payload)
    _fresh(here, message)
    before = here.before()
    lines = here.send(case.topic, payload, retain=bool(case.row.get("retain")))
    here.check_alive(before)
    here.check_no_secret(lines)
    refusals = [line for line in lines if "a message was refused" in line]
    if case.name == "control-sync-hidden-ok" and refusals:
        here.check_untouched(before)  # "accepted or rejected by policy"
        return
    assert not refusals
    if case.layer == "mqtt-announce":
        _check_announced(here, message)
    else:
        _check_stored(here, message)
    if case.row.get("retain"):
        here.send(case.topic, b"", retain=True)


def _fresh(here: World, message: dict[str, Any]) -> None:
    """Other cases send the very same message: begin again where it is known already."""
    known = message["type"] == "canvasl-sync" and here.contents(message["file"])
    if known and digest(message["content"].encode()) in known:
        here.peer.kill()
        for path in (*here.peer.state_dir.glob("store.db*"), *here.peer.synced.iterdir()):
            if path.is_file():
                path.unlink()
        here.peer.start()
        here.introduce()


def _check_stored(here: World, message: dict[str, Any]) -> None:
    """The content is there byte for byte, and its time is shown as what it is."""
    content = message["content"].encode()
    rows = here.peer.history(message["file"])
    (row,) = [row for row in rows if row["content_hash"] == digest(content)]
    assert row["peer_id"] == identities()["alice"].peer_id
    assert row["clock"] == "unverified"  # of 2025, whatever year it is here
    assert row["time"] == message["timestamp"]
    exported = here.peer.call(
        "documents.export", {"file": message["file"], "revision": row["revision"]}
    )
    assert Path(exported["path"]).read_bytes() == content
    current = next(one for one in rows if one["state"] == "current")
    held = (here.peer.synced / message["file"]).read_bytes()
    assert digest(held) == current["content_hash"]


def _check_announced(here: World, message: dict[str, Any]) -> None:
    """A stale announcement is known, and gives no online state."""
    row = here.peer.peer(message["peer_id"])
    assert row is not None
    assert row["online"] is False
    if "name" in message:
        assert row["name"] == message["name"]
