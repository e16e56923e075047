# SPDX-License-Identifier: MIT
"""From the bytes of a frame to requests that have the right form.

JSON-RPC 2.0, sections 4 to 6.  What is wrong with a frame or one of its
requests is a :class:`Refusal`; running the requests is the dispatcher's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from federation import limits
from federation.errors import Refusal
from federation.rpc import params
from federation.wire import canonical, strictjson

P = TypeVar("P", bound=params.Params)
#: reasons of strict decoding that stay visible to the caller
_OWN = frozenset({"duplicate-key", "bad-utf8", "depth-exceeded"})


def decode(body: bytes) -> object:
    """The JSON value of a frame; raises Refusal."""
    try:
        return strictjson.decode(body)
    except Refusal as refusal:
        if refusal.reason in _OWN:
            raise
        if refusal.reason == "number-range":
            raise Refusal("rpc-invalid-request", refusal.message) from refusal
        raise Refusal("rpc-parse-error", refusal.message) from refusal


def check_batch(value: object) -> list[object] | None:
    """The entries of a batch, or None for a single request."""
    if not isinstance(value, list):
        return None
    if not value:
        raise Refusal("rpc-invalid-request", "an empty batch")
    if len(value) > limits.RPC_BATCH:
        raise Refusal("rate-limited", f"{len(value)} requests in a batch")
    return value


def check_request(value: object) -> dict[str, object]:
    """One request or notification of the right form; raises rpc-invalid-request."""
    if not isinstance(value, dict):
        raise Refusal("rpc-invalid-request", "not an object")
    if value.get("jsonrpc") != "2.0":
        raise Refusal("rpc-invalid-request", 'jsonrpc is not "2.0"')
    if not isinstance(value.get("method"), str):
        raise Refusal("rpc-invalid-request", "method is not a string")
    identifier = value.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int | None):
        raise Refusal("rpc-invalid-request", "id is neither a string nor an integer")
    if not isinstance(value.get("params", {}), dict | list):
        raise Refusal("rpc-invalid-request", "params is neither an object nor an array")
    return value


def convert(kind: type[P], given: Mapping[str, object]) -> P:
    """The parameters of a method; raises rpc-invalid-params."""
    try:
        return msgspec.convert(dict(given), kind, strict=True)
    except msgspec.ValidationError as error:
        raise Refusal("rpc-invalid-params", str(error)) from error


def error_response(refusal: Refusal, identifier: object = None) -> dict[str, object]:
    """The response object of a refusal."""
    data = {"reason": refusal.reason, "hint": refusal.hint}
    return {
        "jsonrpc": "2.0",
        "error": {"code": refusal.code, "message": refusal.message, "data": data},
        "id": identifier,
    }


def encode(value: object) -> bytes:
    """A response or notification as bytes; texts are made safe for Emacs 28 first."""
    return canonical.encode(_clean(value))


def _clean(value: object) -> object:
    """Emacs 28 cannot read a NUL inside of a string; nobody reads half a surrogate pair."""
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {_clean_text(str(key)): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value


def _clean_text(text: str) -> str:
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    # Python writes the bytes of a path that are not UTF-8 as such halves.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
