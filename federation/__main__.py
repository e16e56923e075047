# SPDX-License-Identifier: MIT
"""``meta-log-peer-sync`` and ``python -m federation``: arguments and environment, read once."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the verb of the command line; the exit code is in ``cli.output``'s table."""
    from federation.cli import app

    return app.run(sys.argv[1:], dict(os.environ))


if __name__ == "__main__":
    sys.exit(main())
