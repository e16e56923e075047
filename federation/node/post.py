# SPDX-License-Identifier: MIT
"""Sending: whole where a message fits, in signed pieces where it does not."""

from __future__ import annotations

from federation import limits
from federation.machines import assembly
from federation.node.context import Context
from federation.wire import envelope, forms, topics


def send(
    context: Context,
    topic: str,
    message: bytes,
    *,
    to: str | None = None,
    about: tuple[str, str] | None = None,
) -> None:
    """Publish an encoded message of ours; ``about`` goes with its last part."""
    if len(message) <= limits.WIRE_MESSAGE:
        context.publish(topic, message, about=about)
        return
    addressed: dict[str, object] = {"to": to} if to else {}
    for piece in assembly.split(message, envelope.digest(message)):
        signed = context.signed(
            "canvasl-piece",
            id=piece.message_id,
            index=piece.index,
            count=piece.count,
            size=piece.size,
            data=forms.encode_base64(piece.data),
            **addressed,
        )
        last = piece.index == piece.count - 1
        context.publish(topic, signed, about=about if last else None)


def send_to(context: Context, peer_id: str, message_type: str, **fields: object) -> None:
    """Sign a message for one peer and send it to its inbox."""
    message = context.signed(message_type, to=peer_id, **fields)
    send(context, topics.inbox(peer_id), message, to=peer_id)
