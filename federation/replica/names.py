# SPDX-License-Identifier: MIT
"""What a document may be called.

A name is received from strangers, becomes a path, is opened by an editor and
copied by other programs to other systems.  So it is refused when *any* system
or program that we know reads more into it than a plain relative path: another
folder, a device, a remote host, a pattern, a file that something executes or
obeys, an older version of another file.  Names that only look alike after
compatibility folding (full-width dots, superscript digits) are judged by what
they fold to.

The checks run in the order of :data:`_CHECKS`, and the first one names the
reason.  No file system is looked at: that is the store's part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal

from federation import limits
from federation.errors import Refusal
from federation.identity.characters import BIDI, is_invisible

Kind = Literal["canvasl", "json-canvas", "text"]

#: Endings that documents have by default (contract); configuration adds others.
DEFAULT_EXTENSIONS: Final = frozenset(
    {".canvasl", ".canvas", ".jsonl", ".json", ".org", ".md", ".txt"}
)

#: Endings that no configuration allows: what a system, a shell, an editor or an
#: interpreter runs or loads, and what an editor unpacks or decrypts by itself.
FORBIDDEN_EXTENSIONS: Final = frozenset(
    "." + ending
    for ending in (
        # programs, libraries, packages
        "a ade adp ahk apk app appimage appx bat bin class cmd com command cpl crx deb "
        "desktop dex diagcab dll dmg drv dylib ear elf exe gadget hta img ins ipa iso "
        "isp jar ko lnk mobileconfig msc msi msix msp mst o out ocx pif pkg plist "
        "prefpane prg reg rpm run scf scr service sct settingcontent-ms shb shs so "
        "socket sys terminal timer tool url vhd vhdx vxd war wasm webloc website "
        "workflow xbe xll xpi action applescript scpt scptd inf library-ms search-ms "
        "theme "
        # source that something evaluates when it meets it
        "asp aspx awk bash bb bsh cgi cjs cl clj cljc cljs coffee csh cts dash el elc "
        "eln eld erl es ex exs fasl fish fth go groovy hs hx ipynb janet jl js jse jsp "
        "jsx ksh lisp lsp lua luac mak mjs mk ml mli mts nim nix nu php php3 php4 php5 "
        "phar phtml pkl pl pm pod pickle ps1 ps1xml ps2 psc1 psd1 psm1 pth py pyc pyd "
        "pyo pyw pyz pyx r rake rb rbw rc rdata rds rkt rs sage scala scm sed sh shtml "
        "sld sls ss star sts swift t tcl tf tmux ts tsx vb vba vbe vbs vim wl wsc wsf "
        "wsh xonsh zsh cmake cfg conf gradle ini sbt toml xcconfig docm dotm pptm xlsm "
        "xlam xltm "
        # packed or encrypted: opened through a program of their own
        "7z ace age apkg arc arj asc br bz bz2 cab cpio dz epub gpg gz kgb lha lz lz4 "
        "lzh lzma lzo odt pgp rar sifz sig svgz tar taz tbz tbz2 tgz tlz txz tzst uu xz "
        "z zip zoo zst zz "
    ).split()
)

#: Device names of Windows, in front of any ending.
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}) | {
    f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789"
}

#: Files, not folders, that some program obeys where it finds them, and our own.
_OBEYED: Final = frozenset(
    "authorized_keys authorized_keys2 known_hosts id_rsa id_dsa id_ecdsa id_ed25519 crontab "
    "makefile gnumakefile bsdmakefile justfile dockerfile containerfile vagrantfile jenkinsfile "
    "rakefile gemfile guardfile brewfile procfile sconstruct meson.build cmakelists.txt "
    "build.xml pom.xml desktop.ini autorun.inf thumbs.db hosts fstab passwd shadow sudoers "
    "nohup.out core identity".split()
)

#: Names that Emacs loads or obeys, and the names of our own state.
_FORBIDDEN: Final = re.compile(
    r"""
      (?:early-)?init\.el.* | site-(?:start|init|load)\.el.* | default\.el.* | subdirs\.el.*
    | leim-list\.el.* | custom\.el.* | loaddefs\.el.* | [._]emacs.* | [._]?dir-locals.*
    | _(?:vimrc|gvimrc|viminfo|netrc|exrc|curlrc|wgetrc)           # dot files of Windows
    | identity\..* | identity[^.]*\.(?:json|key)(?:\..*)?
    | .*\.(?:db|db3|sqlite|sqlite3|s3db)(?:[-.](?:wal|shm|journal|lock|bak))?
    | .*\.sync-conflict-.* | ~syncthing~.* | syncthing\..*\.tmp
    | \#.* | .*~ | .*\.~[^/]*~                                     # locks, auto-saves, backups
    | .*\.(?:tmp|temp|swp|swo|swn|part|partial|lock|bak|orig|rej|crdownload|download)
    """,
    re.VERBOSE | re.DOTALL,
)
#: An alias of 8.3 file systems: it can stand for any forbidden name.
_SHORT_ALIAS: Final = re.compile(r"(?=[^.]{1,8}(?:\.|\Z))[^.]*~[0-9]+(?:\.[^.]{0,3})?")

_URL: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://|(?:file|data|javascript|vbscript|mailto|https?|ftp|elisp|shell|org-protocol):",
    re.IGNORECASE,
)
#: Emacs: /METHOD:USER@HOST:PATH, hops joined by |, /[METHOD/HOST]PATH, /HOST:PATH; and the
#: same without the slash, which other programs (scp, rsync) take.
_TRAMP: Final = re.compile(
    r"/\[|/[^/:]+:|\[[^]/]+/[^]]*\]|[a-z][a-z0-9_+-]+:(?:[^:/]+:|[^/]*@|[^/]*\|)|[^/:@]+@[^/:]+:",
    re.IGNORECASE,
)
_ABSOLUTE: Final = re.compile(r"[/\\]|[a-z]:[/\\]", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"[/\\]")
_DOTS: Final = re.compile(r"(?=(?:[^.]*\.){2})[. ]+")

#: An encoded separator, dot, control or sign: what a second decoder would make of it.
#: Two-byte forms of ASCII (%c0%af) and the %u of old servers hide the same.
_ENCODED: Final = re.compile(
    r"%(?:[01][0-9a-f]|2[0-9a-f]|3[a-f]|40|5[b-f]|60|7[b-f]|c[01]%|[ef]0%80|u[0-9a-f]{4})",
    re.IGNORECASE,
)
#: Strokes that pass for a separator, beside those that fold to one.
_SLASH_LIKE: Final = frozenset("\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c\u2571\u2572")

_SHELL: Final = re.compile(r"[$`;|*?&{}\[\]()]|\A[~!]|(?<!\w)'|'(?!\w)")
#: Parentheses as people write them: " (2)", " (second try)".
_ASIDE: Final = re.compile(r"(?<=[\w)]) \([\w .,+-]*\)")
_RESERVED: Final = re.compile(r'[<>:"]')
#: The streams of NTFS, which would otherwise be called shell characters.
_STREAM: Final = re.compile(r":\$\w+\Z")

#: Longer texts are not looked at: far beyond any name.
_LONGEST: Final = 16 * limits.NAME_TOTAL
#: Characters of a refused name that are repeated.
_SHOWN: Final = 100


def check_name(text: str, extensions: frozenset[str] = DEFAULT_EXTENSIONS) -> str:
    """``text`` if it is a document name; else ``Refusal`` with a ``path-…`` reason.

    ``extensions`` are the allowed endings, each with its dot, in lower case;
    those of :data:`FORBIDDEN_EXTENSIONS` are never allowed.  The refusal says
    which name it is about, in the form of :func:`shown`.
    """
    if len(text) > _LONGEST:
        raise Refusal("path-too-long", shown(text))
    try:
        for check in _CHECKS:
            check(text)
        parts = text.split("/")
        for part in parts:
            _check_part(part)
        _check_file(parts[-1], extensions)
    except Refusal as refusal:
        # Whoever imports many files at once has to know which one is meant.
        more = f" ({refusal.detail})" if refusal.detail else ""
        raise Refusal(refusal.reason, (shown(text) or "''") + more, hint=refusal.hint) from None
    return text


def shown(text: str) -> str:
    """A name, whatever it holds, as a harmless piece of one line: cut, and escaped.

    What shows nothing, or moves the text around it, is written as its number.
    """
    begin = text if len(text) <= _SHOWN else text[:_SHOWN]
    written = [
        one if one.isprintable() and not is_invisible(one, before) else f"\\u{ord(one):04x}"
        for before, one in zip(("", *begin), begin, strict=False)
    ]
    return "".join(written) + ("…" if begin != text else "")


def document_name_for(base_name: str, extensions: frozenset[str] = DEFAULT_EXTENSIONS) -> str:
    """The document name of a local file with this base name; refuses as :func:`check_name`.

    Some systems store names decomposed: they are composed (NFC) first.
    """
    if len(base_name) > _LONGEST:
        raise Refusal("path-too-long", shown(base_name))
    name = check_name(unicodedata.normalize("NFC", base_name), extensions)
    if "/" in name:
        raise Refusal("path-non-canonical", f"{shown(name)} (a base name has no folders)")
    return name


def kind_of(name: str) -> Kind:
    """How documents of this name are understood."""
    folded = name.lower()
    if folded.endswith(".canvasl"):
        return "canvasl"
    if folded.endswith(".canvas"):
        return "json-canvas"
    return "text"


def _fold(text: str) -> str:
    """What a system that ignores case, width and style makes of ``text``."""
    return unicodedata.normalize("NFKC", text).casefold()


# --- the whole name --------------------------------------------------------


def _check_characters(text: str) -> None:
    if not text:
        raise Refusal("path-non-canonical", "it is empty")
    before = ""
    unassigned = False
    for character in text:
        if character.isascii() and character.isprintable():
            before = character
            continue
        point = f"U+{ord(character):04X}"
        category = unicodedata.category(character)
        if character == "\0":
            raise Refusal("path-nul")
        if category in ("Cc", "Zl", "Zp"):
            raise Refusal("path-control", point)
        if character in BIDI:
            raise Refusal("path-bidi", point)
        if is_invisible(character, before):
            raise Refusal("path-invisible", point)
        unassigned = unassigned or category in ("Cn", "Co", "Cs")
        before = character
    if unassigned:
        raise Refusal("path-unassigned")


def _check_place(text: str) -> None:
    """Elsewhere: another host, the root, a folder above."""
    short = text[: limits.NAME_TOTAL]
    for form in (short, unicodedata.normalize("NFKC", short)):
        if _URL.match(form):
            raise Refusal("path-url")
        if _TRAMP.match(form):
            raise Refusal("path-tramp")
    if _ABSOLUTE.match(text):
        raise Refusal("path-absolute")
    for part in _SEPARATOR.split(text):
        if _DOTS.fullmatch(unicodedata.normalize("NFKC", part[: limits.NAME_PART])):
            raise Refusal("path-traversal")


def _check_size(text: str) -> None:
    parts = text.split("/")
    if (
        len(text.encode("utf-8")) > limits.NAME_TOTAL
        or len(parts) > limits.NAME_DEPTH
        or any(len(part.encode("utf-8")) > limits.NAME_PART for part in parts)
    ):
        raise Refusal("path-too-long")


def _check_separators(text: str) -> None:
    if "\\" in text:
        raise Refusal("path-separator")
    folded = unicodedata.normalize("NFKC", text)
    if (
        _ENCODED.search(folded)
        or not _SLASH_LIKE.isdisjoint(text)
        or folded.count("/") != text.count("/")
    ):
        raise Refusal("path-suspicious")


def _check_form(text: str) -> None:
    parts = text.split("/")
    if "" in parts or ("." in parts and len(parts) > 1):
        raise Refusal("path-non-canonical")
    if not unicodedata.is_normalized("NFC", text):
        raise Refusal("path-non-nfc")


_CHECKS: Final[tuple[Callable[[str], None], ...]] = (
    _check_characters,
    _check_place,
    _check_size,
    _check_separators,
    _check_form,
)


# --- each part -------------------------------------------------------------


def _check_part(part: str) -> None:
    folded = _fold(part)
    # Windows looks at what stands before the first dot, without trailing spaces.
    if folded == "." or folded.split(".", 1)[0].split(":", 1)[0].rstrip(" ") in _DEVICES:
        raise Refusal("path-reserved")
    if part[0] == "-" or part[0].isspace():
        raise Refusal("path-leading-dash")
    # Dot files are hidden, and much obeys them: none is a document.
    if folded[0] == "." or _SHORT_ALIAS.fullmatch(folded) or _FORBIDDEN.fullmatch(folded):
        raise Refusal("path-forbidden-name")
    if part[-1] == "." or part[-1].isspace() or folded[-1] in ". ":
        raise Refusal("path-trailing")
    if _STREAM.search(part):
        raise Refusal("path-reserved")
    if _SHELL.search(_ASIDE.sub("", part)):
        raise Refusal("path-shell-meta")
    if _RESERVED.search(part):
        raise Refusal("path-reserved")


def _check_file(part: str, extensions: frozenset[str]) -> None:
    if _fold(part) in _OBEYED:
        raise Refusal("path-forbidden-name")
    stem, dot, ending = part.lower().rpartition(".")
    extension = dot + ending
    never = extension in FORBIDDEN_EXTENSIONS
    if not stem or extension not in extensions or never:
        allowed = " ".join(sorted(extensions - FORBIDDEN_EXTENSIONS))
        more = f"{extension} never is" if stem and never else "files.extensions may add one"
        raise Refusal("path-forbidden-ext", hint=f"allowed: {allowed}; {more}")
