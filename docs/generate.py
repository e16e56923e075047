# SPDX-License-Identifier: MIT
"""``make docs``: write the generated parts of every page again.

    python -m docs.generate [--check]

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``;
what is around it is written by hand.  ``--check`` writes nothing, names the
pages that are not up to date and ends with 1 if there are any.
"""

from __future__ import annotations

import sys

from docs.generator import elisp, manual
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
    if elisp.program() is not None:
        stale += _manual(check)
    return 1 if check and stale else 0


def _manual(check: bool) -> int:
    """Write, or check, the source and the built file of the Info manual; how many are stale."""
    source = manual.render(manual.SOURCE.read_text(encoding="utf-8"))
    stale = 0
    for path, after in ((manual.SOURCE, source), (manual.INFO, manual.build(source))):
        if path.exists() and path.read_text(encoding="utf-8") == after:
            continue
        stale += 1
        name = path.relative_to(ROOT).as_posix()
        print(f"{'not up to date' if check else 'written'}: {name}")
        if not check:
            path.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
