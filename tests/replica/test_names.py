# SPDX-License-Identifier: MIT
from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.replica.names import (
    DEFAULT_EXTENSIONS,
    FORBIDDEN_EXTENSIONS,
    check_name,
    document_name_for,
    kind_of,
    shown,
)
from tests.conformance import badinputs

GOOD = [
    "a.canvasl", "a/b/c.canvasl", "v1..2...x.canvasl", "CONtents.canvasl", "100% done.canvasl",
    "café/日本語 ❤.canvasl", "notes (1).md", "Report (final version).org", "x (1) (2).txt",
    "it's fine.md", "what’s new.md", "C#.md", "issue #3.md", "a+b=c,d@e^f.txt", "Hello!.md",
    "budget~2024.md", "会议：记录（最终）.md", "山田\u3000太郎.md", "❤\ufe0f list.md",
    "naïve résumé.txt",
    "50% off 20.md", "X.CANVASL", "communication.md", "console.txt", "auxiliary.md", "nullable.md",
    "identity-politics.md", "identity/notes.md", "core/notes.md", "lib/foo.el/x.md", "init.md",
    "2025-01-07 12.00.md", "emacs-notes.org", "package.json", "foo.bar.baz.md", "½.md", "x².md",
    "data.jsonl", "board.canvas", "commons/x.md", "a" * 252 + ".md", "d/" * 31 + "a.md",
    "Å.md", "Ω≈ç√.md", "ﬁle.md", "_private.md", "a-.md", "a & b.md".replace("&", "and"),
]  # fmt: skip

