# SPDX-License-Identifier: MIT
"""Readers of arguments, and the arguments of the verbs for servers."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from federation import limits


def seconds(text: str) -> float:
    """A time to wait."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= limits.WAIT_MAX:
        raise argparse.ArgumentTypeError(f"seconds from 0 to {int(limits.WAIT_MAX)}")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers between these, both included."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
            raise argparse.ArgumentTypeError(f"a number from {low} to {high}")
        return int(text[:12])

    return read


def broker_setup(parser: argparse.ArgumentParser) -> None:
    """Of ``broker-setup``."""
    parser.add_argument("folder", metavar="DIR", help="the broker's folder, made where it is new")
    parser.add_argument(
        "--peer",
        action="append",
        metavar="PEER",
        help="a peer to let in: its id, or its state directory, where an identity "
        "is made if there is none, and which is configured; may be repeated",
    )
    parser.add_argument("--rotate", action="store_true", help="give these peers new passwords")
    parser.add_argument("--remove", action="store_true", help="take these peers out")
    parser.add_argument(
        "--name",
        action="append",
        metavar="HOST",
        help="a name or address of the broker, for its certificate (default "
        "localhost); may be repeated",
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="where peers find it (default mqtts://, its first name and port)",
    )
    parser.add_argument("--port", type=whole(1, 65535), help="its TCP port (default 8883)")
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="listen on this address only, such as 127.0.0.1"
    )
    parser.add_argument("--renew", action="store_true",
                        help="make its certificate anew; without this, 30 days before the "
                        "end")  # fmt: skip


def broker_check(parser: argparse.ArgumentParser) -> None:
    """Of ``broker-check``."""
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="mosquitto.conf, acl, users, Compose (.yml) or .env")  # fmt: skip


def monitor(parser: argparse.ArgumentParser) -> None:
    """Of ``monitor``."""
    parser.add_argument(
        "--interval",
        type=_interval,
        default=10.0,
        metavar="S",
        help="seconds between two lines of rates (default 10)",
    )
    parser.add_argument("--for", type=seconds, dest="for_seconds", metavar="S",
                        help="end after so many seconds")  # fmt: skip


def _interval(text: str) -> float:
    value = seconds(text)
    if value < 0.1:
        raise argparse.ArgumentTypeError("at least 0.1 seconds")
    return value


def backup(parser: argparse.ArgumentParser) -> None:
    """Of ``backup``."""
    parser.add_argument(
        "path",
        metavar="FOLDER|ARCHIVE",
        help="where archives are kept; with --verify and --restore, an archive",
    )
    _keep(parser)
    parser.add_argument("--verify", action="store_true", help="check that an archive is whole")
    parser.add_argument("--restore", action="store_true",
                        help="bring an archive back, into a --state-dir that is new")  # fmt: skip


def _keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=whole(1, 10_000), default=7, metavar="N",
                        help="how many archives are kept (default 7)")  # fmt: skip


def hook(parser: argparse.ArgumentParser) -> None:
    """Of ``hook``."""
    parser.add_argument(
        "name",
        choices=("mirror", "backup", "echo"),
        help="mirror: a plain folder holds what the documents hold; backup: "
        "archives as `backup` makes them; echo: answer messages",
    )
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="of mirror and backup")
    _keep(parser)
    parser.add_argument(
        "--every",
        type=whole(0, 31_536_000),
        default=3600,
        metavar="S",
        help="seconds between two archives (default 3600)",
    )
    parser.add_argument("--install", action="store_true",
                        help="let the bot run this, from its next start on")  # fmt: skip


def service(parser: argparse.ArgumentParser) -> None:
    """Of ``service``."""
    parser.add_argument("--user", default="meta-log", help="who the bot runs as "
                        "(default meta-log)")  # fmt: skip
