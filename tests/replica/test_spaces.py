# SPDX-License-Identifier: MIT
"""Names of spaces and of their documents."""

from __future__ import annotations

import pytest

from federation.errors import Refusal
from federation.replica import spaces
from federation.replica.names import check_name


@pytest.mark.parametrize("name", ["a", "notes", "2026-plans", "a_b", "x" * 64])
def test_a_name_that_a_space_can_have(name: str) -> None:
    assert spaces.check_space(name) == name
    file = spaces.document_in(name, "d/x.md")
    assert spaces.parts_of(file) == (name, "d/x.md")
    assert spaces.check_document(file) == file
    assert not spaces.may_leave(file)
    with pytest.raises(Refusal):  # no message brings a document of this name
        check_name(file)


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "-a", "_a", "a/b", "é", "x" * 65, "a\n"])
def test_a_name_that_no_space_can_have(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        spaces.check_space(name)
    assert caught.value.reason == "bad-space"


def test_documents_of_commons_have_plain_names() -> None:
    assert spaces.document_in("commons", "d/x.md") == "d/x.md"
    assert spaces.parts_of("d/x.md") == ("commons", "d/x.md")
    assert spaces.may_leave("d/x.md")
    assert spaces.check_document("d/x.md") == "d/x.md"


@pytest.mark.parametrize(
    "file", ["~/x.md", "~A/x.md", "~a", "~a/", "~a/.x.md", "~a/../x.md", "~a/~b/x.md"]
)
def test_names_of_no_document(file: str) -> None:
    with pytest.raises(Refusal):
        spaces.check_document(file)
