# SPDX-License-Identifier: MIT
"""Line 22: when Emacs shows what came, and whether it ever holds its user up."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

from tests.bench.arrival import Watch
from tests.bench.report import Line, quantile
from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.peers import Peer
from tests.integration.test_two_emacsen import EMACSES, Emacs, editor

SAVES, DOCUMENTS = 60, 1_000
LIMIT = 120.0

#: a timer that would be due every 10 ms, and when the visited text changed
_WATCHED = """(progn
  (defvar bench-last nil) (defvar bench-gap 0.0) (defvar bench-shown nil)
  (run-at-time 0 0.01 (lambda ()
    (let ((now (float-time)))
      (when bench-last (setq bench-gap (max bench-gap (- now bench-last))))
      (setq bench-last now))))
  (find-file "%s")
  (add-hook 'after-change-functions
            (lambda (&rest _) (push (float-time) bench-shown)) nil t)
  t)"""


def measure(folder: Path) -> list[Line]:
    """A peer saves what an Emacs visits; then it shares a folder of a thousand documents."""
    if not EMACSES:
        return []
    name = "bench.canvasl"
    with Mosquitto(folder, "set_tcp_nodelay true") as broker:
        env = {"META_LOG_MQTT_BROKER": broker.url, "META_LOG_PEER_SYNC_TRUST_POLICY": "announced"}
        flags = ("--trust-policy", "announced")
        with (
            Peer(folder / "one", broker.url, flags=flags) as one,
            contextlib.redirect_stdout(io.StringIO()),
            editor(EMACSES[-1], folder, env, "b") as emacs,
        ):
            emacs.do("(meta-log-peer-sync-demo-init)")
            wait_until(lambda: one.call("status")["peers"]["connected"] == 1, LIMIT, "connected")
            source = folder / name
            source.write_text('{"id":"n","text":"first"}\n')
            one.call("sync.file", {"path": str(source)})
            wait_until(lambda: (emacs.synced / name).exists(), LIMIT, "the first version")
            emacs.do(_WATCHED % (emacs.synced / name))
            later = _follow(one, emacs, source)
            emacs.do("(setq bench-gap 0.0 bench-last nil)")
            _share(folder, one, emacs)
            gap = float(emacs.do("bench-gap")["value"]) * 1000 - 10
    return [
        Line(22, "a save is visible in the other's Emacs after it is on its disk, p50",
             quantile(later, 0.5), None, "ms", "1 ms"),
        Line(22, "the same, p99", quantile(later, 0.99), None, "ms", "–"),
        Line(22, f"longest hold-up of Emacs while {DOCUMENTS:,} documents arrive", gap, None, "ms",
             "100 ms"),
    ]  # fmt: skip


def _follow(one: Peer, emacs: Emacs, source: Path) -> list[float]:
    """Milliseconds from each new file on the disk to its text in the buffer."""
    found = []
    with Watch(emacs.synced) as watch:
        for number in range(SAVES):
            content = b'{"id":"n","text":"%d"}\n' % number
            emacs.do("(setq bench-shown nil)")
            source.write_bytes(content)
            one.call("sync.file", {"path": str(source)})
            watch.wait(source.name, content)
            there = time.time()
            wait_until(lambda: emacs.do("bench-shown")["value"] != "nil", LIMIT, "it is shown")
            shown = emacs.do("(car (last bench-shown))")["value"]
            found.append((float(shown) - there) * 1000)
    return found


def _share(folder: Path, one: Peer, emacs: Emacs) -> None:
    """All of a folder at once."""
    shared = folder / "many"
    shared.mkdir()
    for number in range(DOCUMENTS):
        (shared / f"note-{number}.org").write_text(f"* Note {number}\n" * 40)
    one.call("spaces.share", {"path": str(shared)}, timeout=LIMIT)
    wait_until(lambda: len(list(emacs.synced.iterdir())) > DOCUMENTS, LIMIT, "every document")
    time.sleep(2)  # what Emacs is told comes after the files
