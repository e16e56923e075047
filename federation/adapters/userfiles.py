# SPDX-License-Identifier: MIT
"""Files that the user names: read with care, wherever they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from federation.errors import Refusal, io_refusal


def read_user_file(path: Path, limit: int) -> bytes:
    """A file that the user named, whole; a link, a folder or a device is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise io_refusal(error, path) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):  # fdopen would raise its own error for a folder
        os.close(handle)
        raise Refusal("path-not-regular", str(path))
    with os.fdopen(handle, "rb") as stream:
        if found.st_size > limit:
            raise Refusal("file-too-large", f"{path}: {found.st_size} bytes")
        try:
            return stream.read(limit + 1)
        except OSError as error:
            raise io_refusal(error, path) from error
