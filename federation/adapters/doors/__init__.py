# SPDX-License-Identifier: MIT
"""The doors of a peer: standard input and output, and the control socket."""

from federation.adapters.doors.control import Doors
from federation.adapters.doors.frontend import FrontEnd, Handler

__all__ = ["Doors", "FrontEnd", "Handler"]
