# SPDX-License-Identifier: MIT
"""What every verb may need: its arguments, the state directory, the configuration, the peer."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from federation import limits
from federation.adapters import runtime
from federation.cli.client import Client
from federation.cli.output import CommandError, clean, short_id
from federation.config import KEYS, PREFIX, Config, resolve
from federation.errors import Refusal
from federation.identity import peer_id as ids

Row = dict[str, Any]
#: The shortest beginning of an id that is looked for: 20 bits of it.
_ENOUGH: Final = len(ids.PREFIX) + 4
_DIGITS: Final = re.compile(ids.PREFIX + "[a-z2-7]{0,51}")
#: Candidates that are named where several peers are meant.
_CANDIDATES: Final = 5


@dataclass
class Context:
    """One command line, taken apart, with the environment it was given in."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    _client: Client | None = field(default=None, init=False)

    def argument(self, name: str, default: Any = None) -> Any:
        """An argument of the verb; flags that were not given are absent."""
        return getattr(self.arguments, name, default)

    @property
    def as_json(self) -> bool:
        """Whether the answer is for a program."""
        return bool(self.argument("json", False))

    def state_dir(self, *, running: bool = True) -> Path:
        """The state directory; ``running`` false for verbs that start a peer."""
        return runtime.resolve_state_dir(self.argument("state_dir"), self.environ, running=running)

    def config_file(self, state_dir: Path) -> tuple[Path, bool]:
        """The configuration file, and whether somebody named it (then it has to be there)."""
        named = self.argument("config_file") or self.environ.get(PREFIX + "CONFIG")
        if named:
            return runtime.absolute(named, self.environ), True
        return state_dir / runtime.CONFIG_NAME, False

    def config_text(self, state_dir: Path) -> str | None:
        """The text of the configuration file, or None where there is none."""
        path, named = self.config_file(state_dir)
        try:
            return runtime.read_private_text(path)
        except Refusal as refusal:
            if refusal.reason == "file-not-found" and not named:
                return None
            raise

    def flags(self) -> dict[str, str]:
        """Name of key -> text, of the keys' flags on the command line."""
        given = vars(self.arguments)
        return {name: given[name] for name in KEYS if name in given}

    def settings(self, state_dir: Path) -> Config:
        """The configuration in force for ``state_dir``, its paths absolute."""
        try:
            settings = resolve(self.flags(), self.environ, self.config_text(state_dir))
        except Refusal as refusal:
            if refusal.reason != "config-bad-config":
                raise
            where = f"{self.config_file(state_dir)[0]} {refusal.detail}".rstrip()
            raise Refusal(refusal.reason, where) from None
        # A peer keeps running when the shell that started it is elsewhere.
        return settings.with_paths(lambda path: str(runtime.absolute(path, self.environ)))

    def client(self) -> Client:
        """A connection to the running peer, or ``no-running-peer`` naming the state directory."""
        if self._client is None:
            state_dir = self.state_dir()
            peer = runtime.running_peer(state_dir)
            if peer is None:
                self.one_of_several()
                raise Refusal("no-running-peer", str(state_dir))
            self._client = Client(peer.socket)
        return self._client

    def one_of_several(self) -> None:
        """Refuse where no state directory was named and several peers run."""
        running = runtime.running_peers()
        named = self.argument("state_dir") or self.environ.get(PREFIX + "STATE_DIR")
        if named or len(running) < 2:
            return
        folders = ", ".join(str(one.state_dir) for one in running)
        hint = f"choose one: --state-dir {running[0].state_dir}"
        raise Refusal("several-running-peers", folders, hint=hint)

    def close(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.__exit__(None, None, None)

    def call(self, method: str, params: Row | None = None, *, extra: float = 0) -> Row:
        """Ask the running peer; ``extra`` seconds more where the request waits for others."""
        if extra:
            return self.client().call(method, params, timeout=extra + limits.CONNECT_TIMEOUT)
        return self.client().call(method, params)

    def peer_id(self, text: str) -> str:
        """The whole id of the peer that ``text`` names: its id, its short id or its name."""
        if len(text) == len(ids.PREFIX) + 52 and text.startswith(ids.PREFIX):
            return text
        enough = len(text) >= _ENOUGH
        peers = cast("list[Row]", self.call("peers.list")["peers"])
        found = [
            peer for peer in peers
            if text in (peer["peer_id"], peer.get("name"))
            or (enough and str(peer["peer_id"]).startswith(text))
        ]  # fmt: skip
        if len(found) == 1:
            return str(found[0]["peer_id"])
        if found:
            detail = f"{clean(text)} may be {_candidates(found)}"
            raise CommandError.of(Refusal("ambiguous-peer", detail))
        own = self.call("status")
        if text == own["name"] or (enough and str(own["peer_id"]).startswith(text)):
            raise CommandError.of(Refusal("own-peer", clean(text)))
        raise CommandError.of(_nobody(text, peers))


def _nobody(text: str, peers: Sequence[Row]) -> Refusal:
    """Why ``text`` names nobody: it is too short, no id at all, or of somebody unknown."""
    shown = clean(text)
    if not text.startswith(ids.PREFIX):
        return Refusal("unknown-peer", shown, hint="`peers` lists those that have")
    if _DIGITS.fullmatch(text) is None:
        detail = f"{shown}: after {ids.PREFIX} come a to z and 2 to 7, 52 of them in a whole one"
        return Refusal("bad-peer-id", detail, hint="copy it from `peers`, or write the name")
    if len(text) >= _ENOUGH:
        return Refusal("unknown-peer", shown, hint="`peers` lists those that have")
    least = _ENOUGH - len(ids.PREFIX)
    detail = f"{shown} is too short: at least {least} characters after {ids.PREFIX}"
    meant = [peer for peer in peers if str(peer["peer_id"]).startswith(text)]
    hint = f"it begins {_candidates(meant)}" if meant else "`peers` lists whole ids"
    return Refusal("bad-peer-id", detail, hint=hint)


def _candidates(peers: Sequence[Row]) -> str:
    """Some peers by as much of their ids as tells them apart, with their names."""
    whole = [str(peer["peer_id"]) for peer in peers]
    length = len(short_id(whole[0]))
    while len({one[:length] for one in whole}) < len(whole) and length < len(whole[0]):
        length += 1
    said = [
        one[:length] + (f" ({clean(peer['name'])})" if peer.get("name") else "")
        for one, peer in zip(whole[:_CANDIDATES], peers, strict=False)
    ]
    more = [f"{len(whole) - _CANDIDATES} more"] if len(whole) > _CANDIDATES else []
    return ", ".join(said + more)
