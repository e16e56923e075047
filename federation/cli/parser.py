# SPDX-License-Identifier: MIT
"""The grammar of the command line: one table of verbs, one flag for each configuration key.

``docs/reference/cli.md`` is made from :data:`VERBS` and :func:`build`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, NoReturn

from federation import __version__, limits
from federation.cli import arguments as more
from federation.cli.arguments import seconds as _seconds
from federation.cli.arguments import whole as _whole
from federation.cli.output import PROGRAM, usage_error
from federation.config import KEYS

Arguments = Callable[[argparse.ArgumentParser], None]
#: characters of an unknown verb that are repeated
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does, where its function is (``module:function``), its arguments."""

    name: str
    help: str
    function: str
    usage: str = ""
    arguments: Arguments | None = None


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, exit code 2."""

    def _check_value(self, action: argparse.Action, value: str) -> None:
        """Say of an unknown verb which one may be meant, and not all that there are."""
        if action.dest != "verb" or value in (names := [verb.name for verb in VERBS]):
            return super()._check_value(action, value)
        from difflib import get_close_matches  # only a slip pays for it

        close = get_close_matches(value.lower(), names, n=1)
        meant = f"; did you mean '{close[0]}'?" if close else ""
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        raise usage_error(f"unknown command '{shown}'{meant}", f"{PROGRAM} --help lists all")

    def error(self, message: str) -> NoReturn:
        """Raise the usage error instead of ending the process."""
        verb = self.prog.removeprefix(PROGRAM).strip()
        raise usage_error(message, f"see {PROGRAM} {verb} --help".replace("  ", " "))


class VerbParser(Parser):
    """The parser of one verb: options may stand anywhere among its arguments.

    argparse gives all that a verb may do without (an action, a name) away as
    "not there" when it meets the first option: `space create --encrypted x`
    lost the `x`.  So the options are put behind the arguments first.
    """

    # As argparse calls it, without the overloads that it has for other namespaces.
    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words behind the verb."""
        return super().parse_known_args(self._sorted(args), namespace or argparse.Namespace())

    def _sorted(self, words: Sequence[str]) -> list[str]:
        """The same words, with the arguments in front and the options behind.

        What follows `--` are arguments only; then these come last, as they may
        begin with a dash.
        """
        end = words.index("--") if "--" in words else len(words)
        arguments: list[str] = []
        options: list[str] = []
        at = 0
        while at < end:
            if self._parse_optional(words[at]) is None:
                arguments.append(words[at])
                at += 1
                continue
            after = at + 1 + self._values(words[at], words[at + 1 : end])
            options += words[at:after]
            at = after
        rest = words[end + 1 :]
        return [*options, "--", *arguments, *rest] if rest else [*arguments, *options]

    def _values(self, option: str, following: Sequence[str]) -> int:
        """How many of the words that follow an option are its values."""
        action = self._option_string_actions.get(option)
        if action is None:  # unknown, or with its value: --port=1, -n5
            return 0
        counts = {None: 1, "?": 1, "+": len(following), "*": len(following)}
        most = action.nargs if isinstance(action.nargs, int) else counts[action.nargs]
        taken = takewhile(lambda word: self._parse_optional(word) is None, following[:most])
        return sum(1 for _word in taken)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", required=True,
                        help="speak JSON-RPC on standard input and output")  # fmt: skip


def _broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_whole(0, 65535), default=1883,
                        help="TCP port on the loopback address; 0 takes a free one")  # fmt: skip


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--emacs", default="emacs", metavar="PROGRAM", help="the Emacs to use")
    parser.add_argument("--keep", metavar="FOLDER",
                        help="keep the peers' files in this new folder")  # fmt: skip


def _identity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="show",
                        choices=("show", "create", "export", "import", "words"),
                        help="show (default): the identity; create: make one without starting "
                        "a peer; export, import: a backup under a passphrase; words: safety "
                        "words to compare with a peer by voice")  # fmt: skip
    parser.add_argument("target", nargs="?", metavar="FILE|PEER",
                        help="the backup of export and import, the peer of words")  # fmt: skip
    parser.add_argument("--passphrase-file", metavar="FILE", dest="backup_passphrase_file",
                        help="file of mode 0600 with the passphrase of the backup")  # fmt: skip


