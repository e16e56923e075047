# SPDX-License-Identifier: MIT
"""From what was found to what it means: pure rules, one for each check.

Whoever looks (``federation.cli.doctor``) hands over plain facts: a refusal, a
number of bytes, a field of ``status``.  Nothing is looked up here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from federation import limits
from federation.doctor.cases import CASES, State
from federation.errors import Refusal

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one question.

    ``case`` is a name of ``CASES``, empty where all is well; cause and cure are
    empty then, too.  ``found`` is what was seen, for people.
    """

    name: str
    state: State
    found: str
    case: str = ""
    cause: str = ""
    cure: str = ""

    def as_data(self) -> dict[str, str]:
        """The check in the form of ``--json``."""
        return {
            "name": self.name, "state": self.state, "found": self.found, "case": self.case,
            "cause": self.cause, "cure": self.cure,
        }  # fmt: skip


def well(name: str, found: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, "ok", found)


def bad(case: str, found: str, *, cure: str = "") -> Check:
    """A check that found a case of the table; ``cure`` says it more closely."""
    entry = CASES[case]
    return Check(entry.check, entry.state, found, case, entry.cause, cure or entry.cure)


def healthy(checks: Sequence[Check]) -> bool:
    """Whether nothing is an error; a warning is none."""
    return all(check.state != "error" for check in checks)


def _said(refusal: Refusal) -> str:
    return f"{refusal.message} ({refusal.reason})"


# --- each check ----------------------------------------------------------------------
def version(own: str, running: str | None) -> Check:
    """The program's version against that of the running peer, if there is one."""
    if running is None or running == own:
        return well("version", own)
    return bad("old-peer", f"the program is {own}, the running peer {running}")


_CONFIG: Final = {
    "config-plaintext-non-loopback": "broker-plaintext",
    "config-foreign-owner": "state-owner", "config-unsafe-mode": "state-open",
}  # fmt: skip


def config(refusal: Refusal | None, where: str) -> Check:
    """The configuration, or why there is none."""
    if refusal is None:
        return well("config", where)
    entry = CASES[case := _CONFIG.get(refusal.reason, "config-unreadable")]
    cure = refusal.hint
    if case == "config-unreadable" and "--reset" not in cure:
        # What to correct is in the hint; the case's own cure would say it again.
        cure += "; `meta-log-peer-sync config --reset` puts the file aside"
    return Check("config", "error", _said(refusal), case, entry.cause, cure)


_STATE: Final = {
    "config-foreign-owner": "state-owner",
    "config-unsafe-mode": "state-open",
    "config-state-newer": "state-newer",
    "config-store-corrupt": "store-damaged",
    "disk-full": "disk-full",
}


def state(refusal: Refusal | None, folder: str, *, there: bool) -> Check:
    """The state directory."""
    if refusal is None:
        return well("state", folder if there else f"{folder} is made at the first start")
    # The start names the very folder to correct; `chmod` of other things is nobody's cure.
    cure = refusal.hint if refusal.reason == "config-unsafe-mode" else ""
    return bad(_STATE.get(refusal.reason, "state-unsafe"), _said(refusal), cure=cure)


#: Bytes of the file that is written to see whether there is room.
_SMALL: Final = 4096


def disk(free: int | None, *, writable: bool, failing: str = "") -> Check:
    """Bytes that are free (None: nobody could tell), and whether a file could be written."""
    if free is None:
        return well("disk", "not known before the first start")
    room = f"{free // limits.MIB} MiB free" if free >= limits.MIB else f"{free} bytes free"
    if not writable or free < _SMALL:
        # Before the first start there is no folder to write in: then the number tells.
        return bad("disk-full", f"{room}; a file of 4 KiB could not be written")
    if "full" in failing:
        return bad("disk-full", f"{room}; {failing}")
    if failing:
        return bad("disk-failing", failing)
    return bad("disk-low", room) if free <= limits.DISK_RESERVE else well("disk", room)


def runtime(refusal: Refusal | None, folder: str, *, unused: Refusal | None = None) -> Check:
    """The folder of the control sockets; ``unused``: why it is not the one that was named."""
    if refusal is not None:
        cure = refusal.hint if refusal.reason == "config-unsafe-mode" else ""
        return bad("runtime-unsafe", _said(refusal), cure=cure)
    if unused is not None:
        cure = unused.hint if unused.reason == "config-unsafe-mode" else ""
        return bad("runtime-unused", f"{_said(unused)}; used instead: {folder}", cure=cure)
    return well("runtime", folder)


_IDENTITY: Final = {
    "config-identity-corrupt": "identity-damaged",
    "config-kdf-unknown": "identity-damaged",
    "config-kdf-too-strong": "identity-damaged",
    "path-symlink-escape": "identity-open",
    "config-foreign-owner": "identity-open",
    "config-unsafe-mode": "identity-open",
    "identity-wrong-passphrase": "identity-passphrase",
    "identity-locked": "identity-locked",
}


def identity(
    refusal: Refusal | None, peer_id: str, *, refused: Row | None = None, twins: Sequence[str] = ()
) -> Check:
    """The identity; ``refused`` are the reasons of the running peer, ``twins`` folders with it."""
    if refusal is not None and refusal.reason == "identity-missing":
        return well("identity", "made at the first start")
    if refusal is not None:
        case = _IDENTITY.get(refusal.reason, "identity-refused")
        more = f"{refusal.hint}; {CASES[case].cure}" if case == "identity-refused" else ""
        return bad(case, _said(refusal), cure=more)
    if twins:
        return bad("identity-cloned", f"{peer_id} runs in {', '.join(twins)}, too")
    count = sum(int((refused or {}).get(why, 0)) for why in ("self-peer", "fork"))
    if count:
        return bad("identity-cloned", f"{count} messages of {peer_id} that this peer did not send")
    return well("identity", peer_id)


