# SPDX-License-Identifier: MIT
"""Lists in the fields of messages, whose forms were checked (``wire/forms.py``)."""

from __future__ import annotations

from collections.abc import Sequence


def texts(value: object) -> Sequence[str]:
    """A list of texts; an empty one for a field that is not there."""
    return [str(one) for one in value] if isinstance(value, list) else []


def pairs(value: object) -> list[tuple[str, str]]:
    """A list of (document, revision id); an empty one for a field that is not there."""
    return (
        [(str(file), str(revision)) for file, revision in value] if isinstance(value, list) else []
    )
