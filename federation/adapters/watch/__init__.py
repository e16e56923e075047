# SPDX-License-Identifier: MIT
"""A shared folder on disk: news of it, whole looks at it, and careful reading and writing.

``Watch`` tells that something happened; what that is, the files themselves say
(``Shared``); what it means, the machine of the folder decides.
"""

from federation.adapters.watch.events import Watch
from federation.adapters.watch.shared import Modified, Shared

__all__ = ["Modified", "Shared", "Watch"]
