# SPDX-License-Identifier: MIT
"""The RPC's methods about spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from federation.adapters.doors import FrontEnd, Handler
from federation.daemon.paths import user_path
from federation.errors import Refusal
from federation.events import Notice
from federation.rpc import params as p

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

Answer = dict[str, object]


class SpaceMethods:
    """``spaces.*`` for one running peer."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._spaces = peer.spaces

    def _tell(self, space: str) -> None:
        self._peer.outlet.notice(Notice("space-changed", {"space": space}))

    def handlers(self) -> Mapping[str, Handler]:
        """Method name -> handler."""
        return {
            "spaces.list": self.list,
            "spaces.create": self.create,
            "spaces.share": self.share,
            "spaces.leave": self.leave,
            "spaces.set": self.set,
            "spaces.confirm": self.confirm,
            "spaces.restore": self.restore,
        }

    async def list(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``spaces.list``."""
        return {"spaces": await self._spaces.rows()}

    async def create(self, _front_end: FrontEnd, given: p.CreateSpace) -> Answer:
        """``spaces.create``."""
        if given.kind == "encrypted":
            raise Refusal("space-encrypted", given.space)
        await self._spaces.create(given.space)
        self._tell(given.space)
        return await self._spaces.row(given.space)

    async def share(self, _front_end: FrontEnd, given: p.ShareFolder) -> Answer:
        """``spaces.share``."""
        await self._spaces.share(user_path(given.path), given.space)
        self._tell(given.space)
        return await self._spaces.row(given.space)

    async def leave(self, _front_end: FrontEnd, given: p.Space) -> Answer:
        """``spaces.leave``."""
        await self._spaces.leave(given.space)
        self._tell(given.space)
        return {"space": given.space}

    async def set(self, _front_end: FrontEnd, given: p.SetSpace) -> Answer:
        """``spaces.set``."""
        await self._spaces.configure(
            given.space, auto_sync=given.auto_sync, interval=given.interval
        )
        self._tell(given.space)
        return await self._spaces.row(given.space)

    async def confirm(self, _front_end: FrontEnd, given: p.Space) -> Answer:
        """``spaces.confirm``."""
        count = await self._spaces.decide(given.space, delete=True)
        return {"space": given.space, "count": count}

    async def restore(self, _front_end: FrontEnd, given: p.Space) -> Answer:
        """``spaces.restore``."""
        count = await self._spaces.decide(given.space, delete=False)
        return {"space": given.space, "count": count}
