# SPDX-License-Identifier: MIT
"""Every method answers what the table documents, and refuses only as it says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters import logs
from federation.errors import REASONS
from federation.rpc.methods import ALWAYS, METHODS
from federation.wire import topics
from tests.adapters.keystores import cheap
from tests.daemon import file_provocations as _file_provocations  # they register themselves
from tests.daemon import history_provocations as _history_provocations
from tests.daemon import space_provocations as _space_provocations
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.provocations import PROVOCATIONS, Provoked, hold
from tests.daemon.running import Front, RpcError, Running, key_of, running, until

__all__ = [
    "_file_provocations",
    "_history_provocations",
    "_space_provocations",
    "cheap",
]  # a fixture, and what is imported for its effect


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """`logs.level` changes the level of this process."""
    yield
    logs.set_level("info")


def names(text: str) -> dict[str, str] | None:
    """The documented names inside of `{…}` or `[{…}]`, with what is said about each."""
    inside = re.match(r"\[?\{(?!key:)(.*)\}", text)
    if inside is None:
        return None
    found: dict[str, str] = {}
    depth, part = 0, ""
    for character in inside[1] + ",":
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            name = re.match(r"\s*(\w+)(?:: | )?(.*)", part, re.DOTALL)
            assert name is not None, text
            found[name[1]] = name[2]
            part = ""
        else:
            part += character
    return found


def check(value: Any, documented: dict[str, str]) -> None:
    """The fields of an answer are exactly the documented ones, down to the last row."""
    check_rows([value], documented)


def check_rows(values: list[Any], documented: dict[str, str]) -> None:
    """The same for some rows: of what they list, one row has to have some."""
    for value in values:
        assert set(value) == set(documented)
    for name, text in documented.items():
        inner = names(text)
        if inner is None:
            continue
        lists = [value[name] if text.startswith("[") else [value[name]] for value in values]
        rows = [row for one in lists for row in one]
        assert rows, f"{name} has no row that could be looked at"
        check_rows(rows, inner)


def test_the_words_of_the_table_can_be_read() -> None:
    assert names("bool") is None
    assert names("{key: {value, source}}; secrets are not shown") is None
    assert names("[{a, b: x | y, c: [{d, e}], f or null}]") == {
        "a": "", "b": "x | y", "c": "[{d, e}]", "f": "or null",
    }  # fmt: skip


async def _world(here: Running) -> dict[str, dict[str, object]]:
    """Give a peer something to tell; the parameters of each method that needs some."""
    front = here.front()
    friend = await here.known(2, name="Friend")
    await here.known(3)
    await front.call("trust.accept", peer_id=friend.peer_id)
    first = await here.sync("a.md", "one")
    await here.sync("a.md", b"two\xff")  # cannot be merged with theirs
    await friend.sync("a.md", "theirs")
    number = await here.clash()
    base = await here.sync("typed.md", "text")
    await front.call("documents.open", file="typed.md")
    typed = friend.signed(
        "canvasl-edit", file="typed.md", base=base, start=0, changes=[[0, 0, "x"]]
    )
    await friend.say(topics.live("typed.md"), typed)
    await front.call("message.send", peer_id=friend.peer_id, kind="note", content="hello")
    handle = (await front.call("broker.open", url=str(here.peer.link.url)))["connection"]
    here.peer.options.log_path.write_text("a line\n")
    peer: dict[str, object] = {"peer_id": friend.peer_id}
    signed = await front.call("identity.sign", message="text")
    for space in ("held", "kept", "left"):
        await front.call("spaces.create", space=space)
        hold(here, space)
    given = {"path": str(Path(here.write("held/a.md", "x")).parent), "space": "held"}
    await front.call("spaces.share", **given)
    own = key_of(1).peer_id
    return {
        "identity.words": peer,
        "identity.create": {"file": str(here.folder / "new.json")},
        "identity.load": {"file": str(here.folder / "new.json")},
        "identity.sign": {"message": "text"},
        "identity.verify": {"message": "text", "signature": signed["signature"], "peer_id": own},
        "peers.connect": {**peer, "timeout": 5},
        "trust.accept": peer,
        "trust.block": {"peer_id": key_of(3).peer_id},
        "sync.file": {"path": here.write("b.canvasl", "{")},
        "spaces.create": {"space": "new"},
        "spaces.share": {"path": str(Path(here.write("shared/a.md", "x")).parent)},
        "spaces.leave": {"space": "left"},
        "spaces.confirm": {"space": "held"},
        "spaces.restore": {"space": "kept"},
        "documents.history": {"file": "a.md"},
        "history.pin": {"file": "a.md", "revision": first},
        "history.diff": {"file": "a.md", "old": first},
        "mirror.git": {"path": str(here.folder / "git")},
        "documents.export": {"file": "a.md"},
        "documents.restore": {"file": "a.md", "revision": first},
        "documents.open": {"file": "typed.md"},
        "documents.edit": {"file": "typed.md", "start": 0, "changes": [[0, 1, "x"]]},
        "documents.close": {"file": "typed.md"},
        "conflicts.resolve": {"file": "c.canvasl", "number": number[:8], "choice": "b"},
        "message.send": {**peer, "kind": "note", "content": "again"},
        "topic.publish": {"topic": "t", "message": "m"},
        "topic.subscribe": {"topic": "t"},
        "topic.unsubscribe": {"topic": "t"},
        "broker.open": {"url": str(here.peer.link.url)},
        "broker.close": {"connection": handle},
        "logs.level": {"level": "debug"},
    }


#: What a method needs to have happened before it has anything to show.
FIRST = ("conflicts.list",)
LAST = ("documents.restore", "broker.close", "shutdown")


async def test_every_method_answers_exactly_the_documented_fields(tmp_path: Path) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        await until(lambda: here.peer.link.up)
        params = await _world(here)
        front = here.front()
        between = [name for name in METHODS if name not in FIRST + LAST]
        called = []
        for name in (*FIRST, *between, *LAST):
            documented = dict(METHODS[name].result)
            if name == "sync.file":
                del documented["acknowledged"], documented["missing"]
            caller = here.fronts[0] if name == "broker.close" else front
            if name == "peers.connect":
                peer_id = key_of(2).peer_id
                here.peer.node.book.answered(peer_id)
            check(await caller.call(name, **params.get(name, {})), documented)
            called.append(name)
        assert sorted(called) == sorted(METHODS)
        assert len(called) == 50


async def test_sync_file_that_waits_says_who_has_it(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front, friend = here.front(), await here.known()
        path = here.write("a.canvasl", "{")
        answer = await front.call("sync.file", path=path, wait=True, timeout=0)
        check(answer, METHODS["sync.file"].result)
        assert (answer["missing"], answer["acknowledged"]) == ([friend.peer_id], [])
        raw = friend.signed("sync-ack", to=key_of(1).peer_id, stored=[answer["revision"]])
        await friend.say(f"canvasl/peers/{key_of(1).peer_id}/messages", raw)
        answer = await front.call("sync.file", path=path, wait=True)
        assert (answer["missing"], answer["acknowledged"]) == ([], [friend.peer_id])
        assert answer["state"] == "unchanged"


async def test_a_broken_canvas_is_synced_and_the_person_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"id":"a"}\n{"id":"b"\n{"id":"a"}\n'
    async with running(tmp_path) as here:
        front = here.front()
        for padding in ("", "\n" * limits.CHECK_AT_ONCE):  # on the loop, and beside it
            path = here.write("a.canvasl", text + padding)
            answer = await front.call("sync.file", path=path)
            assert answer["state"] == "recorded"
            assert here.synced("a.canvasl") == (text + padding).encode()
            found = [(one["problem"], one["line"], one["more"]) for one in answer["warnings"]]
            assert found == [("not-json", 2, 0), ("same-id", 3, 0)]
        monkeypatch.setattr(limits, "CHECK_CANVAS", 3)
        assert (await front.call("sync.file", path=path))["warnings"] == []


def test_every_documented_refusal_has_its_provocation() -> None:
    """And nothing is provoked that no table knows."""
    documented = {(name, reason) for name, one in METHODS.items() for reason in one.refusals}
    assert set(PROVOCATIONS) == documented
    assert all(len(set(one.refusals)) == len(one.refusals) for one in METHODS.values())


@pytest.mark.parametrize(("name", "reason"), sorted(PROVOCATIONS))
async def test_refusals(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        await until(lambda: here.peer.link.up)
        provoked = Provoked(here, here.front(), broker, monkeypatch)
        params = await PROVOCATIONS[name, reason](provoked)
        with pytest.raises(RpcError) as caught:
            await provoked.front.call(name, **params)
        assert caught.value.reason == reason, caught.value.message
        assert caught.value.code == REASONS[reason].code
        assert caught.value.message.startswith(REASONS[reason].message)
        if reason == "path-forbidden-ext":  # names the endings that this peer takes
            assert "allowed: .canvas .canvasl" in caught.value.hint
        else:
            assert caught.value.hint == REASONS[reason].hint
        monkeypatch.undo()
        assert (await provoked.front.call("status"))["peer_id"] == key_of(1).peer_id


#: Values for fields by their names; ``None`` leaves the field out.
POOL: dict[str, list[object]] = {
    "peer_id": [None, "", "x", key_of(1).peer_id, key_of(2).peer_id, key_of(9).peer_id,
                "peer-" + "!" * 52, 7],
    "path": [None, "", ".", "/", "a.md", "/a/../b.md", "/ssh:h:/x.md", "~/x.md", "/dev/null",
             "%/nowhere/x.md", "/etc/hostname", "\0", "/\ud7ff.md", 0],
    "file": [None, "", "a.md", "/", "nothing.md", ".", "%/nowhere/x.json", "/dev/null", "\0"],
    "revision": [None, "", "0" * 8, "f" * 64, "%" * 8, "abcdef12\n"],
    "passphrase": [None, "", "short", "\0"],
    "message": ["", "text", "\0", 5],
    "signature": ["", "0x", "0x" + "0" * 128],
    "public_key": [None, "", "0x" + "00" * 32, "0x" + "02" + "00" * 31,
                   "0x" + key_of(4).public_key.hex()],
    "topic": ["", "a", "a/#", "#a", "$SYS/x", "\0", "canvasl/sync", "x" * 70_000],
    "connection": [None, -1, 0, 1, 2**31, 2**40, 1.5],
    "url": ["", "mqtt://127.0.0.1:1", "mqtt://far.example", "mqtt://u:p@h", "ftp://h", "mqtt://h:0"],
    "kind": ["note", "", "a b", "note\n"],
    "content": ["", "text", "\0", "\x01" * 200_000, "\u20ac" * 200_000],
    "timeout": [None, 0, -1, "soon", 1e9],
    "wait": [None, True, "yes"],
    "lines": [None, 0, 1, limits.LOG_LINES + 1],
    "level": ["info", "loud"],
    "qos": [None, 0, 1, 3],
    "base": [None, "0" * 64, "0", 7],
    "start": [0, 1, -1, "0"],
    "changes": [[], [[0, 0, "x"]], [[9, 0, ""]], [[0, 0]], [[0, 0, "\0"]], 7],
    "number": [None, "", "0" * 8, "f" * 64, "a\n", 7],
    "choice": [None, "a", "b", "kept", "value", "both"],
    "value": [None, "", "7", "no JSON", "{}\n{}", "\0", "[" * 5000 + "]" * 5000, 7],
}  # fmt: skip


def _placed(value: object, folder: Path) -> object:
    """Nothing is ever made outside of the test's own folder."""
    named = isinstance(value, str) and value.startswith("%/")
    return f"{folder}{str(value)[1:]}" if named else value


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"shutdown"}))
async def test_no_other_reason_comes_out(name: str, tmp_path: Path) -> None:
    allowed = {*METHODS[name].refusals, *ALWAYS} - {"internal-error"}
    dice = random.Random(name)
    async with running(tmp_path) as here:
        front: Front = here.front()
        await here.known()
        await here.sync("a.md", "text")
        fields = [one for one in METHODS[name].params.__struct_fields__ if one in POOL]
        pool = dict(POOL)
        if "number" in fields:
            pool |= {"number": [*POOL["number"], *[await here.clash()] * 9],
                     "file": [*POOL["file"], *["c.canvasl"] * 30]}  # fmt: skip
        if "timeout" in fields:  # nobody waits for real
            fields.remove("timeout")
        for _ in range(60 if fields else 1):
            given = {one: _placed(dice.choice(pool[one]), tmp_path) for one in fields}
            params = {key: value for key, value in given.items() if value is not None}
            if "timeout" in METHODS[name].params.__struct_fields__:
                params["timeout"] = 0
            reason = await front.reason(name, **params)
            assert reason in allowed or not reason, (reason, params)
        if "timeout" in METHODS[name].params.__struct_fields__:
            for value in POOL["timeout"][2:]:
                params = {"timeout": value, "peer_id": "x", "path": "/x.md"}
                params.pop("path" if name == "peers.connect" else "peer_id")
                assert await front.reason(name, **params) == "rpc-invalid-params"


