# SPDX-License-Identifier: MIT
"""The blackboard: the federation's Org file, read, merged and kept up to date.

``outline`` reads Org with its bytes, ``pairing`` finds the same entry in two
versions, ``fields`` merges one entry, ``merge`` merges whole boards, ``layout``
writes peers and canvas nodes.  Everything here is a pure function of its
arguments: the same versions give the same bytes on every peer.
"""

from federation.replica.blackboard.fields import Conflict
from federation.replica.blackboard.layout import (
    BoardPeer,
    CanvasNode,
    add_canvas_node,
    update_peers,
)
from federation.replica.blackboard.merge import merge_blackboard
from federation.replica.blackboard.outline import Entry, Outline, Property, parse

#: The document that is merged as a blackboard.
BLACKBOARD = "federation-blackboard.org"

__all__ = [
    "BLACKBOARD",
    "BoardPeer",
    "CanvasNode",
    "Conflict",
    "Entry",
    "Outline",
    "Property",
    "add_canvas_node",
    "merge_blackboard",
    "parse",
    "update_peers",
]
