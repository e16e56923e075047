# SPDX-License-Identifier: MIT
"""Requests to the peer's methods, dispatched by jsonrpcserver.

Loaded by the first request: a bot may never get one, and the library brings
validators for schemas with it, which are not used here (``rpc.requests`` checks).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping

from jsonrpcserver.async_main import dispatch_to_serializable
from jsonrpcserver.result import Error, Result, Success

from federation.adapters.doors.frontend import FrontEnd, Handler, refused
from federation.errors import Refusal
from federation.rpc import requests
from federation.rpc.methods import METHODS, Method

log = logging.getLogger(__name__)
#: a handler in the form that jsonrpcserver calls
Call = Callable[..., Awaitable[Result]]
_STANDARD = {-32601: "rpc-method-not-found", -32602: "rpc-invalid-params"}


def adapt(handlers: Mapping[str, Handler]) -> dict[str, Call]:
    """Handlers by the name of their method, in the form that ``dispatch`` takes."""
    return {name: _adapt(METHODS[name], handler) for name, handler in handlers.items()}


async def dispatch(
    request: object, calls: dict[str, Call], front_end: object
) -> dict[str, object] | None:
    """The response to a request that was checked; None to a notification."""
    response = await dispatch_to_serializable(
        "",
        methods=calls,
        context=front_end,
        deserializer=lambda _text: request,
        validator=lambda checked: checked,
    )
    if not isinstance(response, dict):
        return None
    error = response.get("error")
    if isinstance(error, dict) and not isinstance(error.get("data"), dict):
        reason = _STANDARD.get(error["code"], "internal-error")
        return refused(Refusal(reason, str(error.get("data", ""))), response.get("id"))
    return response


def _adapt(method: Method, handler: Handler) -> Call:
    async def call(front_end: FrontEnd, **given: object) -> Result:
        try:
            return Success(await handler(front_end, requests.convert(method.params, given)))
        except Refusal as refusal:
            log.info("%s refused: %s %s", method.name, refusal.reason, refusal.detail)
            data = {"reason": refusal.reason, "hint": refusal.hint}
            return Error(refusal.code, refusal.message, data)
        except Exception:
            log.exception("a defect in %s", method.name)
            defect = Refusal("internal-error", method.name)
            data = {"reason": defect.reason, "hint": defect.hint}
            return Error(defect.code, defect.message, data)

    # the dispatcher asks for it in every call, and working it out costs more than most calls
    call.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    return call