BAD = {
    "path-traversal": [
        "..", "../x.md", "a/../b.md", "a/..", "..\\x.md", "a/..\\../x", ".../x.md", ".. /x.md",
        "a/. ./x.md", "．．/x.md", "․․/x.md", "…/x.md", "‥/x.md", "../" * 100 + "x.md",
    ],
    "path-absolute": [
        "/", "/etc/passwd", "//host/share/x.md", "\\x.md", "\\\\host\\x.md", "\\\\?\\C:\\x.md",
        "C:\\x.md", "c:/x.md", "/../x.md",
    ],
    "path-reserved": [
        ".", "con", "con.md", "CON.md", "Con .md", "con.foo.md", "a/NUL.md", "aux/x.md", "PRN.org",
        "COM1", "com9.md", "COM¹.md", "lpt³.md", "LPT9", "CONIN$", "conout$.md", "ｃｏｎ.md",
        "com０.md", "C:x.md", "x.md:stream", "x.md::$DATA", "x.md:a:$DATA", "a/b:c.md", "a>b.md",
        "<b>.md", 'a"b.md', "nul.", "clock$.md",
    ],
    "path-non-canonical": ["", "a//b.md", "a/", "./x.md", "a/./b.md", "a/."],
    "path-separator": ["a\\b.md", "a/b\\c.md"],
    "path-suspicious": [
        "..%2fx.md", "%2e%2e/x.md", "..%5Cx.md", "a%00.md", "%252e.md", "..%c0%af.md", "a%3Ab.md",
        "..%e0%80%af.md", "%u002e.md", "a／b.md", "a＼b.md", "a⁄b.md", "a∕b.md", "a⧸b.md", "℀.md",
        "a％2fb.md",
    ],
    "path-nul": ["a\0.md", "x.md\0.png"],
    "path-control": ["a\nb.md", "a\rb.md", "a\tb.md", "a\x1b[31m.md", "a\x7f.md", "a\x85.md",
                     "a\x9b.md", "a\u2028b.md", "a\u2029b.md"],
    "path-bidi": [f"a{mark}b.md" for mark in
                  "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"],
    "path-invisible": [
        f"a{blank}b.md" for blank in
        "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2064\u206a\ufeff\ufff9\u3164\uffa0\u2800"
        "\ufe0f\U000e0001\U000e0041\U000e0100\u00a0\u2003\u202f\U0001d173"
    ] + [".g\u200cit/config"],
    "path-unassigned": ["a\ue000.md", "a\uf8ff.md", "a\ufdd0.md", "a\U0010ffff.md", "a\ud800.md",
                        "a\U000f0000.md"],
    "path-non-nfc": ["cafe\u0301.md", "\u212b.md", "\u1100\u1161.md", "a\u0316\u0301".join("xy")
                     + "\u0301\u0316.md", "\u0958.md"],
    "path-too-long": ["a" * 253 + ".md", "é" * 127 + ".md", "d/" * 32 + "a.md",
                      ("d" * 50 + "/") * 20 + "12345.md", "a" * 10**6],
    "path-trailing": ["a.md.", "a.md ", "a /x.md", "a./x.md", "a.md\u3000", "a．/x.md"],
    "path-leading-dash": ["-rf.md", "a/-x.md", " a.md", "a/ b.md", "\u3000a.md", "--help.md"],
    "path-shell-meta": [
        "$HOME/x.md", "${HOME}/x.md", "$(id).md", "`id`.md", "a;b.md", "a|b.md", "|id", "a&b.md",
        "a && b.md", "*.md", "a?.md", "[ab].md", "{a,b}.md", "~root/x.md", "!x.md", "'a'.md",
        "(id).md", "a(b).md", '(shell-command "id").md', "a (b;c).md", "a).md", "[[shell:id]].md",
        "a (b.md",
    ],
    "path-tramp": [
        "/ssh:h:/x.md", "/ssh:evil@host:/x.md", "/scp:u@h:x.md", "/u@h:/x.md", "/h:x.md",
        "/ssh:a|sudo:b:/x.md", "/ssh:-oProxyCommand=id:/x.md", "/sudo::/x.md", "/[ssh/h]x.md",
        "[ssh/h]x.md", "ssh:host:x.md", "docker:c:/x.md", "ssh:u@h.md", "u@h:x.md",
        "ｓｓｈ:h:x.md", "/ssh：h:/x.md",
    ],
    "path-url": ["file:///etc/passwd", "http://evil/x.md", "HTTPS://x.md", "ftp://h/x.md",
                 "javascript:x.md", "data:text/x.md", "mailto:a.md", "file:x.md", "ｈttp://x.md"],
    "path-forbidden-name": [
        ".dir-locals.el", "a/.dir-locals.el", ".dir-locals-2.el", ".DIR-LOCALS.EL",
        "_dir-locals.el", "dir-locals.el", ".dir-locals.md", "init.el", "a/init.elc", "INIT.EL",
        "early-init.el", "custom.el", "site-start.el", "default.el", ".emacs", "_emacs",
        ".emacs.d/x.md", "ｉnit.el", ".git/config", ".GIT/x.md", ".git", ".git /x.md",
        ".GIT./x.md", "．git/x.md", "git~1/x.md", "GIT~1", "GI7EBA~1.md", "NOTES~12.md",
        ".ssh/authorized_keys", "authorized_keys", ".editorconfig", ".projectile", ".htaccess",
        ".envrc", ".keep.canvasl", "notes/.keep.canvasl", ".#a.md", "#a.md#", "#a.md", "a.md~",
        "a.md.~1~", ".a.md.tmp", "a.md.tmp", "a.md.bak", "a.swp", "a.part", ".canvasl-sync.db",
        "store.db", "store.db-wal", "store.db-shm", "state.sqlite3-journal", "identity",
        "identity.json", "IDENTITY.JSON", "identity.key", "identity.json.bak", "a/identity.json",
        "identity-old.json", "a.sync-conflict-1.md", "a.SYNC-CONFLICT-1.md", "~syncthing~a.md",
        "Makefile", "CMakeLists.txt", "id_rsa", "desktop.ini", "Dockerfile",
    ],
    "path-forbidden-ext": [
        "README", "a.elc", "a.el", "a.so", "a.sh", "a.py", "a.pth", "a.exe", "a.md.exe", "a.tar",
        "a.md.gpg", "a.md.GZ", "a.tar.gz", "a.org.asc", "a.md.xz", "a.svg", "a.png", "a.mdx",
        "a.canvasl2", "a.ｍd", "md", "a/md",
    ],
}  # fmt: skip
BAD_NAMES = [(name, reason) for reason, names in BAD.items() for name in names]


def reason_of(name: str, *extensions: frozenset[str]) -> str:
    try:
        assert check_name(name, *extensions) == name
    except Refusal as refused:
        return refused.reason
    return "accepted"


