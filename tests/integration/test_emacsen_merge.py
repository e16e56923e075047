# SPDX-License-Identifier: MIT
"""Two real Emacsen edit one document at once, and one of them for a while without a broker."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.peers import Peer
from tests.integration.test_two_emacsen import EMACSES, Emacs, editor

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not EMACSES, reason="no Emacs is installed"),
]

#: how often the one without a broker saves
SAVES = 1000

#: what edits an entry in the visited document: `(edit ID TEXT)`
EDIT = """(progn (defun edit (id text)
  (goto-char (point-min))
  (search-forward (format "{\\"id\\":\\"n%d\\",\\"text\\":\\"" id))
  (insert text)) t)"""


def canvas(count: int) -> str:
    """A canvas of so many entries."""
    return "".join(f'{{"id":"n{n}","text":"","x":{n}}}\n' for n in range(count))


def texts(data: str) -> dict[str, str]:
    """Entry -> its text; every line has to be one."""
    entries = [json.loads(line) for line in data.splitlines()]
    assert len({entry["id"] for entry in entries}) == len(entries)
    return {entry["id"]: entry["text"] for entry in entries}


def visit(emacs: Emacs, name: str) -> None:
    """Let an Emacs visit a synced copy."""
    emacs.do(f'(find-file "{emacs.synced / name}")')
    emacs.do(EDIT)


def inside(name: str, form: str) -> str:
    """The form, evaluated in the buffer of a synced copy."""
    return f'(with-current-buffer "{name}" {form})'


def shown(emacs: Emacs, name: str) -> dict[str, Any]:
    """The text of the buffer that visits a synced copy, and the report on it."""
    report = emacs.do(inside(name, "(buffer-string)"))
    assert report["questions"] == []
    return report


def revisions(emacs: Emacs, name: str) -> list[dict[str, Any]]:
    """The history of a document, as an Emacs is told."""
    form = (
        "(json-serialize (meta-log-peer-sync-rpc-wait"
        f' "documents.history" (list :file "{name}") 20) :null-object nil'
        " :false-object :json-false)"
    )
    found: list[dict[str, Any]] = json.loads(emacs.do(form)["value"])["revisions"]
    return found


@contextlib.contextmanager
def both_visit(
    tmp_path: Path, name: str, lines: int, syncs: str
) -> Iterator[tuple[Mosquitto, Emacs, Emacs]]:
    """Two Emacsen that know each other and visit one canvas, which ``a`` or ``b`` has synced."""
    with Mosquitto(tmp_path) as broker:
        env = {"META_LOG_MQTT_BROKER": broker.url}
        with (
            editor(EMACSES[0], tmp_path, env, "a") as a,
            editor(EMACSES[-1], tmp_path, env, "b") as b,
        ):
            a.do("(meta-log-peer-sync-demo-init)")
            b.do("(meta-log-peer-sync-demo-init)")
            wait_until(lambda: a.do("t")["modeline"] == b.do("t")["modeline"] == " Sync:1",
                       40.0, "both online")  # fmt: skip
            source = tmp_path / name
            source.write_text(canvas(lines))
            {"a": a, "b": b}[syncs].do(f'(meta-log-peer-sync-sync-file "{source}")')
            data = {name: source.read_bytes()}
            wait_until(lambda: a.has(data) and b.has(data), 60.0, "the canvas on both sides")
            visit(a, name)
            visit(b, name)
            yield broker, a, b


def test_one_edits_without_a_broker(tmp_path: Path) -> None:
    """Different entries, a thousand saves alone: one text, no question, point in its place."""
    name = "x.canvasl"
    with both_visit(tmp_path, name, 200, "a") as (broker, a, b):
        broker.kill()
        a.do(inside(name, '(progn (edit 10 "of a") (save-buffer))'))
        # one that is not saved when the others' changes come
        a.do(inside(name, '(edit 100 "unsaved ")'))
        for start in range(0, SAVES, 100):
            b.do(
                inside(
                    name,
                    f"""(dotimes (n 100)
                (edit (+ 101 (% (+ n {start}) 90)) "b") (save-buffer)
                (while meta-log-peer-sync-core--saving
                  (accept-process-output nil 0.01)))""",
                )
            )
        wait_until(lambda: len(revisions(b, name)) == SAVES + 1, 240.0, "all saves recorded")
        b.do(inside(name, '(progn (edit 150 "") (forward-char 2))'))
        before_b = b.do(inside(name, "(buffer-substring (line-beginning-position) (point))"))
        before_a = a.do(inside(name, "(buffer-substring (line-beginning-position) (point))"))
        broker.start()

        wait_until(
            lambda: any("unsaved changes are still here" in one
                        for one in a.do("t")["messages"]),
            60.0, "the message",
        )  # fmt: skip
        wait_until(lambda: texts(shown(b, name)["value"])["n10"] == "of a", 60.0, "b follows")
        assert texts(shown(a, name)["value"])["n100"] == "unsaved "
        a.do(inside(name, "(save-buffer)"))
        wait_until(lambda: shown(a, name)["value"] == shown(b, name)["value"]
                   == (a.synced / name).read_text() == (b.synced / name).read_text()
                   and texts(shown(b, name)["value"])["n100"] == "unsaved ",
                   60.0, "one text")  # fmt: skip
        found = texts(shown(a, name)["value"])
        assert found["n10"] == "of a"
        assert sum(text.count("b") for text in found.values()) == SAVES
        assert len(found) == 200
        here = inside(name, "(list (buffer-modified-p) (buffer-substring"
                            " (line-beginning-position) (point)))")  # fmt: skip
        for emacs, before in ((a, before_a), (b, before_b)):
            assert emacs.do(here)["value"] == f"(nil {before['value']})"
        authors = {one["peer_id"] for one in revisions(a, name)}
        wait_until(lambda: len(revisions(a, name)) >= SAVES + 3, 60.0, "the whole history")
        assert len(authors) == 2


def test_both_edit_at_once(tmp_path: Path) -> None:
    """Saves in turn and at once, online: nothing is asked, and both show the same."""
    name = "y.canvasl"
    with both_visit(tmp_path, name, 40, "b") as (broker, a, b):
        for turn in range(10):
            a.do(inside(name, f'(edit {turn} "a")'))
            b.do(inside(name, f'(edit {turn + 20} "b")'))
            a.do(inside(name, "(save-buffer)"))
            b.do(inside(name, "(save-buffer)"))

        def same() -> bool:
            one, other = shown(a, name)["value"], shown(b, name)["value"]
            found = texts(one)
            return bool(
                one == other == (a.synced / name).read_text() == (b.synced / name).read_text()
                and all(found[f"n{n}"] == "a" and found[f"n{n + 20}"] == "b" for n in range(10))
            )

        wait_until(same, 60.0, "one text")
        # One value at once: both are told, either chooses, once, for both.
        number = """(progn (goto-char (point-min)) (search-forward "\\"x\\":39")
            (delete-char -2) (insert "%d"))"""
        a.do(inside(name, number % 1001))
        b.do(inside(name, number % 1002))
        broker.kill()
        a.do(inside(name, "(save-buffer)"))
        b.do(inside(name, "(save-buffer)"))
        broker.start()
        conflicts = """(with-current-buffer (meta-log-peer-sync-conflicts)
            (length tabulated-list-entries))"""

        def both(count: str) -> bool:
            return bool(a.do(conflicts)["value"] == b.do(conflicts)["value"] == count)

        wait_until(lambda: both("1"), 60.0, "a conflict")
        b.do("""(with-current-buffer (meta-log-peer-sync-conflicts)
            (goto-char (point-min))
            (meta-log-peer-sync-conflicts-take-second) "")""")
        wait_until(lambda: both("0"), 60.0, "settled")
        text = inside(name, "(buffer-string)")
        wait_until(lambda: a.do(text)["value"] == b.do(text)["value"], 60.0, "one text")
        last = json.loads(a.do(text)["value"].splitlines()[-1])
        assert last["x"] in (1001, 1002)


@pytest.mark.parametrize("program", EMACSES)
def test_a_version_that_comes_while_one_edits_is_merged(tmp_path: Path, program: str) -> None:
    """Unsaved changes and a peer's version: saving merges them, and nobody is asked anything."""
    with Mosquitto(tmp_path) as broker:
        env = {"META_LOG_MQTT_BROKER": broker.url}
        policy = {"META_LOG_PEER_SYNC_TRUST_POLICY": "announced"}
        with (
            Peer(tmp_path / "bob", broker.url, env=policy) as bob,
            editor(program, tmp_path, env) as emacs,
        ):
            emacs.do("(meta-log-peer-sync-demo-init)")
            theirs = tmp_path / "x.canvasl"
            theirs.write_text(canvas(3))
            bob.call("sync.file", {"path": str(theirs)})
            wait_until(lambda: emacs.has({"x.canvasl": theirs.read_bytes()}), 60.0, "arrival")
            visit(emacs, "x.canvasl")
            emacs.do(inside("x.canvasl", '(edit 0 "mine")'))
            theirs.write_text(canvas(3).replace('"x":2', '"x":3'))
            bob.call("sync.file", {"path": str(theirs), "wait": True})
            wait_until(
                lambda: any("unsaved changes are still here" in one
                            for one in emacs.do("t")["messages"]),
                20.0, "the message",
            )  # fmt: skip
            copy = emacs.synced / "x.canvasl"
            assert copy.read_text() == canvas(3)
            emacs.do(inside("x.canvasl", "(save-buffer)"))
            both = theirs.read_text().replace('"n0","text":""', '"n0","text":"mine"')
            wait_until(lambda: shown(emacs, "x.canvasl")["value"] == both, 60.0, "both")
            assert copy.read_text() == both
            wait_until(lambda: (bob.synced / "x.canvasl").read_text() == both, 60.0, "at bob's")
            assert bob.call("conflicts.list")["conflicts"] == []
