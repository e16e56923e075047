# SPDX-License-Identifier: MIT
"""meta-log-peer-sync: the peer-to-peer layer for Emacs canvases.

The rooms of this package, top to bottom, are listed in
``docs/explanation/architecture.md``; import-linter holds them apart.
"""

__version__ = "0.1.0"
