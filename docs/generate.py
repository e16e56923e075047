# SPDX-License-Identifier: MIT
"""``make docs``: write the generated parts of every page again.

    python -m docs.generate [--check]

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``;
what is around it is written by hand.  ``--check`` writes nothing, names the
pages that are not up to date and ends with 1 if there are any.
"""

from __future__ import annotations

import sys

from docs.generator import elisp
from docs.generator.pages import PAGES, ROOT, render


def main() -> int:
    """Write, or check, all pages; the exit code."""
    check = "--check" in sys.argv[1:]
    stale = 0
    for page in PAGES:
        if page in elisp.PAGES and elisp.program() is None:
            print(f"left as it is, for want of an Emacs: docs/{page}")
            continue
        path = ROOT / "docs" / page
        before = path.read_text(encoding="utf-8")
        after = render(page, before)
        if after == before:
            continue
        stale += 1
        print(f"{'not up to date' if check else 'written'}: docs/{page}")
        if not check:
            path.write_text(after, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