def instance(*, locked: bool, answers: bool, who: str) -> Check:
    """Whether a peer runs, as it should; what that means for a second one is said beside it."""
    if answers:
        return bad("instance-other", who)
    return bad("instance-hangs", who) if locked else well("instance", "no peer is running")


@dataclass(frozen=True, slots=True)
class Probe:
    """What an attempt to reach the broker came to.

    ``step`` is where it ended: ``up``, ``name``, ``connect``, ``tls``,
    ``ca-file``, ``plain`` (no TLS there), ``tls-wanted`` (nothing else),
    ``silent`` or ``refused``; ``code`` the number that OpenSSL or the broker
    gave, ``text`` what that means.
    """

    step: str
    text: str = ""
    code: int = 0


#: OpenSSL's numbers (X509_V_ERR_*)
_NOT_VALID_NOW: Final = (9, 10)
_OTHER_NAME: Final = (62, 63, 64)
#: CONNACK of MQTT 3.1.1: bad user name or password, not authorised
_PASSWORD: Final = (4, 5)


def broker(url: str, probe: Probe, *, may_host: bool = False) -> Check:
    """What an attempt from outside of a running peer found."""
    if probe.step == "up":
        return well("broker", f"{url} answers")
    if may_host and probe.step in ("connect", "name"):
        return bad("broker-embedded", f"{url}: {probe.text}")
    case = {
        "name": "broker-name", "connect": "broker-unreachable", "silent": "broker-silent",
        "ca-file": "tls-ca-file", "plain": "tls-plain-port", "tls-wanted": "tls-wanted",
    }.get(probe.step, "")  # fmt: skip
    if probe.step == "refused":
        case = "broker-password" if probe.code in _PASSWORD else "broker-refused"
    elif probe.step == "tls":
        case = _tls(probe)
    return bad(case, f"{url}: {probe.text}")


def _tls(probe: Probe) -> str:
    if probe.code in _NOT_VALID_NOW:
        return "tls-expired"
    if probe.code in _OTHER_NAME:
        return "tls-name"
    return "tls-authority" if probe.code else "tls-failed"


def link(fields: Row, probe: Probe | None) -> Check:
    """What the running peer says of its broker; ``probe`` where it is not connected."""
    url, problem = str(fields["url"]), str(fields.get("error") or "")
    if fields["state"] == "connected":
        own = f", started by this peer ({fields['kind']})" if fields.get("embedded") else ""
        return well("broker", f"{url}, MQTT {fields.get('protocol')}{own}")
    if problem.startswith("refused"):
        password = "user name" in problem.lower() or "authori" in problem.lower()
        return bad("broker-password" if password else "broker-refused", f"{url}: {problem}")
    if probe is not None and probe.step not in ("up", "refused"):
        return broker(url, probe)
    return bad("broker-connecting", f"{url}: {problem or fields['state']}")


def peers(rows: Sequence[Row], refused: Row) -> Check:
    """Who is there, and what of others was refused."""
    online = sum(bool(row["online"]) for row in rows)
    found = f"{online} online of {len(rows)} known"
    theirs = {why: count for why, count in refused.items() if why != "replay"}
    if theirs:
        counts = ", ".join(f"{why} {count}" for why, count in sorted(theirs.items()))
        return bad("peers-refused", f"{found}; refused: {counts}")
    return well("peers", found) if online else bad("peers-none", found)


def clock(offsets: Mapping[str, float], ahead: float = 0.0) -> Check:
    """The clock against those of others.

    ``offsets``: peer -> seconds that its clock is ahead of ours, of those that
    have said something live.  ``ahead``: seconds that the newest file of the
    state directory is ahead.
    """
    off = {who: by for who, by in offsets.items() if abs(by) > limits.FRESHNESS}
    if offsets and len(off) == len(offsets):
        by = sorted(off.values())[len(off) // 2]
        together = max(off.values()) - min(off.values()) <= 2 * limits.FRESHNESS
        who = "one peer says" if len(off) == 1 else f"{len(off)} peers agree"
        found = f"{who}: this clock is {spell(-by)}"
        if together:
            return bad("clock-own" if len(off) > 1 else "clock-either", found)
    if off:
        said = ", ".join(f"that of {who} is {spell(by)}" for who, by in sorted(off.items()))
        return bad("clock-peer", said)
    if ahead > limits.FRESHNESS:
        return bad("clock-back", f"the newest file is {spell(ahead)}")
    if not offsets:
        return well("clock", "nobody is there to compare it with")
    worst = max(abs(by) for by in offsets.values())
    return well("clock", f"within {worst:.0f} s of {len(offsets)} of the others")


def spell(seconds: float) -> str:
    """``2 h 5 min ahead``, ``7 min behind``."""
    minutes = round(abs(seconds) / 60)
    hours, minutes = divmod(minutes, 60)
    text = " ".join(([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes else []))
    return f"{text or '0 min'} {'ahead' if seconds > 0 else 'behind'}"
