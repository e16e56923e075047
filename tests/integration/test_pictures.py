# SPDX-License-Identifier: MIT
"""The screenshots in the documents are what a real Emacs shows."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import pytest

from tests.integration.pictures import FOLDER, TITLES, scene
from tests.integration.terminal import Look, Screen
from tests.integration.test_two_emacsen import EMACSES

#: Words that differ from time to time, or from Emacs to Emacs.
_VARIES = re.compile(r"^(?:peer-.*|.*\d.*|[-.$\\]+|first|second|[UD\\]*-+.*|F1)$")


def words(picture: str) -> set[str]:
    """What a picture shows, without times, ids, the echo area and the frame's name."""
    rows = re.findall(r'<text x="[\d.]+" y="([\d.]+)"[^>]*>(.*?)</text>', picture)
    mode_lines = [float(y) for y, text in rows if "*meta-log-peer-sync" in text]
    below = [] if any("More menus" in text for _, text in rows) else mode_lines
    kept = [unescape(text) for y, text in rows if not below or float(y) <= max(below)]
    found = {word for text in kept for word in re.split(r"[\s\[\]]+", text) if word}
    return {re.sub(r"-+$", "", word) for word in found if not _VARIES.match(word)}


@pytest.mark.skipif(not EMACSES or shutil.which("tic") is None, reason="no Emacs, or no tic")
@pytest.mark.skipif(not Path("/dev/pts/ptmx").exists(), reason="no pseudo-terminals here")
@pytest.mark.timeout(300)
def test_the_pictures_are_what_emacs_shows(tmp_path: Path) -> None:
    for name, picture in scene(tmp_path, EMACSES[0]).items():
        committed = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert words(picture) == words(committed), (
            f"{name}: python -m tests.integration.pictures writes it anew"
        )


@pytest.mark.parametrize("name", TITLES)
def test_the_pictures_are_drawings_of_what_is_told(name: str) -> None:
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314  (a file of ours)
    assert root[0].text == TITLES[name]
    shown = words(text) | set(re.findall(r"Sync:\d", text))
    expected = {
        "emacs-peers": {"ben", "dora", "accepted", "unknown", "Held", "Sync:2"},
        "emacs-documents": {"plan.canvasl", "conflict", "garden.org", "plants.md", "Sync:2"},
        "emacs-conflicts": {"pond/text", '"A', 'swing"', "Place", "Sync:2"},
        "emacs-menu": {"Start", "(running)", "Manual", "Customize", "mirror…"},
    }[name]
    assert expected - shown == set()


def test_a_screen_follows_what_is_written() -> None:
    screen = Screen(6, 3)
    screen.feed(b"abc\x1b[2;3Hd\xc3")
    screen.feed(b"\xa9\x1b[1;31")
    screen.feed(b"me\x1b[38;2;1;2;255mf\x1b[mg\rh")
    assert screen.lines == ["abc", "  déef", "h"]
    assert screen.cells[1][4] == ("e", Look(front="#b22222", bold=True))
    assert screen.cells[1][5] == ("f", Look(front="#0102ff", bold=True))
    assert (screen.row, screen.column) == (2, 1)
    screen.feed(b"\x1b[1;2H\x1b[K\x1b[?25l\x1b(B\x1b[7mz\x1b[24m\x1b[39;49m")
    assert screen.lines[0] == "az"
    assert screen.cells[0][1][1] == Look(reverse=True)
    picture = screen.picture("a < b")
    assert "a &lt; b" in picture
    assert "<rect" in picture
    screen.feed(b"\x1b[2;1H\x1b[J")
    assert screen.lines == ["az", "", ""]
    screen.feed(b"\x1b[H\x1b[2Jx\b\ny")
    assert screen.lines == ["x", "y", ""]
