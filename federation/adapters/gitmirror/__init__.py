# SPDX-License-Identifier: MIT
"""An optional git repository that follows a space: each revision a commit of its author.

It is for reading, with any git; nothing is taken from it.  Git's objects are
written directly (dulwich, imported when the first mirror is opened), so no
hook, filter or attribute ever runs.
"""

from federation.adapters.gitmirror.entry import MirrorEntry
from federation.adapters.gitmirror.mirror import Mirror

__all__ = ["Mirror", "MirrorEntry"]
