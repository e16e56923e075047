# SPDX-License-Identifier: MIT
"""Refusals: each reason has a code, a sentence and a cure."""

from __future__ import annotations

import errno
import os

import pytest

from federation.errors import REASONS, Fault, Refusal, io_refusal


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_says_what_and_what_to_do(reason: str) -> None:
    refusal = Refusal(reason, "this")
    assert refusal.reason == reason
    assert refusal.code == REASONS[reason].code
    assert refusal.message == f"{REASONS[reason].message}: this"
    assert refusal.hint == REASONS[reason].hint
    assert str(refusal) == f"{reason}: {refusal.message}"
    assert refusal.as_data() == {
        "code": refusal.code, "reason": reason, "message": refusal.message, "hint": refusal.hint,
    }  # fmt: skip
    assert "\n" not in str(refusal)
    assert not refusal.message.endswith(".")


def test_codes_are_of_their_family() -> None:
    for reason, entry in REASONS.items():
        family = {"rpc": (-32700, -32600), "path": (2001, 2999), "config": (3001, 3999),
                  "identity": (4001, 4999)}.get(reason.split("-")[0])  # fmt: skip
        if family is not None:
            assert family[0] <= entry.code <= family[1], reason


def test_every_reason_has_a_code_of_its_own() -> None:
    codes = [entry.code for reason, entry in REASONS.items() if not reason.startswith("rpc-")]
    assert len(set(codes)) == len(codes)


def test_without_detail_and_with_another_cure() -> None:
    refusal = Refusal("timeout", hint="wait")
    assert refusal.message == REASONS["timeout"].message
    assert refusal.hint == "wait"


def test_an_unknown_reason_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Refusal("no-such-reason")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.ELOOP, "path-symlink-escape"),
     (errno.EIO, "path-io-error"), (errno.EACCES, "path-io-error"),
     (errno.ENOENT, "file-not-found"), (errno.ENAMETOOLONG, "path-too-long")],
)  # fmt: skip
def test_what_a_failed_call_means(number: int, reason: str) -> None:
    refusal = io_refusal(OSError(number, os.strerror(number)), "x.md")
    assert refusal.reason == reason
    assert refusal.detail.startswith("x.md")
    assert (os.strerror(number) in refusal.detail) == (reason == "path-io-error")


def test_what_is_there_already_is_said_so() -> None:
    error = FileExistsError(errno.EEXIST, "File exists")
    assert io_refusal(error, "/x/a.md").reason == "path-io-error"
    refusal = io_refusal(error, "/x/a.md", exists="file-exists")
    assert refusal.message.endswith(": /x/a.md")
    assert "name another" in refusal.hint


def test_a_fault_is_no_refusal() -> None:
    assert not issubclass(Fault, Refusal)
    assert not issubclass(Refusal, Fault)
