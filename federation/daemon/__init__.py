# SPDX-License-Identifier: MIT
"""The composition root: a running peer, and how it is started."""

from federation.daemon.start import run

__all__ = ["run"]
