# SPDX-License-Identifier: MIT
"""Parameters: every method takes exactly its own fields, within their bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from federation import limits
from federation.errors import Refusal
from federation.rpc import params, requests

PEER = "peer-" + "a" * 52
#: kind of parameters -> the least it takes
LEAST: dict[type[params.Params], dict[str, Any]] = {
    params.Nothing: {}, params.Peer: {"peer_id": PEER}, params.Connect: {"peer_id": PEER},
    params.SyncFile: {"path": "/x.md"}, params.SyncAll: {}, params.History: {"file": "x.md"},
    params.Document: {"file": "x.md"},
    params.Revision: {"file": "x.md", "revision": "0" * 8}, params.Export: {"file": "x.md"},
    params.OpenDocument: {"file": "x.md"},
    params.Edit: {"file": "x.md", "start": 0, "changes": [[0, 0, "x"]]},
    params.IdentityFile: {"file": "/x"}, params.Sign: {"message": ""},
    params.Verify: {"message": "", "signature": ""}, params.Publish: {"topic": "t", "message": ""},
    params.Subscribe: {"topic": "t"}, params.Open: {"url": "mqtt://h"},
    params.Close: {"connection": 1},
    params.Send: {"peer_id": PEER, "kind": "note", "content": ""}, params.Lines: {},
    params.LogLevel: {"level": "info"}, params.MirrorGit: {"path": "/m"},
    params.Pin: {"file": "x.md", "revision": "0" * 8},
    params.Diff: {"file": "x.md", "old": "0" * 8},
    params.Deleted: {}, params.Space: {"space": "x"}, params.CreateSpace: {"space": "x"},
    params.ShareFolder: {"path": "/x"}, params.SetSpace: {},
    params.Resolve: {"file": "x.md", "number": "0" * 8, "choice": "a"},
}  # fmt: skip


def kinds() -> list[type[params.Params]]:
    return [one for one in vars(params).values()
            if isinstance(one, type) and issubclass(one, params.Params)
            and one is not params.Params]  # fmt: skip


def refused(kind: type[params.Params], given: dict[str, Any]) -> bool:
    try:
        requests.convert(kind, given)
    except Refusal as refusal:
        assert refusal.reason == "rpc-invalid-params"
        return True
    return False


@pytest.mark.parametrize("kind", kinds())
def test_the_least_is_enough_and_no_more_is_taken(kind: type[params.Params]) -> None:
    least = LEAST[kind]
    assert not refused(kind, least)
    assert refused(kind, {**least, "unknown": 1})
    wrong: tuple[object, ...] = (None, [], {}, 1.5)
    for name in least:
        assert refused(kind, {key: value for key, value in least.items() if key != name})
        for one in wrong:
            assert refused(kind, {**least, name: one}), name


@pytest.mark.parametrize("kind", kinds())
def test_optional_fields_have_a_type(kind: type[params.Params]) -> None:
    for one in msgspec.structs.fields(kind):
        assert refused(kind, {**LEAST[kind], one.name: ["wrong"]}), one.name


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (params.SyncFile, {"path": ""}), (params.SyncFile, {"path": "/a\0b"}),
        (params.SyncFile, {"path": "/a\nb\0"}), (params.SyncFile, {"path": "/" * 4097}),
        (params.SyncFile, {"timeout": -1}), (params.SyncFile, {"timeout": limits.WAIT_MAX + 1}),
        (params.Revision, {"revision": "0" * 7}), (params.Revision, {"revision": "0" * 65}),
        (params.Revision, {"revision": "A" * 8}), (params.Revision, {"revision": "0" * 8 + "\n"}),
        (params.Revision, {"revision": "%" * 8}), (params.Publish, {"qos": 3}),
        (params.Publish, {"connection": -1}), (params.Publish, {"topic": ""}),
        (params.Publish, {"message": "x" * (limits.WIRE_MESSAGE + 1)}),
        (params.Close, {"connection": 0}), (params.Send, {"kind": ""}),
        (params.Send, {"kind": "a b"}), (params.Send, {"kind": "x" * 65}),
        (params.Send, {"kind": "note\n"}), (params.Lines, {"lines": 0}),
        (params.Lines, {"lines": limits.LOG_LINES + 1}), (params.LogLevel, {"level": "trace"}),
        (params.Open, {"password": "a\0"}), (params.Open, {"client_id": ""}),
        (params.IdentityFile, {"passphrase": "x" * (limits.PASSPHRASE_MAX + 1)}),
        (params.Peer, {"peer_id": "x" * 257}), (params.Resolve, {"number": "0" * 7}),
        (params.Resolve, {"number": "A" * 8}), (params.Resolve, {"choice": "neither"}),
        (params.Resolve, {"value": 5}),
    ],
)  # fmt: skip
def test_values_outside_their_bounds(kind: type[params.Params], change: dict[str, Any]) -> None:
    assert refused(kind, {**LEAST[kind], **change})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (params.SyncFile, {"path": "/é\n.md", "timeout": 0, "wait": True}),
        (params.SyncFile, {"timeout": 5}), (params.Revision, {"revision": "0123456789abcdef" * 4}),
        (params.Publish, {"qos": 2, "retain": True, "connection": 2**31}),
        (params.Send, {"kind": "a.B:c-9_"}), (params.Verify, {"public_key": None}),
        (params.Resolve, {"choice": "kept", "value": None}),
        (params.Resolve, {"choice": "value", "value": "5", "number": "f" * 64}),
    ],
)  # fmt: skip
def test_values_within_their_bounds(kind: type[params.Params], change: dict[str, Any]) -> None:
    assert not refused(kind, {**LEAST[kind], **change})
