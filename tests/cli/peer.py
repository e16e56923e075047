# SPDX-License-Identifier: MIT
"""A stand-in for a running peer: answers on a control socket, remembers what it was asked.

The verbs against a real peer are in ``tests/integration``; this one answers
what a real one only answers after a long story.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from federation.adapters import runtime
from federation.errors import Refusal
from federation.rpc.framing import FrameDecoder, encode

Answer = Callable[[dict[str, Any]], object] | object


class StandIn:
    """Answers of methods by name, and the requests that came."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def serve(self, server: socket.socket) -> None:
        """Serve one connection after the other until the socket is closed."""
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        decoder = FrameDecoder()
        while data := connection.recv(65536):
            for frame in decoder.feed(data):
                request = json.loads(frame)
                self.asked.append((request["method"], request["params"]))
                # A notification in between is what any front end may get.
                note = {"jsonrpc": "2.0", "method": "events", "params": {"events": []}}
                connection.sendall(encode(json.dumps(note).encode()))
                answer = self._answer(request)
                if answer is None:
                    return
                connection.sendall(encode(json.dumps(answer).encode()))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        answer = self.answers[request["method"]]
        if answer is None:
            return None
        if isinstance(answer, Refusal):
            error = {"code": answer.code, "message": answer.message, "data": answer.as_data()}
            return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        result = answer(request["params"]) if callable(answer) else answer
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}


@contextlib.contextmanager
def standing_in(state_dir: Path, answers: dict[str, Any]) -> Iterator[StandIn]:
    """A stand-in that runs on ``state_dir``, lock, record and socket as a real peer's."""
    peer = StandIn(answers)
    lock = runtime.StateLock.acquire(state_dir)
    place = runtime.socket_path(state_dir)
    place.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(place))
    server.listen()
    thread = threading.Thread(target=peer.serve, args=(server,))
    thread.start()
    lock.publish(place)
    try:
        yield peer
    finally:
        # A shut down listener wakes the thread that waits on it.
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)
        lock.release()