def _peer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("peer", metavar="PEER", help="its id, short id or name")


def _connect(parser: argparse.ArgumentParser) -> None:
    _peer(parser)
    _timeout(parser)


def _timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=_seconds, default=limits.WAIT_DEFAULT, metavar="S",
                        help="seconds to wait (default 30)")  # fmt: skip


def _sync(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE",
                        help="file to import; without one: compare all documents")  # fmt: skip
    parser.add_argument("--peer", metavar="PEER", help="compare with this peer")
    parser.add_argument("--wait", action="store_true",
                        help="return when every online peer acknowledged")  # fmt: skip
    _timeout(parser)


def _document(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="name of the document")


def _history(parser: argparse.ArgumentParser) -> None:
    _document(parser)
    parser.add_argument("--limit", type=_whole(1, limits.HISTORY_PAGE), metavar="N",
                        help="only the last N revisions")  # fmt: skip
    parser.add_argument("--before", metavar="REVISION", help="only those before this one")
    parser.add_argument("--diff", nargs="+", metavar=("OLD", "NEW"),
                        help="what differs between two revisions; without NEW, between OLD and "
                        "what the document shows now")  # fmt: skip
    parser.add_argument("--show", metavar="REVISION", help="print the text of a revision")
    parser.add_argument("--export", nargs=2, metavar=("REVISION", "TARGET"),
                        help="write a revision to the new file TARGET")  # fmt: skip
    parser.add_argument("--pin", metavar="REVISION", help="keep its text whatever else is dropped")
    parser.add_argument("--unpin", metavar="REVISION", help="keep it no longer in any case")


def _restore(parser: argparse.ArgumentParser) -> None:
    _document(parser)
    parser.add_argument("revision", metavar="REVISION", help="8 or more digits of its id")


def _resolve(parser: argparse.ArgumentParser) -> None:
    _document(parser)
    parser.add_argument("number", metavar="NUMBER", help="8 or more digits, as `conflicts` shows")
    parser.add_argument("choice", nargs="?",
                        choices=("a", "b", "ours", "theirs", "both", "kept"),
                        help="a, b: that side's value; ours, theirs: this peer's and the other "
                        "one; both: the lines of both; kept: what stands now")  # fmt: skip
    parser.add_argument("--value", metavar="TEXT",
                        help="another value, written as the document has it: JSON in a "
                        "canvas")  # fmt: skip


def _mirror(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="show", choices=("show", "git", "off"),
                        help="show (default): whether one follows; git: let one follow from now "
                        "on, also after the next start; off: no more")  # fmt: skip
    parser.add_argument("path", nargs="?", metavar="PATH",
                        help="a new or empty folder, or a mirror made before")  # fmt: skip


def _sync_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deleted", action="store_true", help="show deleted documents, too")


def _space(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="list",
                        choices=("list", "show", "share", "create", "leave", "confirm",
                                 "restore-held"),
                        help="list (default), show: what there is; share: show a space in a "
                        "folder, and take its changes; create: a local space, of which nothing "
                        "leaves this machine; leave: watch its folder no more; confirm, "
                        "restore-held: the deletions that are held are meant, or not")  # fmt: skip
    parser.add_argument("target", nargs="?", metavar="NAME|FOLDER",
                        help="the space; of share the folder")  # fmt: skip
    parser.add_argument("--space", metavar="NAME", help="of share: the space (default commons)")
    parser.add_argument("--encrypted", action="store_true",
                        help="of create: with members (refused: not built yet)")  # fmt: skip


def _switch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("switch", choices=("on", "off"), help="what it is to be")
    parser.add_argument("--space", metavar="NAME", help="the space (default commons)")


