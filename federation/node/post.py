# SPDX-License-Identifier: MIT
"""Sending: whole where a message fits, in signed pieces where it does not."""

from __future__ import annotations

from federation import limits
from federation.machines import assembly
from federation.node.context import Context
from federation.wire import envelope, forms, packed, topics


def send(
    context: Context,
    topic: str,
    message: bytes,
    *,
    to: str | None = None,
    about: tuple[str, str] | None = None,
) -> None:
    """Publish an encoded message of ours; ``about`` goes with its last part."""
    if to is not None and _send_packed(context, topic, message, to):
        return
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


def _send_packed(context: Context, topic: str, message: bytes, to: str) -> bool:
    """Send a large message packed, to a peer that unpacks it; whether that was done."""
    if len(message) < limits.PACK_FROM:
        return False
    peer = context.store.peer(to)
    data = packed.pack(message) if peer is not None and "pack1" in peer.caps else None
    if data is None:
        return False
    for piece in assembly.split(data, envelope.digest(data)):
        fields = context.signed(
            "packed-piece",
            id=piece.message_id,
            index=piece.index,
            count=piece.count,
            size=piece.size,
            whole=len(message),
            hash=envelope.digest(piece.data),
            to=to,
        )
        context.publish(topic, fields + b"\0" + piece.data)
    return True


def send_to(context: Context, peer_id: str, message_type: str, **fields: object) -> None:
    """Sign a message for one peer and send it to its inbox."""
    message = context.signed(message_type, to=peer_id, **fields)
    send(context, topics.inbox(peer_id), message, to=peer_id)
