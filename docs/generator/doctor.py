# SPDX-License-Identifier: MIT
"""Parts of ``how-to/troubleshooting.md``, from the table of ``federation.doctor``."""

from __future__ import annotations

from docs.generator.markdown import cell, code
from federation.doctor.cases import CASES, CHECKS


def cases() -> str:
    """A heading for each check, and what can be wrong there: cause and cure."""
    parts: list[str] = []
    for check, question in CHECKS.items():
        parts.append(f"### {question.partition(' (')[0]}\n\nThe check {code(check)}.\n")
        parts += [
            f"- **{code(name)}** ({_word(case.state)}): {cell(case.cause)}.\n"
            f"  *Cure*: {cell(case.cure)}.\n"
            for name, case in CASES.items()
            if case.check == check
        ]
    return "\n".join(parts)


def _word(state: str) -> str:
    return "good to know" if state == "ok" else state
