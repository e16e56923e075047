# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.wire.strictjson import decode
from tests.conformance import badinputs

SAFE = limits.SAFE_INTEGER
DEPTH = limits.JSON_DEPTH

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


def reason(data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        decode(data)
    return caught.value.reason


@given(VALUES)
def test_everything_that_is_json_comes_back(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(st.binary(max_size=64))
def test_bytes_never_raise_anything_else(data: bytes) -> None:
    try:
        value = decode(data)
    except Refusal:
        return
    assert json.loads(data) == value


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'"\xff"', "bad-utf8"),
        (b'"\xc0\xaf"', "bad-utf8"),
        (b'"\xed\xa0\x80"', "bad-utf8"),
        ('{"a":1}'.encode("utf-16"), "bad-utf8"),
        ('{"a":1}'.encode("utf-16-le"), "bad-utf8"),
        ('{"a":1}'.encode("utf-16-be"), "bad-utf8"),
        ('{"a":1}'.encode("utf-32-be"), "bad-utf8"),
        (b"\xef\xbb\xbf{}", "bad-json"),
        (b"", "bad-json"),
        (b" ", "bad-json"),
        (b"{}{}", "bad-json"),
        (b"{'a':1}", "bad-json"),
        (b'{"a":1,}', "bad-json"),
        (b'{"a":1} // x', "bad-json"),
        (b'"\t"', "bad-json"),
        (b"[01]", "bad-json"),
        (b"[+1]", "bad-json"),
        (b"[.5]", "bad-json"),
        (b"[1.]", "bad-json"),
        ("[\u0661]".encode(), "bad-json"),
        ('"\\u\u0661\u0661\u0661\u0661"'.encode(), "bad-json"),
        ("[\u00a01]".encode(), "bad-json"),
        (b'{"a":1,"a":1}', "duplicate-key"),
        (b'{"a":1,"\\u0061":2}', "duplicate-key"),
        (b'{"x":[{"a":1,"a":2}]}', "duplicate-key"),
        (b"[NaN]", "non-finite-number"),
        (b"[Infinity]", "non-finite-number"),
        (b"[-Infinity]", "non-finite-number"),
        (b"1e999", "number-range"),
        (b"-1e999", "number-range"),
        (str(SAFE + 1).encode(), "number-range"),
        (str(-SAFE - 1).encode(), "number-range"),
        (b"123456789012345678901234567890", "number-range"),
        (b'"\\ud800"', "lone-surrogate"),
        (b'"\\uDFFF"', "lone-surrogate"),
        (b'{"\\udc00":1}', "lone-surrogate"),
        (b'[[{"a":"\\ud800\\ud800\\udc00"}]]', "lone-surrogate"),
        (b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1), "depth-exceeded"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "depth-exceeded"),
        (b"[" * 100_000, "depth-exceeded"),
        (b'[{"":' * 50_000, "depth-exceeded"),
    ],
)
def test_refused(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (str(SAFE).encode(), SAFE),
        (str(-SAFE).encode(), -SAFE),
        (b"-0", 0),
        (b"1e308", 1e308),
        (b"1e-999", 0.0),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\u0000"', "\0"),
        (b"[" * DEPTH + b"]" * DEPTH, json.loads("[" * DEPTH + "]" * DEPTH)),
    ],
)
def test_accepted(data: bytes, expected: object) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1,"a":NaN,"b":1e999', "bad-json"),
        (b'[{"a":1,"a":2},NaN,1e999,"\\ud800"]', "duplicate-key"),
        (b'[1e999,NaN,"\\ud800"]', "non-finite-number"),
        (b'["\\ud800",1e999]', "number-range"),
        (b'["\\ud800",' + b"[" * DEPTH + b"]" * DEPTH + b"]", "lone-surrogate"),
        (b'{"a":1,"a":' + b"[" * DEPTH + b"]" * DEPTH + b"}", "duplicate-key"),
    ],
)
def test_of_several_defects_the_first_in_order_is_named(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize(
    "data",
    [b"1" * limits.MIB, b"-" + b"9" * limits.MIB, b"0." + b"1" * limits.MIB,
     b"1" * limits.MIB + b"e5", b"1e" + b"9" * limits.MIB, b'{"a":' * 200_000,
     b"[" + b'"\\ud800",' * 100_000 + b"1]"],
)  # fmt: skip
def test_cost_is_linear(data: bytes) -> None:
    started = time.process_time()
    try:
        decode(data)
    except Refusal:
        pass
    # Converting a million digits to an integer would take seconds.
    assert time.process_time() - started < 3


JSON_REASONS = frozenset(
    {"bad-utf8", "bad-json", "duplicate-key", "non-finite-number", "number-range",
     "lone-surrogate", "depth-exceeded"}
)  # fmt: skip
RPC_CASES = [
    case for case in badinputs.cases("jsonrpc")
    if case.row.get("encoding") == "utf8" and case.reason in ("rpc-parse-error", "duplicate-key")
]  # fmt: skip


@pytest.mark.parametrize("case", RPC_CASES, ids=lambda case: case.name)
def test_json_rpc_text_that_is_no_json(case: badinputs.Case) -> None:
    assert reason(case.payload) in JSON_REASONS
