# SPDX-License-Identifier: MIT
"""Questions that are answers: who asks on hearing an announcement shows that it is there.

A peer is there if it signed something that it could not have signed before.  A
nonce of ours that it echoes is such a thing; so is our newest announcement, of
which nobody can make the signature but we.  Half of the nonce of a question is
therefore a hash over the other, random half and the announcement of whom it
asks.  Who finds its own announcement in there needs no question of its own:
two peers that meet exchange two messages and not four.  For everybody else the
nonce is 32 hex digits that nobody can guess, as ever.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from federation.node.context import Context

_HEARD = b"canvasl-heard/v1\0"
#: our announcements that may be answered: one may be on its way when the next one leaves
_NEWEST = 2
#: bytes of either half of a nonce
_HALF = 8


def _half(chance: bytes, announcement: bytes) -> bytes:
    digest = hashlib.sha256(announcement).digest()
    return hashlib.sha256(_HEARD + chance + digest).digest()[:_HALF]


class Proof:
    """Nonces of questions, and who has shown by one that it heard us."""

    def __init__(self, context: Context) -> None:
        self._context = context
        #: our newest announcements -> the peers whose question has counted for each
        self._announced: OrderedDict[bytes, set[str]] = OrderedDict()

    def announced(self, announcement: bytes) -> None:
        """We announced ourselves with this message."""
        self._announced[announcement] = set()
        while len(self._announced) > _NEWEST:
            self._announced.popitem(last=False)

    def offline(self) -> None:
        """What is heard after the broker was lost answers no announcement of before."""
        self._announced.clear()

    def question(self, announcement: str) -> str:
        """A nonce for the peer that announced itself so: 32 hex digits."""
        chance = self._context.random(_HALF)
        return (chance + _half(chance, announcement.encode())).hex()

    def shown(self, peer_id: str, nonce: str) -> bool:
        """Whether the nonce of a peer's question shows that it heard us; once for each of ours.

        So nothing is proved by the same question, when somebody sends it again.
        """
        known = bytes.fromhex(nonce)
        for announcement, counted in self._announced.items():
            if known[_HALF:] == _half(known[:_HALF], announcement) and peer_id not in counted:
                counted.add(peer_id)
                return True
        return False
