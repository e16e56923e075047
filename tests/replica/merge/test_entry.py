# SPDX-License-Identifier: MIT
"""What an entry means, and what it is called."""

from __future__ import annotations

from federation.replica.merge.entry import Entry


def test_names() -> None:
    assert Entry('{"id":"x"}').name == "x"
    assert Entry('{"id":7}').name == Entry('{"id": 7 }').name
    assert Entry('{"from":"a","to":"#b"}').name is not None
    assert Entry("@version: 1.0").name == Entry("@version 2.0").name
    assert Entry("plain").name is None
    assert Entry('{"fromNode":"#a","toNode":"b"}').ends() >= {"a", "b"}


def test_what_only_looks_different_means_the_same() -> None:
    assert Entry('{"a":1,"b":"\\u00e9"}').meaning == Entry('{ "b": "é", "a": 1 }').meaning
    assert Entry('{"a":1.0}').meaning != Entry('{"a":1}').meaning
    assert Entry("a: 1").meaning != Entry('"a: 1"').meaning
