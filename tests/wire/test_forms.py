# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.wire import forms


@given(st.binary(max_size=40))
def test_base64_comes_back(data: bytes) -> None:
    text = forms.encode_base64(data)
    assert text == base64.b64encode(data).decode()
    assert forms.decode_base64(text) == data


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AAA", "AA=", "AAAA=", "AAAAA", "AB==", "AAB=", "AA==AA==", "AAAA\n", " AAAA",
     "AA AA", "AA\nAA", "_-__", "====", "=AAA", "ÀAAA", "AAAA====", "AA==\0"],
)  # fmt: skip
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(Refusal, match="bad-field"):
        forms.decode_base64(text)


@given(st.text(alphabet="ABab+/=_- \n", max_size=12))
def test_what_decodes_is_what_encodes(text: str) -> None:
    try:
        data = forms.decode_base64(text)
    except Refusal:
        return
    assert forms.encode_base64(data) == text


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_number_is_nothing_else(value: object) -> None:
    with pytest.raises(Refusal) as caught:
        forms.SEQ.check_type("seq", value)
    assert (caught.value.reason, caught.value.detail) == ("wrong-type", "seq")
    forms.SEQ.check_type("seq", 1)


def test_every_form_has_words_for_the_reference() -> None:
    found = {name: form for name, form in vars(forms).items() if isinstance(form, forms.Form)}
    assert len(found) > 20
    assert [name for name, form in found.items() if name[0] != "_" and not form.words] == []