def _interval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("seconds", type=_whole(1, 86400), metavar="SECONDS",
                        help="between two whole looks at the folders")  # fmt: skip
    parser.add_argument("--space", metavar="NAME", help="the space (default commons)")


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", metavar="KEY", help="one key")
    parser.add_argument("value", nargs="?", metavar="VALUE",
                        help="what to set it to, from the next start on")  # fmt: skip
    parser.add_argument("--reset", action="store_true",
                        help="put the file aside, or KEY back to its default")  # fmt: skip


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", type=_whole(1, limits.LOG_LINES), default=100, dest="lines",
                        metavar="N", help="how many lines, newest last (default 100)")  # fmt: skip
    parser.add_argument("-f", "--follow", action="store_true", help="and those that come")
    parser.add_argument("--level", choices=("debug", "info", "warning", "error"),
                        help="only lines of this level and above (what is written at all: "
                        "log.level)")  # fmt: skip


def _trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("accept", "block"), help="what to do")
    _peer(parser)


#: Every verb, in the order of the help.
VERBS: Final = (
    Verb("serve", "Run a peer for Emacs, on standard input and output.", "start:serve",
         "--stdio", _serve),
    Verb("bot", "Run a headless peer; one JSON line an event.", "start:bot"),
    Verb("broker", "Run the embedded broker alone, on the loopback address.", "start:broker",
         "[--port N]", _broker),
    Verb("broker-setup", "Make the files of a mosquitto with TLS, passwords and access list.",
         "broker_setup:broker_setup",
         "DIR [--peer PEER]... [--rotate | --remove] [--name HOST]... [--url URL] [--port N] "
         "[--listen ADDRESS] [--renew]", more.broker_setup),
    Verb("broker-check", "Look through files of a broker or Compose for what is unsafe.",
         "broker_setup:broker_check", "FILE...", more.broker_check),
    Verb("demo", "Two Emacsen and a bot share a canvas on this machine.", "demo:demo",
         "[--emacs PROGRAM] [--keep FOLDER]", _demo),
    Verb("emacs-setup", "Print the two lines for an init file.", "emacs:setup"),
    Verb("emacs-path", "Print the folder for Emacs's load-path.", "emacs:path"),
    Verb("identity", "Show, create, back up or compare the identity.", "identity:identity",
         "[show | create | export FILE | import FILE | words PEER]", _identity),
    Verb("status", "The state of the running peer.", "peers:status"),
    Verb("health", "Whether the peer can do its work; exit code 1 if not.", "peers:health"),
    Verb("metrics", "What the running peer counts, in Prometheus' text form.",
         "monitor:metrics"),
    Verb("monitor", "Events as they happen, and rates.", "monitor:monitor",
         "[--interval S] [--for S]", more.monitor),
    Verb("doctor", "What is wrong, why, and what to do; exit code 1 if something is.",
         "doctor:doctor"),
    Verb("peers", "Every known peer.", "peers:peers"),
    Verb("discovered", "The peers that are online now.", "peers:discovered"),
    Verb("connect", "Ask a peer to answer, and compare documents with it.", "peers:connect",
         "PEER [--timeout S]", _connect),
    Verb("trust", "Accept or block a peer.", "peers:trust", "accept|block PEER", _trust),
    Verb("sync", "Import a file, or compare everything with the peers.", "documents:sync",
         "[FILE] [--peer PEER] [--wait] [--timeout S]", _sync),
    Verb("history", "The revisions of a document.", "history:history",
         "FILE [--limit N] [--before REVISION] [--diff OLD [NEW] | --show REVISION | "
         "--export REVISION TARGET | --pin REVISION | --unpin REVISION]", _history),
    Verb("sync-status", "What waits in each space, and who has which document.",
         "documents:sync_status", "[--deleted]", _sync_status),
    Verb("space", "Share a folder; make, list and leave spaces.", "spaces:space",
         "[list | show NAME | share FOLDER [--space NAME] | create NAME | leave NAME | "
         "confirm NAME | restore-held NAME]", _space),
    Verb("auto-sync", "Take changes of files as they happen, or only by `sync`.",
         "spaces:auto_sync", "on|off [--space NAME]", _switch),
    Verb("interval", "How often the folders of a space are looked through.",
         "spaces:interval", "SECONDS [--space NAME]", _interval),
    Verb("restore", "Make an earlier revision the newest.", "documents:restore",
         "FILE REVISION", _restore),
    Verb("conflicts", "Values that two changed at once, and versions that cannot be merged.",
         "conflicts:conflicts"),
    Verb("resolve", "Settle one conflict, for everybody.", "conflicts:resolve",
         "FILE NUMBER a|b|ours|theirs|both|kept|--value TEXT", _resolve),
    Verb("mirror", "A git repository that follows the documents.", "mirror:mirror",
         "[show | git PATH | off]", _mirror),
    Verb("hook", "Ready-made programs for a bot's events, the event on standard input.",
         "hook:hook", "mirror FOLDER | backup FOLDER [--keep N] [--every S] | echo; [--install]",
         more.hook),
    Verb("backup", "Verified archives of a state directory, also while its peer runs.",
         "backup:backup", "FOLDER [--keep N] | --verify ARCHIVE | --restore ARCHIVE", more.backup),
    Verb("service", "Print a hardened systemd unit for a bot.", "service:service",
         "[--user USER]", more.service),
    Verb("config", "Show, set or reset the configuration.", "settings:config",
         "[KEY [VALUE]] [--reset]", _config),
    Verb("logs", "The newest lines of the log.", "logs:logs",
         "[-n N] [--follow] [--level LEVEL]", _logs),
)  # fmt: skip


