# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import sys

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.wire.canonical import canonical, encode
from federation.wire.strictjson import decode

SAFE = limits.SAFE_INTEGER
TEXT = st.text()
INTEGERS = st.integers(-SAFE, SAFE)
REALS = st.floats(allow_nan=False, allow_infinity=False)
#: What most messages are made of: the fast way.
PLAIN = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
)
ANY = st.recursive(
    st.none() | st.booleans() | INTEGERS | REALS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(PLAIN)
def test_plain_values_as_the_library(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(ANY)
@example({"\uffff": 1, "\U00010000": 2})
@example({"é": 1.0, "a": [1e21, 1e-7, -0.0, 5e-324, 1.7976931348623157e308]})
def test_any_value_as_the_library(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(ANY)
def test_the_wire_form_decodes_to_the_value(value: object) -> None:
    assert decode(encode(value)) == value
    assert canonical(decode(encode(value))) == canonical(value)


@given(PLAIN)
def test_the_canonical_form_of_plain_values_decodes_to_them(value: object) -> None:
    # Not that of any: JCS writes the float 2^53 as an integer, which I-JSON has not.
    assert decode(canonical(value)) == value


def test_every_character_is_escaped_as_the_library_does() -> None:
    everything = [chr(point) for point in range(sys.maxunicode + 1)
                  if not 0xD800 <= point <= 0xDFFF]  # fmt: skip
    text = "".join(everything)
    assert canonical(text) == rfc8785.dumps(text)
    controls = {character: character for character in everything[:0x80]}
    assert canonical(controls) == rfc8785.dumps(controls)


def test_keys_are_in_the_order_of_utf_16() -> None:
    assert canonical({"\uffff": 1, "\U00010000": 2, "a": 3}).index(b"2") < canonical(
        {"\uffff": 1, "\U00010000": 2, "a": 3}
    ).index(b"1")


@pytest.mark.parametrize("make", [canonical, encode])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (SAFE + 1, "number-range"),
        ({"a": [-SAFE - 1]}, "number-range"),
        (float("nan"), "non-finite-number"),
        ([float("inf")], "non-finite-number"),
        (["\ud800"], "lone-surrogate"),
        ({"\udfff": 1}, "lone-surrogate"),
        ({"\udfff": 1.5}, "lone-surrogate"),
        ({1: 2}, "wrong-type"),
        ([b"x"], "wrong-type"),
        ({"a": {1, 2}}, "wrong-type"),
        ([1.5, object()], "wrong-type"),
    ],
)
def test_what_has_no_form_is_refused(make: object, value: object, reason: str) -> None:
    assert callable(make)
    with pytest.raises(Refusal) as caught:
        make(value)
    assert caught.value.reason == reason


def test_deep_values_are_refused_not_a_crash() -> None:
    value: list[object] = [0.5]
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Refusal, match="depth-exceeded"):
        canonical(value)
    while isinstance(value[0], list):  # taken apart by hand: so deep, it would recurse
        value = value[0]


def test_the_wire_form_is_compact_and_keeps_the_order() -> None:
    value = {"b": 1, "a": ["é", True, None]}
    assert encode(value) == json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
