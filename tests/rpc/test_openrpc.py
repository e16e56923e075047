# SPDX-License-Identifier: MIT
"""The OpenRPC document: made from the table, and nothing is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation import __version__
from federation.errors import REASONS
from federation.rpc import openrpc
from federation.rpc.methods import METHODS
from federation.rpc.requests import encode


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(encode(openrpc.document()))
    return made


def test_it_is_whole_and_of_this_version(document: dict[str, Any]) -> None:
    assert document["openrpc"].startswith("1.3")
    assert document["info"] == {"title": "meta-log-peer-sync", "version": __version__}
    assert [one["name"] for one in document["methods"]] == list(METHODS)


def test_every_method_has_its_parameters_result_and_errors(document: dict[str, Any]) -> None:
    for one in document["methods"]:
        method = METHODS[one["name"]]
        assert [param["name"] for param in one["params"]] == list(method.params.__struct_fields__)
        assert one["paramStructure"] == "by-name"
        assert one["summary"] == method.summary
        assert set(one["result"]["schema"]["properties"]) == set(method.result)
        codes = {error["code"] for error in one["errors"]}
        assert {REASONS[reason].code for reason in method.refusals} <= codes
        assert all(error["message"] for error in one["errors"])


def test_parameters_say_what_is_needed() -> None:
    (file, revision) = openrpc.parameters(METHODS["documents.restore"])
    assert (file["name"], file["required"]) == ("file", True)
    assert revision["schema"]["pattern"]
    by_name = {one["name"]: one for one in openrpc.parameters(METHODS["sync.file"])}
    assert by_name["path"]["required"]
    assert not by_name["wait"]["required"]
    assert by_name["wait"]["schema"]["default"] is False
    assert openrpc.parameters(METHODS["status"]) == []
