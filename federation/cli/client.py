# SPDX-License-Identifier: MIT
"""A blocking JSON-RPC client over a peer's control socket, for verbs."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from federation import limits
from federation.cli.output import CommandError
from federation.errors import Refusal
from federation.rpc.framing import FrameDecoder, encode

#: An answer may list a hundred thousand documents; it comes from our own peer.
_ANSWER_LIMIT: Final = 256 * limits.MIB
_CHUNK: Final = 256 * 1024
#: How long a request may take that waits for nobody (seconds).
DEFAULT_TIMEOUT: Final = 30.0


class Client:
    """One connection to a running peer, closed by ``with``."""

    def __init__(self, path: Path) -> None:
        """Connect; ``no-running-peer`` when nobody listens there."""
        self._decoder = FrameDecoder(frame_limit=_ANSWER_LIMIT)
        self._frames: list[bytes] = []
        self._events: list[dict[str, object]] = []
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(limits.CONNECT_TIMEOUT)
        try:
            self._socket.connect(os.fspath(path))
        except OSError:
            self._socket.close()
            raise Refusal("no-running-peer") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(
        self, method: str, params: dict[str, object] | None = None, *,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> dict[str, object]:  # fmt: skip
        """The result of ``method``.

        Raises :class:`CommandError` with the peer's refusal, or
        :class:`Refusal` ``timeout`` (after ``timeout`` seconds) or
        ``shutting-down`` (the peer went away).
        """
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(encode(json.dumps(request).encode()))
            while True:
                answer = json.loads(self._frame(deadline))
                if answer.get("id") == self._last_id and "method" not in answer:
                    break
                self._keep(answer)
        except TimeoutError:
            raise Refusal("timeout", method) from None
        except OSError:
            raise Refusal("shutting-down", "the peer closed the connection") from None
        if "error" in answer:
            raise _error(answer["error"])
        return cast("dict[str, object]", answer["result"])

    def events(self, wait: float) -> list[dict[str, object]]:
        """The events that came since the last call, or come within ``wait`` seconds.

        Only after ``events.subscribe``.  Raises :class:`Refusal` ``shutting-down``
        when the peer goes away.
        """
        deadline = time.monotonic() + wait
        try:
            while not self._events:
                self._keep(json.loads(self._frame(deadline)))
        except TimeoutError:
            return []
        except OSError:
            raise Refusal("shutting-down", "the peer closed the connection") from None
        events, self._events = self._events, []
        return events

    def _keep(self, message: dict[str, object]) -> None:
        params = message.get("params")
        if message.get("method") == "events" and isinstance(params, dict):
            self._events += params["events"]
            # whoever never asks for events gets none; a bound all the same
            del self._events[: -limits.RPC_EVENT_QUEUE]

    def _frame(self, deadline: float) -> bytes:
        while not self._frames:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(_CHUNK)
            if not data:
                raise ConnectionResetError
            self._frames = self._decoder.feed(data)
        return self._frames.pop(0)


def _error(error: dict[str, object]) -> CommandError:
    data = error.get("data")
    fields = data if isinstance(data, dict) else {}
    code = error.get("code")
    return CommandError(
        code if isinstance(code, int) else -32603,
        str(fields.get("reason", "internal-error")),
        str(fields.get("message", error.get("message", ""))),
        str(fields.get("hint", "")),
    )
