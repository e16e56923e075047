# SPDX-License-Identifier: MIT
"""The rules of the house: sizes, mirrors, licences, and words that stay outside."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

from federation import limits
from federation.errors import REASONS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "federation").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
#: Folders of tests that mirror no room.
#: tests of several modules together
OF_MANY = {"replica/merge/test_pairs.py"}
OTHER_TESTS = {"simulation", "conformance", "fuzz", "integration", "elisp", "meta", "bench"}
#: Sources whose test file has another name, or that need none, each with its reason.
MIRROR_EXCEPTIONS = {
    "ports.py": "shapes without code; mypy tests them",
}
#: Where sleeping is allowed: a condition that another process decides.
MAY_SLEEP = {"integration", "bench"}
#: The length of a line is ruff's to watch.
MODULE_LINES, FUNCTION_LINES = 400, 70
# Written in pieces, so that this file does not break its own rules.
BANNED = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'}|{'XX' + 'X'})\b")
ELSEWHERE = re.compile(
    "|".join(
        re.escape("".join(parts))
        for parts in (
            ("pypi", ".org"), ("python", "hosted"), ("registry.", "npmjs"), ("/wo", "rk/"),
            ("/tmp/", "v/"), ("/root/", ".pyenv"),
        )
    )
)  # fmt: skip


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tracked() -> list[Path]:
    """Files of the project: what git has or would add; without git, what is there."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return sorted(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file())
    hidden = re.compile(r"(^|/)(\.(?!ci/)|__pycache__|build/|dist/)")
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return sorted(path for path in found if not hidden.search(relative(path)))


FILES = _tracked()
TEXTS = {path: path.read_text(encoding="utf-8", errors="replace") for path in FILES}
CODE = [
    path for path in FILES
    if path.suffix in (".py", ".el", ".sh", ".toml", ".yml", ".yaml")
    or path.name == "Makefile" or path.parent.name == ".ci"
]  # fmt: skip


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_every_source_file_names_its_licence(path: Path) -> None:
    head = TEXTS[path].splitlines()[:8]
    if path.suffix == ".py" and not head[0].startswith("#!"):
        head = head[:1]
    assert any("SPDX-License-Identifier: MIT" in line for line in head)


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_source_file_has_its_test_file(path: Path) -> None:
    inside = path.relative_to(ROOT / "federation")
    if inside.as_posix() in MIRROR_EXCEPTIONS or _only_names(path):
        return
    name = {"__main__": "main", "__init__": path.parent.name}.get(path.stem, path.stem)
    mirror = ROOT / "tests" / inside.parent / f"test_{name}.py"
    assert mirror.is_file(), f"{relative(mirror)} is missing"


def _only_names(path: Path) -> bool:
    """Whether a module only gathers what others define."""
    names = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return path.name == "__init__.py" and all(isinstance(node, names) for node in body)


@pytest.mark.parametrize(
    "path", [path for path in TESTS if path.name.startswith("test_")], ids=relative
)
def test_every_test_file_has_its_source_file(path: Path) -> None:
    inside = path.relative_to(ROOT / "tests")
    if inside.parts[0] in OTHER_TESTS or inside.as_posix() in OF_MANY:
        return
    name = inside.stem.removeprefix("test_")
    folder = ROOT / "federation" / inside.parent
    candidates = [folder / f"{name}.py", folder / f"__{name}__.py"]
    if name == folder.name:
        candidates.append(folder / "__init__.py")
    assert any(candidate.is_file() for candidate in candidates)


def test_exceptions_are_still_needed() -> None:
    for name in MIRROR_EXCEPTIONS:
        assert (ROOT / "federation" / name).is_file()
        assert not (ROOT / "tests" / Path(name).parent / f"test_{Path(name).name}").exists()


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_tests_do_not_sleep(path: Path) -> None:
    if path.relative_to(ROOT / "tests").parts[0] in MAY_SLEEP:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        yields = len(node.args) == 1 and ast.unparse(node.args[0]) == "0"
        assert called != "sleep" or yields, f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_words_of_unfinished_work_and_no_places_elsewhere(path: Path) -> None:
    for number, line in enumerate(TEXTS[path].splitlines(), 1):
        assert not BANNED.search(line), f"line {number}"
        assert not ELSEWHERE.search(line), f"line {number}"


def test_every_limit_is_used() -> None:
    text = "".join(TEXTS.get(path, "") for path in SOURCES if path.name != "limits.py")
    inside = (ROOT / "federation" / "limits.py").read_text(encoding="utf-8")
    for name in (name for name in vars(limits) if name.isupper()):
        used = re.search(rf"limits\.{name}\b", text) or len(re.findall(rf"\b{name}\b", inside)) > 1
        assert used, name


def test_every_reason_is_given_by_somebody() -> None:
    elsewhere = [path for path in SOURCES if path.name != "errors.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in elsewhere)
    assert [reason for reason in REASONS if f'"{reason}"' not in text] == []


def test_reasons_have_codes_of_their_own() -> None:
    codes = [entry.code for entry in REASONS.values()]
    assert len(codes) == len(set(codes))
    for reason, entry in REASONS.items():
        assert entry.message
        assert entry.hint, reason


def test_the_shape_of_the_house() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES]
    assert statistics.median(length for length in lengths if length > 5) <= 150
    ours = sum(map(_code_lines, SOURCES))
    assert sum(map(_code_lines, filter(_is_pure, SOURCES))) / ours >= 0.70
    assert sum(map(_code_lines, TESTS)) / ours >= 1.2


#: Modules that import one of these at their top do input and output.
_IO = {"asyncio", "multiprocessing", "select", "selectors", "socket", "sqlite3", "subprocess",
       "threading"}  # fmt: skip


def _is_pure(path: Path) -> bool:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import) and _IO & {name.name.split(".")[0] for name in node.names}:
            return False
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _IO:
            return False
    return True


def _code_lines(path: Path) -> int:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)
