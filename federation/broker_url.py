# SPDX-License-Identifier: MIT
"""Broker URLs: what they may say, and when they may be plaintext.

``scheme://host[:port][/path]`` with one of four schemes.  User name and
password never stand in a URL: they would end up in logs.  A broker on another
machine is reached over TLS only, unless that was switched off by name.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from federation.errors import Refusal

#: scheme -> its default port
DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
#: What a WebSocket broker's endpoint is usually called.
DEFAULT_PATH: Final = "/mqtt"
#: Longest URL that is looked at.
MAX_LENGTH: Final = 2048

_SHAPE: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>.*)"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?")
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_PATH: Final = re.compile(r"/[A-Za-z0-9/._~!$&'()*+,;=:%-]*")


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where a broker is.

    ``host`` is a lower-case name or an address without brackets; ``path`` is
    empty for mqtt and mqtts.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether nothing sent there leaves this machine."""
        return _is_loopback(self.host)

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("mqtts", "wss")

    @property
    def is_websocket(self) -> bool:
        """Whether MQTT travels inside a WebSocket."""
        return self.scheme in ("ws", "wss")

    def __str__(self) -> str:
        """The canonical form; the port is always in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse(text: str, *, allow_plaintext: bool = False) -> BrokerUrl:
    """Read a broker URL.

    Raises :class:`Refusal`: ``config-bad-url``, ``config-bad-port``,
    ``config-secret-in-url``, ``config-plaintext-non-loopback``.  The refusal
    repeats nothing of a URL that may hold a secret.
    """
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > MAX_LENGTH:
        raise Refusal("config-bad-url", "it has blanks, control or non-ASCII characters")
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise Refusal("config-bad-url", "it does not read scheme://host:port")
    scheme = match["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise Refusal("config-bad-url", f"the scheme is {scheme[:32]}")
    # A credential may hold any of "/?#": then its @ is behind them.
    if "@" in text:
        raise Refusal("config-secret-in-url")
    if "?" in text or "#" in text:
        raise Refusal("config-bad-url", "it has a query or a fragment")
    host, port = _authority(match["authority"], DEFAULT_PORTS[scheme])
    url = BrokerUrl(scheme, host, port, _path(scheme, match["path"]))
    if not (url.is_tls or url.is_loopback or allow_plaintext):
        raise Refusal("config-plaintext-non-loopback", str(url))
    return url


def _authority(text: str, default_port: int) -> tuple[str, int]:
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise Refusal("config-bad-url", "the host or the port is not well formed")
    return _host(match["host"]), _port(match["port"], default_port)


def _host(text: str) -> str:
    if text.startswith("["):
        if "%" in text:  # a zone means one thing on this machine, and nothing to others
            raise Refusal("config-bad-url", "an address with a zone")
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise Refusal("config-bad-url", "the address in brackets is not IPv6") from None
    host = text.lower()
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise Refusal("config-bad-url", "there is no well-formed host")
    return host


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    # At most five digits, so that int() never meets a giant.
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise Refusal("config-bad-port")
    return int(text)


def _path(scheme: str, text: str) -> str:
    if scheme in ("mqtt", "mqtts"):
        if text not in ("", "/"):
            raise Refusal("config-bad-url", f"{scheme} has no path")
        return ""
    if text in ("", "/"):
        return DEFAULT_PATH
    if not _PATH.fullmatch(text):
        raise Refusal("config-bad-url", "the path has characters that need an encoding")
    return text


def _is_loopback(host: str) -> bool:
    """``localhost``, 127.0.0.0/8 or ::1, and nothing that merely looks so."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("127.0.0.0/8")
    return address == ipaddress.IPv6Address("::1")