async def test_a_conflict_is_settled_and_the_rest_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front = here.front()
        number = await here.clash()
        (row,) = (await front.call("conflicts.list"))["conflicts"]
        assert [place["number"] for place in row["places"]] == [number]
        assert (await front.call("sync.file", path=str(here.folder / "c.canvasl")))["conflict"]
        answer = await front.call(
            "conflicts.resolve", file="c.canvasl", number=number[:8], choice="value", value="5"
        )
        assert answer["open"] == 0
        assert answer["path"] == here.peer.disk.synced_path("c.canvasl")
        assert here.synced("c.canvasl") == b'{"id":"n","x":5}\n'
        assert (await front.call("conflicts.list"))["conflicts"] == []
        history = (await front.call("documents.history", file="c.canvasl"))["revisions"]
        assert [one["state"] for one in history] == ["past", "past", "past", "current"]
        assert history[-1]["revision"] == answer["revision"]


async def test_one_bad_file_does_not_keep_the_others_back(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("events.subscribe")
        for name in ("a.md", "b.md", "c.md"):
            await here.sync(name, "old")
        await until(lambda: here.peer.store.document("c.md").written is not None)  # type: ignore[union-attr]
        for name in ("a.md", "c.md"):
            (here.peer.disk.synced / name).write_text("edited")
        (here.peer.disk.synced / "b.md").unlink()
        (here.peer.disk.synced / "b.md").symlink_to("/etc/hostname")
        assert await front.call("sync.all") == {"imported": 2, "peers": []}
        await until(lambda: any(one["event"] == "sync-failed" for one in front.events))
        (failed,) = [one for one in front.events if one["event"] == "sync-failed"]
        assert failed["file"] == "b.md"
        assert REASONS["path-symlink-escape"].message in failed["reason"]


async def test_health_tells_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        front = here.front()
        await until(lambda: here.peer.link.up)
        assert (await front.call("health"))["healthy"]
        await broker.stop()
        await until(lambda: not here.peer.link.up)
        monkeypatch.setattr(limits, "DISK_RESERVE", 2**80)
        await here.turn()
        here.peer.turns.failing = "disk I/O error"  # until the next turn, which nothing makes
        answer = await front.call("health")
        wrong = {one["name"]: one["detail"] for one in answer["checks"] if not one["ok"]}
        assert not answer["healthy"]
        assert set(wrong) == {"store", "broker", "disk"}
        assert all(wrong.values())


async def test_connect_counts_a_plain_peer_that_is_online(tmp_path: Path) -> None:
    """One without ``ack1`` can prove nothing: its fresh announcement is all there is."""
    async with running(tmp_path) as here:
        front = here.front()
        remote = await here.known(5)
        assert await front.reason("peers.connect", peer_id=remote.peer_id, timeout=0) == "timeout"
        plain = await here.known(6)
        plain.caps = ()
        await plain.announce()
        answer = await front.call("peers.connect", peer_id=plain.peer_id, timeout=0)
        assert answer == {"peer_id": plain.peer_id, "connected": True, "route": "mqtt"}


async def test_shutdown_answers_before_it_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        assert await here.front().call("shutdown") == {"stopping": True}
        await until(here.peer.stopping.is_set)