def _common(parser: argparse.ArgumentParser) -> None:
    """The flags that every verb takes, before it or after it.

    Their defaults are left out, so that the one place does not undo the other.
    """
    general = parser.add_argument_group("options of every verb")
    general.add_argument("-h", "--help", action="help", help="show this and end")
    general.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                         help="answers and errors as JSON")  # fmt: skip
    general.add_argument("--state-dir", metavar="DIR", default=argparse.SUPPRESS,
                         help="state directory (default: the only running peer's)")  # fmt: skip
    general.add_argument("--config", metavar="FILE", dest="config_file",
                         default=argparse.SUPPRESS,
                         help="configuration file (default: config.toml there)")  # fmt: skip
    keys = parser.add_argument_group("configuration keys, as `config` explains them")
    for key in KEYS.values():
        if key.flag is None:
            continue
        form = key.form.replace(" ", "") if key.choices or key.kind == "boolean" else None
        keys.add_argument(key.flag, dest=key.name, metavar=form or key.kind.upper(),
                          default=argparse.SUPPRESS,
                          help=_key_help(key.name, key.help))  # fmt: skip


def _key_help(name: str, text: str) -> str:
    if not name.startswith("hooks."):
        return text.replace("%", "%%")
    if name != "hooks.ready":
        return argparse.SUPPRESS  # sixteen lines that say the same
    return "Program that a bot runs on this event; every event has such a flag."


def build(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the whole command line; of these ``words``, if that is all it is for.

    Then only verbs among them get their options: thirty each take a start some time (15 ms).
    """
    parser = Parser(
        prog=PROGRAM, add_help=False, allow_abbrev=False, usage=f"{PROGRAM} VERB [OPTIONS]",
        description="Signed peer-to-peer sync of canvases, for Emacs and headless bots.",
        epilog=f"{PROGRAM} VERB --help explains each verb.",
    )  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True,
                                  parser_class=VerbParser, prog=PROGRAM)  # fmt: skip
    _common(parser)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}",
                        help="show the version and end")  # fmt: skip
    for verb in VERBS:
        usage = " ".join(filter(None, (PROGRAM, verb.name, verb.usage, "[OPTIONS]")))
        made = verbs.add_parser(verb.name, help=verb.help, description=verb.help, usage=usage,
                                add_help=False, allow_abbrev=False)  # fmt: skip
        if words is not None and verb.name not in words:
            continue
        if verb.arguments is not None:
            verb.arguments(made)
        _common(made)
    return parser
