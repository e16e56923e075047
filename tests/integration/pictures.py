# SPDX-License-Identifier: MIT
"""Screenshots of a real Emacs with real peers: ``python -m tests.integration.pictures``.

Ada's Emacs runs in a terminal; Ben and Dora are bots.  Ben and Ada have changed
one entry apart from each other, and nobody has accepted Dora yet.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.integration.brokers import ROOT, Mosquitto, wait_until
from tests.integration.peers import Peer, environment, place_identity
from tests.integration.terminal import Terminal

FOLDER = ROOT / "docs" / "pictures"
TITLES = {
    "emacs-peers": "The list of peers: Ben is accepted, Dora's document is held back",
    "emacs-documents": "The list of documents; one of them has a conflict",
    "emacs-conflicts": "The list of conflicts: one entry with the values of Ada and Ben",
    "emacs-menu": "The menu, opened with ? in a list",
}
CANVAS = '{{"id":"pond","type":"node","text":"{text}","x":0,"y":0}}\n'

INIT = """
(setq inhibit-startup-screen t ring-bell-function #'ignore
      meta-log-peer-sync-rpc-program '({python!r} "-m" "federation"))
(menu-bar-mode -1)
(setq frame-background-mode 'light)
(frame-set-background-mode (selected-frame))
(require 'meta-log-peer-sync)
(meta-log-peer-sync-modeline-mode 1)
(meta-log-peer-sync-start)
(meta-log-peer-sync-sync-file "~/plan.canvasl")
(meta-log-peer-sync-sync-file "~/garden.org")
"""


def _bot(folder: Path, name: str, seed: int, url: str, documents: dict[str, str]) -> Peer:
    """A bot that is not connected yet, with documents of its own."""
    bot = Peer(folder / name, url, seed=bytes([seed]) * 32,
               flags=("--identity-name", name, "--trust-policy", "announced"))  # fmt: skip
    bot.start(connected=False)
    for file, text in documents.items():
        path = folder / f"{name}-home" / file
        path.write_text(text, encoding="utf-8")
        bot.call("sync.file", {"path": str(path)})
    return bot


def scene(folder: Path, emacs: str) -> dict[str, str]:
    """Play it; the pictures, by the names of their files without ending."""
    broker = Mosquitto(folder)
    home = folder / "ada"
    env = environment(home, {"META_LOG_MQTT_BROKER": broker.url,
                             "META_LOG_PEER_SYNC_IDENTITY_NAME": "ada"})  # fmt: skip
    (home / ".emacs.d").mkdir()
    place_identity(home / ".emacs.d" / "meta-log", b"\1" * 32)
    (home / "plan.canvasl").write_text(CANVAS.format(text="A pond"), encoding="utf-8")
    (home / "garden.org").write_text("* Garden\n", encoding="utf-8")
    init = home / "init.el"
    init.write_text(INIT.replace("{python!r}", f'"{sys.executable}"'), encoding="utf-8")
    program = [emacs, "-Q", "-nw", "-L", str(ROOT / "elisp"), "-l", str(init)]
    bots: list[Peer] = []
    try:
        bots.append(
            _bot(
                folder,
                "ben",
                2,
                broker.url,
                {"plan.canvasl": CANVAS.format(text="A swing"), "plants.md": "# Plants\n"},
            )
        )
        bots.append(_bot(folder, "dora", 3, broker.url, {"soil.txt": "Clay.\n"}))
        with Terminal(program, env, home) as terminal:
            synced = home / ".emacs.d" / "meta-log" / "synced"
            wait_until(lambda: (synced / "garden.org").exists() or terminal.read(0.1), 60.0)
            broker.start()
            return _look(terminal)
    finally:
        for bot in bots:
            bot.kill()
        broker.kill()


def _look(terminal: Terminal) -> dict[str, str]:
    """Go through the lists and the menu, and take their pictures."""
    shown: dict[str, str] = {}

    def take(name: str) -> None:
        shown[name] = terminal.screen.picture(TITLES[name])

    terminal.wait(lambda text: "Sync:2" in text, "both bots are online")
    terminal.type("\x1bxmeta-log-peer-sync-peers\r\x18" + "1")
    terminal.wait(lambda text: "ben" in text and "dora" in text, "the list of peers")
    terminal.type("\x1b<a")
    terminal.wait(
        lambda text: "accepted" in text and "?1" in text and text.count("connected") == 2,
        "Ben is accepted",
    )
    take("emacs-peers")
    terminal.type("\x1bxmeta-log-peer-sync-documents\r\x18" + "1")
    terminal.wait(
        lambda text: "plants.md" in text and "conflict" in text.partition("plants")[0],
        "the documents of both",
    )
    take("emacs-documents")
    terminal.type("x\x18" + "1")
    terminal.wait(lambda text: "A swing" in text and "A pond" in text, "the conflict")
    take("emacs-conflicts")
    terminal.type("?")
    terminal.wait(lambda text: "More menus" in text and "Manual" in text, "the menu")
    take("emacs-menu")
    return shown


def main() -> int:
    """Write the pictures anew."""
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in scene(Path(folder), "emacs").items():
            (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")
            print(f"written: docs/pictures/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
