# SPDX-License-Identifier: MIT
"""Parts of ``explanation/architecture.md``: the rooms, and the machines from their tables."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

from docs.generator.markdown import code, fenced, table

_ROOT = Path(__file__).resolve().parents[2]


def machine(name: str) -> str:
    """The state diagram of one machine."""
    module = importlib.import_module(f"federation.machines.{name}")
    diagram: str = module.TABLE.diagram()
    return fenced(diagram, "mermaid")


def rooms() -> str:
    """The rooms from top to bottom, as the import contract has them."""
    data = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["id"]: one for one in data["tool"]["importlinter"]["contracts"]}
    pure = {name.split(".")[1] for name in contracts["pure"]["source_modules"]}
    names = re.split(r"[:|\s]+", " ".join(contracts["rooms"]["layers"]))
    rows = [(code(room), "yes" if room in pure else "", _summary(room)) for room in names]
    return table(("room", "pure", "what it is for"), rows)


def _summary(room: str) -> str:
    folder = _ROOT / "federation" / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = file.read_text(encoding="utf-8").split('"""')
    return " ".join(text[1].strip().split("\n\n")[0].split())
