# SPDX-License-Identifier: MIT
"""Parts of ``reference/config.md``, from the table of keys."""

from __future__ import annotations

from docs.generator.markdown import cell, code, table
from federation.config import KEYS, Key
from federation.config.keys import HOOK_EVENTS, OTHER_VARIABLES


def keys() -> str:
    """A heading, a sentence and the three spellings of each key."""
    parts = []
    for key in KEYS.values():
        if key.name.startswith("hooks."):
            continue
        parts += [f"### {code(key.name)}\n", f"{cell(key.help)}\n", _table(key)]
    return "\n".join([*parts, _hooks()])


def _table(key: Key) -> str:
    default = ", ".join(map(str, key.default)) if isinstance(key.default, tuple) else key.default
    if isinstance(default, bool):
        default = str(default).lower()
    spellings = [key.variable, *key.variables]
    rows = [
        ("form", code(key.form)),
        ("default", code(default) if default not in (None, "") else "not set"),
        ("in the file", code(key.name) if not key.secret else "never: it is a secret"),
        ("environment", ", ".join(map(code, spellings))),
        ("flag", code(key.flag) if key.flag else "none: it is a secret"),
    ]
    return table(("", ""), rows)


def _hooks() -> str:
    events = ", ".join(map(code, HOOK_EVENTS))
    return (
        "### `hooks.EVENT`\n\n"
        "A program that a bot runs on this event: an absolute path, or a name on `PATH`, with "
        "its arguments, as a string or a list of strings; several of them with ` ; ` in "
        "between. No shell is involved. The event comes as one JSON object on the program's "
        "standard input, and its name in the variable "
        f"`META_LOG_PEER_SYNC_EVENT`. EVENT is one of {events}; [rpc](rpc.md#events) lists their "
        "fields.\n\n"
        + table(("", ""), [
            ("form", code("program")), ("default", "not set"),
            ("in the file", code("hooks.document-changed")),
            ("environment", code("META_LOG_PEER_SYNC_HOOKS_DOCUMENT_CHANGED")),
            ("flag", code("--hooks-document-changed")),
        ])
    )  # fmt: skip


def variables() -> str:
    """Variables of the environment that are no keys."""
    words = {
        "STATE_DIR": "the state directory, as `--state-dir`",
        "CONFIG": "the configuration file, as `--config`",
        "EVENT": "set for hook programs: the name of the event",
        "EMBEDDED": "which program the embedded broker is: `mosquitto` or `amqtt`",
    }
    rows = [
        (code(name), words[name.removeprefix("META_LOG_PEER_SYNC_")])
        for name in sorted(OTHER_VARIABLES)
    ]
    rows += [
        (code("META_LOG_ENABLE_FEDERATION"),
         "`1`: the Emacs package starts by itself when the init file has loaded it"),
        (code("META_LOG_FEDERATION_BLACKBOARD"),
         "the file of the blackboard, when the option of the Emacs package is not set"),
    ]  # fmt: skip
    return table(("variable", "meaning"), rows)
