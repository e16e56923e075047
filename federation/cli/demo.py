# SPDX-License-Identifier: MIT
"""The verb ``demo``: two Emacsen and a bot share a canvas, for real, on this machine.

Each Emacs has a home, an identity and a sidecar of its own and uses only what
the guide tells its users.  Emacs A syncs a canvas, Emacs B and the bot receive
it, B changes it, A and the bot receive that.  It succeeds only if all three have
the same bytes at the end and nothing is left running.

They meet on a broker of their own, on a free port of the loopback address:
whoever else is on this machine is not disturbed, and does not disturb.  A
broker that somebody configured is used instead, with a canvas of another name
each time, since others may be there.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from federation import broker_url
from federation.cli import emacs
from federation.cli.context import Context
from federation.cli.output import FAILED, PROGRAM, CommandError, Result, clean, count, short_id
from federation.cli.stage import Actor, Stage, answers
from federation.config import KEYS, Config
from federation.errors import Refusal

DATA: Final = Path(__file__).resolve().parent / "data"
CANVAS: Final = "garden.canvasl"
CHANGE: Final = '{"id":"swing","type":"node","text":"A swing für alle, says B","x":700,"y":160}'
#: Longest wait for one step (seconds): a cold, busy machine.
_STEP: Final = 60.0


class Story:
    """What happened, with the seconds since the start."""

    def __init__(self, *, quiet: bool) -> None:
        self.steps: list[dict[str, object]] = []
        self._start = time.monotonic()
        self._quiet = quiet

    def tell(self, what: str) -> None:
        """One line, at once."""
        seconds = round(time.monotonic() - self._start, 2)
        self.steps.append({"seconds": seconds, "what": what})
        if not self._quiet:
            print(f"{seconds:7.2f} s  {clean(what)}", flush=True)


def demo(context: Context) -> Result:
    """Play it; exit code 0 only if everybody has the same bytes."""
    program = str(context.argument("emacs"))
    if shutil.which(program) is None:
        hint = "on Debian: apt-get install emacs-nox"
        raise Refusal("missing-program", program, hint=hint)
    elisp = emacs.folder()
    settings = context.settings(context.state_dir(running=False))
    story = Story(quiet=context.as_json)
    folder = _folder(context)
    stage = Stage(folder, context.environ)
    stage.variables |= _broker_variables(settings)
    name = canvas_name(settings)
    problem: CommandError | None = None
    data: dict[str, object] = {"folder": str(folder)}
    try:
        stage.variables["META_LOG_MQTT_BROKER"] = _broker(stage, settings, story)
        data |= _play(stage, story, program, elisp, name)
    except Refusal as refusal:
        problem = CommandError.of(refusal)
    finally:
        killed = stage.close()
    if killed and problem is None:
        problem = CommandError.of(Refusal("timeout", f"{', '.join(killed)} did not end"))
    data |= {"steps": story.steps, "success": problem is None}
    if problem is not None:
        return Result(data, _last_words(stage), FAILED, problem)
    story.tell("everything has ended, nothing is left running")
    return Result(data, _by_hand(stage, elisp, program, name))


def canvas_name(settings: Config) -> str:
    """The name of the shared canvas: on a broker of others, one that nobody has."""
    if not settings.broker_configured:
        return CANVAS
    stem, dot, ending = CANVAS.partition(".")
    return f"{stem}-{secrets.token_hex(4)}{dot}{ending}"


def _folder(context: Context) -> Path:
    named = context.argument("keep")
    if named is None:
        return Path(tempfile.mkdtemp(prefix="meta-log-demo-"))
    folder = Path(named).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise Refusal("path-io-error", f"{folder} is there already") from None
    return folder


def _broker_variables(settings: Config) -> dict[str, str]:
    """What was configured about the broker, in the spelling that every actor understands."""
    return {
        key.variable: str(settings.values[key.name].value).lower()
        if key.kind == "boolean"
        else str(settings.values[key.name].value)
        for key in KEYS.values()
        if key.name.startswith("broker.")
        and key.name != "broker.url"
        and settings.values[key.name].source != "default"
    }


def _broker(stage: Stage, settings: Config, story: Story) -> str:
    """The configured broker, which has to answer; else one of our own that nobody else knows."""
    if settings.broker_configured:
        url = settings.choice("broker.url")
        parsed = broker_url.parse(url, allow_plaintext=settings.boolean("broker.allow_plaintext"))
        if not answers(parsed):
            raise Refusal("broker-unreachable", url)
        story.tell(f"the configured broker answers on {url}")
        return url
    command = [sys.executable, "-m", "federation", "broker", "--port", "0", "--json"]
    broker = stage.start("the broker", command, stage.environment(stage.folder / "broker"))
    ready = stage.wait_for(broker, "ready", _STEP)
    story.tell(f"a broker for this demonstration: {ready['kind']} on {ready['broker']}")
    return str(ready["broker"])


def _play(stage: Stage, story: Story, program: str, elisp: Path, name: str) -> dict[str, object]:
    canvas = stage.folder / "a" / name
    bot = _start_bot(stage)
    story.tell(f"the bot is {short_id(stage.wait_for(bot, 'ready', _STEP)['peer_id'])}")
    first = _start_emacs(
        stage, "A", program, elisp, {"DEMO_CANVAS": str(canvas), "DEMO_PEERS": "2"}
    )
    second = _start_emacs(
        stage, "B", program, elisp,
        {"DEMO_CHANGE": CHANGE, "DEMO_OWN": str(stage.folder / "b" / name)},
    )  # fmt: skip
    shutil.copyfile(DATA / CANVAS, canvas)
    ids = {}
    for actor in (first, second):
        ids[actor.name] = stage.wait_for(actor, "ready", _STEP)["peer_id"]
        story.tell(f"{actor.name} is {short_id(ids[actor.name])}")
    found = stage.wait_for(first, "peers", _STEP, enough=True)
    story.tell(f"{first.name} has discovered {count(found['count'], 'peer')}")
    stage.wait_for(first, "syncing", _STEP)
    original = canvas.read_bytes()
    story.tell(f"{first.name} syncs {name}, {len(original)} bytes")
    author = {first.name: ids[first.name], second.name: ids[second.name]}
    at_second = Path(_arrival(stage, story, second, first, author, name)["path"])
    at_bot = Path(_arrival(stage, story, bot, first, author, name)["path"])
    stage.wait_for(second, "changing", _STEP)
    story.tell(f"{second.name} adds a line and syncs")
    at_first = Path(_arrival(stage, story, first, second, author, name)["path"])
    _arrival(stage, story, bot, second, author, name)
    expected = original + b"\n" + CHANGE.encode()
    # a document leaves before its author's own copy is written
    written = lambda: {"path": str(at_second)} if at_second.read_bytes() == expected else None  # noqa: E731
    stage.wait(f"{second.name}'s own copy", written, _STEP)
    places = {first.name: at_first, second.name: at_second, bot.name: at_bot}
    return {"files": _compare(story, expected, places), "peers": ids}


def _start_bot(stage: Stage) -> Actor:
    command = [sys.executable, "-m", "federation", "bot", "--trust-policy", "announced",
               "--state-dir", str(stage.folder / "bot" / "state"),
               "--identity-name", "demo-bot"]  # fmt: skip
    return stage.start("the bot", command, stage.environment(stage.folder / "bot"))


def _start_emacs(stage: Stage, name: str, program: str, elisp: Path, part: dict[str, str]) -> Actor:
    environment = stage.environment(
        stage.folder / name.lower(), part | {"DEMO_STOP": str(stage.folder / "stop")}
    )
    command = [program, "-Q", "--batch", "-L", str(elisp), "-l", str(DATA / "demo.el")]
    return stage.start(f"Emacs {name}", command, environment)


def _arrival(
    stage: Stage, story: Story, actor: Actor, author: Actor, ids: dict[str, object], file: str
) -> dict[str, str]:
    event = "document-changed" if actor.name == "the bot" else "document"
    report = stage.wait_for(actor, event, _STEP, file=file, peer_id=ids[author.name])
    story.tell(f"{actor.name} has what {author.name} wrote, verified and saved")
    return report


def _compare(story: Story, expected: bytes, places: dict[str, Path]) -> dict[str, str]:
    for name, path in places.items():
        found = path.read_bytes()
        if found != expected:
            detail = f"{name} has {len(found)} bytes, {len(expected)} were written"
            raise Refusal("content-mismatch", detail, hint=f"see {path}")
    digest = hashlib.sha256(expected).hexdigest()
    story.tell(f"byte-identical at all three: {len(expected)} bytes, SHA-256 {digest[:16]}…")
    return {name: str(path) for name, path in places.items()}


def _by_hand(stage: Stage, elisp: Path, program: str, name: str) -> list[str]:
    folder = stage.folder
    beside = Path(sys.executable).with_name(PROGRAM)
    peer = PROGRAM if shutil.which(PROGRAM) or not beside.exists() else str(beside)
    return [
        "",
        f"The files are in {folder}:",
        f"  a/{name} (the original), b/{name} (B's own copy), and the synced copies in",
        "  {a,b}/.emacs.d/meta-log/synced/ and bot/state/synced/",
        "Go on by hand, each in a terminal of its own:",
        f"  {peer} bot --state-dir {folder}/bot/state --trust-policy announced",
        f"  HOME={folder}/a {program} -Q -L {elisp} -l meta-log-peer-sync-demo",
        "    and there M-x meta-log-peer-sync-demo-init, -demo-discover-peers, -demo-sync-canvasl",
        f"  {peer} peers --state-dir {folder}/bot/state   (or status, history {name})",
        "For every day:",
        f"  {peer} emacs-setup   prints the two lines for an init file",
    ]


def _last_words(stage: Stage) -> list[str]:
    lines = [f"Not everything went well; the logs are below {stage.folder}."]
    for actor in stage.actors:
        lines += [f"  {actor.name}: {clean(line)}" for line in actor.said[-8:] if line]
    return lines
