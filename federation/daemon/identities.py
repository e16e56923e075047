# SPDX-License-Identifier: MIT
"""The ``identity.*`` methods: signing is a request, no private key leaves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters import keystore
from federation.adapters.doors import FrontEnd, Handler
from federation.daemon.paths import user_path
from federation.errors import Refusal
from federation.identity import keys
from federation.identity.peer_id import check_peer_id
from federation.identity.protect import Opened
from federation.identity.words import fingerprint, words
from federation.node import queries
from federation.rpc import params as p
from federation.wire import envelope

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

Answer = dict[str, object]


class Identities:
    """The running peer's identity, and others that were loaded to sign with."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._loaded: dict[str, Opened] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Method name -> handler."""
        return {
            "identity.show": self.show,
            "identity.words": self.words,
            "identity.create": self.create,
            "identity.load": self.load,
            "identity.sign": self.sign,
            "identity.verify": self.verify,
        }

    async def show(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``identity.show``."""
        peer = self._peer
        key = peer.identity.key
        return {
            "peer_id": key.peer_id,
            "public_key": keys.to_hex(key.public_key),
            "name": peer.options.node.name,
            "fingerprint": fingerprint(key.public_key),
            "words": words(key.public_key),
            "protection": peer.identity.protection,
            "file": str(peer.options.state_dir / "identity.json"),
        }

    async def words(self, _front_end: FrontEnd, given: p.Peer) -> Answer:
        """``identity.words``."""
        return queries.words(self._peer.node, given.peer_id)

    async def create(self, _front_end: FrontEnd, given: p.IdentityFile) -> Answer:
        """``identity.create``."""
        path = user_path(given.file)
        secret = given.passphrase.encode() if given.passphrase is not None else None
        opened = await self._peer.apart(keystore.create_file, path, secret, secrets.token_bytes)
        return self._remember(opened, given.file)

    async def load(self, _front_end: FrontEnd, given: p.IdentityFile) -> Answer:
        """``identity.load``."""
        path = user_path(given.file)
        secret = given.passphrase.encode() if given.passphrase is not None else None
        opened = await self._peer.apart(keystore.load_file, path, secret)
        return self._remember(opened, given.file)

    def _remember(self, opened: Opened, file: str) -> Answer:
        self._loaded.pop(opened.key.peer_id, None)
        if len(self._loaded) >= limits.LOADED_IDENTITIES:
            self._loaded.pop(next(iter(self._loaded)))
        self._loaded[opened.key.peer_id] = opened
        return {
            "peer_id": opened.key.peer_id,
            "public_key": keys.to_hex(opened.key.public_key),
            "file": file,
        }

    async def sign(self, _front_end: FrontEnd, given: p.Sign) -> Answer:
        """``identity.sign``: under a type of its own, so it signs no message of ours."""
        key = self._peer.identity.key
        if given.peer_id is not None and given.peer_id != key.peer_id:
            opened = self._loaded.get(check_peer_id(given.peer_id))
            if opened is None:
                raise Refusal("unknown-peer", "this identity is not loaded")
            key = opened.key
        signature = key.sign(_signed_text(given.message))
        return {"signature": keys.to_hex(signature), "peer_id": key.peer_id}

    async def verify(self, _front_end: FrontEnd, given: p.Verify) -> Answer:
        """``identity.verify``: false for anything but a right signature."""
        if given.public_key is not None:
            public_key = keys.parse_public_key(given.public_key)
            keys.admit(public_key)
        elif given.peer_id is not None:
            public_key = self._public_key(given.peer_id)
        else:
            raise Refusal("rpc-invalid-params", "peer_id or public_key is needed")
        try:
            signature = keys.parse_signature(given.signature)
        except Refusal:
            return {"valid": False}
        return {"valid": keys.verify(public_key, _signed_text(given.message), signature)}

    def _public_key(self, peer_id: str) -> bytes:
        if peer_id == self._peer.identity.key.peer_id:
            return self._peer.identity.key.public_key
        loaded = self._loaded.get(peer_id)
        if loaded is not None:
            return loaded.key.public_key
        return self._peer.node.book.require(peer_id).public_key


def _signed_text(text: str) -> bytes:
    return envelope.signing_input("signed-text", {"type": "signed-text", "text": text})