@pytest.mark.parametrize("name", GOOD)
def test_names_that_people_choose(name: str) -> None:
    assert reason_of(name) == "accepted"
    assert document_name_for("x.md") == "x.md"


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES, ids=ascii)
def test_names_that_are_more_than_names(name: str, reason: str) -> None:
    assert reason_of(name) == reason


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES, ids=ascii)
def test_a_refusal_says_which_name(name: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_name(name)
    refusal = caught.value
    assert refusal.reason == reason
    assert refusal.detail.startswith(shown(name))
    assert refusal.message.isprintable()
    assert len(refusal.message) < 900
    if len(name) < 100 and name.isascii() and name.isprintable():
        assert f": {name}" in refusal.message


@pytest.mark.parametrize(("name", "said"), [
    ("nul.txt", "nul.txt"), ("", ""), ("café (1).md", "café (1).md"), ("a\x1b[31m", "a\\u001b[31m"),
    ("a\u202eb.md", "a\\u202eb.md"), ("a\u3164b", "a\\u3164b"), ("a\ud800", "a\\ud800"),
    ("x\n\u2028y", "x\\u000a\\u2028y"), ("❤\ufe0f.md", "❤\ufe0f.md"),
    ("d/" * 60, "d/" * 50 + "…"), ("a\U000e0041", "a\\ue0041"),
])  # fmt: skip
def test_names_are_shown_without_harm(name: str, said: str) -> None:
    assert shown(name) == said


CASES = list(badinputs.cases("file-name"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_inputs_and_controls(case: badinputs.Case) -> None:
    got = reason_of(case.row["payload"]["file"])
    if case.name == "control-sync-hidden-ok":
        assert got == "path-forbidden-name"  # ours to decide: nothing hidden is a document
    elif case.accepted or "setup" in case.row:
        assert got == "accepted"  # the rest is the file system's to say
    else:
        assert got == case.reason


@given(st.text(max_size=40) | st.text(alphabet="./\\~%#:$ -conaux.md()[]", max_size=20))
def test_what_passes_is_a_plain_relative_path(name: str) -> None:
    try:
        check_name(name + ".md")
    except Refusal:
        return
    name += ".md"
    parts = name.split("/")
    assert all(part and part.strip(". ") == part.lstrip() == part for part in parts)
    assert not set('\\\0:<>"|?*$`;&') & set(name)
    assert name.isprintable() or "\u3000" in name
    assert unicodedata.is_normalized("NFC", name)
    assert len(name.encode()) <= limits.NAME_TOTAL
    folded = unicodedata.normalize("NFKC", name).casefold()
    assert ".." not in folded.split("/")
    assert not folded.startswith(("/", "~", "-"))


@given(st.sampled_from([name for name, reason in BAD_NAMES if reason == "path-forbidden-name"]),
       st.sampled_from([str.upper, str.lower, str.title]))  # fmt: skip
def test_case_hides_nothing(name: str, change: Callable[[str], str]) -> None:
    assert reason_of(change(name)) != "accepted"


@pytest.mark.parametrize(
    "name",
    ["a" * 10**6, "é" * 10**6, "a\u0301\u0316" * 10**5, "(" * 1000, " (a" * 300, "'" * 1000,
     "." * 10**6, ". " * 500, "a:" * 500, "@" * 1000, "%" * 1000, "~" * 1000, "[" * 1000,
     ".db" * 300, "identity" * 120, "a@b:" * 250, "../" * 10**5],
)  # fmt: skip
def test_no_name_takes_long(name: str) -> None:
    started = time.process_time()
    assert reason_of(name) != "accepted"
    assert time.process_time() - started < 3


def test_extensions() -> None:
    more = DEFAULT_EXTENSIONS | {".tex", ".el", ".gpg", ".py"}
    assert reason_of("a.tex") == "path-forbidden-ext"
    assert reason_of("a.tex", more) == "accepted"
    assert reason_of("a.TEX", more) == "accepted"
    for never in ("a.el", "a.gpg", "a.py"):
        assert reason_of(never, more) == "path-forbidden-ext"
    assert not DEFAULT_EXTENSIONS & FORBIDDEN_EXTENSIONS
    assert all(one == one.lower() and one.startswith(".") for one in FORBIDDEN_EXTENSIONS)


@pytest.mark.parametrize(("name", "more", "said"), [
    ("a/x.exe", frozenset(), ("a/x.exe", ".exe never is")),
    ("a.tex", frozenset(), ("a.tex", "files.extensions may add one")),
    ("README", frozenset(), ("README", "files.extensions may add one")),
    ("a.tex", frozenset({".csv", ".el"}), ("a.tex", ".csv .json")),
])  # fmt: skip
def test_an_ending_that_is_refused(name: str, more: frozenset[str], said: tuple[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        check_name(name, DEFAULT_EXTENSIONS | more)
    assert caught.value.detail == said[0]
    assert said[1] in caught.value.hint
    assert "allowed: .canvas .canvasl" in caught.value.hint
    assert ".el" not in caught.value.hint


def test_local_files_become_documents() -> None:
    assert document_name_for("cafe\u0301.canvasl") == "café.canvasl"
    for name, reason in (("a/b.md", "path-non-canonical"), ("../x.md", "path-traversal"),
                         ("x.py", "path-forbidden-ext"), ("a" * 10**6, "path-too-long"),
                         ):  # fmt: skip
        with pytest.raises(Refusal) as caught:
            document_name_for(name)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.canvasl", "canvasl"), ("a/B.CANVASL", "canvasl"), ("a.canvas", "json-canvas"),
     ("a.Canvas", "json-canvas"), ("a.org", "text"), ("a.jsonl", "text"), ("canvasl", "text")],
)  # fmt: skip
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind
