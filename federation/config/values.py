# SPDX-License-Identifier: MIT
"""One value: read from TOML or from the text of a flag or variable, checked against its key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from federation.config.keys import FORBIDDEN_ENDINGS, SECRET_REASON, Key, Scalar
from federation.errors import Refusal


def check(key: Key, raw: object, where: str = "") -> Scalar:
    """``raw`` as a value of ``key``, in its range; ``where`` names the place in errors."""
    if key.secret and not where:
        raise Refusal(SECRET_REASON, key.name)
    place = where or key.name
    if key.kind in ("integer", "number"):
        return _check_number(key, raw, place)
    if key.kind == "boolean":
        if isinstance(raw, bool):
            return raw
        raise Refusal("config-bad-value", f"{place} is {key.form}")
    if key.kind == "list":
        return _check_extensions(raw, place)
    if key.kind == "program" and isinstance(raw, list):
        raw = _join_program(raw, place)
    if not isinstance(raw, str):
        raise Refusal("config-bad-value", f"{place} is a string")
    return _check_text(key, raw, place)


def parse(key: Key, text: str, where: str) -> Scalar:
    """The value of ``key`` that ``text`` (of a flag or variable) spells."""
    if key.kind == "boolean":
        spelled = {"true": True, "1": True, "yes": True, "on": True,
                   "false": False, "0": False, "no": False, "off": False}  # fmt: skip
        return check(key, spelled.get(text.lower()), where)
    if key.kind in ("integer", "number"):
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return check(key, int(text), where)
        if key.kind == "number" and re.fullmatch(r"[+-]?[0-9]{1,18}\.[0-9]{1,9}", text):
            return check(key, float(text), where)
        return check(key, None, where)
    if key.kind == "list":
        return check(key, re.split(r"[\s,]+", text.strip()) if text.strip() else [], where)
    return check(key, text, where)


#: Stands, as a word of its own, between two programs of one event.
NEXT_PROGRAM: Final = ";"


def programs_in(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The programs, each with its arguments, of the words of a ``hooks.*`` value."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == NEXT_PROGRAM:
            found.append([])
        else:
            found[-1].append(word)
    return [tuple(one) for one in found]


def split_program(text: str) -> tuple[str, ...]:
    """Program and arguments, split by the quoting rules of a shell (none is run)."""
    import shlex  # rarely needed

    return tuple(shlex.split(text))


def _check_number(key: Key, raw: object, place: str) -> int | float:
    reason = "config-bad-limit" if key.name.startswith("limits.") else "config-bad-value"
    allowed = (int,) if key.kind == "integer" else (int, float)
    if not isinstance(raw, allowed) or isinstance(raw, bool) or not key.low <= raw <= key.high:
        raise Refusal(reason, f"{place} is a {key.form}")
    return raw


def _check_text(key: Key, raw: str, place: str) -> str:
    if not raw or len(raw) > 4096 or any(ord(char) < 32 or ord(char) == 127 for char in raw):
        raise Refusal("config-bad-value", f"{place} is one line of text")
    if key.choices and raw not in key.choices:
        raise Refusal("config-bad-value", f"{place} is {key.form}")
    if key.high and len(raw) > key.high:
        raise Refusal("config-bad-value", f"{place} has at most {int(key.high)} characters")
    if key.kind == "listen":
        host, _, port = raw.rpartition(":")
        known = host in ("127.0.0.1", "localhost", "[::1]")
        if not known or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise Refusal("config-bad-value", f"{place} is such as 127.0.0.1:9464")
    if key.kind == "program":
        _check_program(raw, place)
    return raw


def _check_extensions(raw: object, place: str) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise Refusal("config-bad-value", f'{place} is a list such as [".csv"]')
    for ending in raw:
        if not isinstance(ending, str) or not re.fullmatch(r"\.[a-z0-9][a-z0-9_+-]{0,31}", ending):
            raise Refusal("config-bad-value", f"{place}: endings are such as .csv, in lower case")
        if ending in FORBIDDEN_ENDINGS:
            raise Refusal("path-forbidden-ext", f"{place}: {ending} is never synced",
                          hint="choose another ending")  # fmt: skip
    return tuple(raw)


def _join_program(raw: list[object], place: str) -> str:
    import shlex

    if not raw or not all(isinstance(word, str) for word in raw):
        raise Refusal("config-bad-value", f"{place} is a program and its arguments")
    return shlex.join(str(word) for word in raw)


def _check_program(raw: str, place: str) -> None:
    try:
        words = split_program(raw)
    except ValueError:
        words = ()
    for one in programs_in(words):
        if not one or not one[0]:
            raise Refusal("config-bad-value", f"{place} is a program and its arguments")
        if "/" in one[0] and not one[0].startswith("/"):
            # Relative to what?  The peer's folder is not the user's.
            raise Refusal("config-bad-value", f"{place} is an absolute path, or a name on PATH")
