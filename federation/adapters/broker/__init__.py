# SPDX-License-Identifier: MIT
"""The embedded broker: a child process on loopback, for peers that have no other."""

from federation.adapters.broker.embedded import EmbeddedBroker, serve_alone

__all__ = ["EmbeddedBroker", "serve_alone"]
