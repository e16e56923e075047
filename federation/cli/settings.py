# SPDX-License-Identifier: MIT
"""The verb ``config``: show, set and reset, with or without a running peer."""

from __future__ import annotations

import json

import tomlkit
from tomlkit.items import Table

from federation.adapters import runtime
from federation.cli.context import Context
from federation.cli.output import CommandError, Result, pairs, table, usage_error
from federation.config import find, parse, resolve
from federation.errors import Refusal


def config(context: Context) -> Result:
    """Show every key or one, set one, or reset."""
    name, value = context.argument("key"), context.argument("value")
    if context.argument("reset"):
        if value is not None:
            raise usage_error("--reset takes no VALUE", "config --reset, or config KEY --reset")
        return _reset_all(context) if name is None else _change(context, name, None)
    if name is None:
        return _show_all(context)
    return _show_one(context, name) if value is None else _change(context, name, value)


def spelled(value: object) -> str:
    """A value as the file spells it, but for the quotes around a text; ``-`` for none."""
    if value in (None, [], ()):
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def _show_all(context: Context) -> Result:
    shown = context.settings(context.state_dir()).show()
    rows = [(name, spelled(entry["value"]), entry["source"]) for name, entry in shown.items()]
    return Result({"config": shown}, table(("key", "value", "from"), rows))


def _show_one(context: Context, name: str) -> Result:
    key = find(name)
    shown = context.settings(context.state_dir()).show()[name]
    data = {"key": name, **shown, "form": key.form, "default": key.default, "help": key.help,
            "variable": key.variable, "flag": key.flag}  # fmt: skip
    return Result(data, pairs([
        (name, spelled(shown["value"])),
        ("from", shown["source"]),
        ("form", key.form),
        ("default", spelled(key.default)),
        ("variable", key.variable),
        ("flag", key.flag or "none: it is a secret"),
        ("", key.help),
    ]))  # fmt: skip


def _change(context: Context, name: str, text: str | None) -> Result:
    """Set a key of the file to ``text``, or take it out; the rest of the file stays as it is."""
    key = find(name)
    if key.secret:
        raise CommandError.of(Refusal("config-secret-in-argv", name))
    state_dir = context.state_dir()
    path, named = context.config_file(state_dir)
    if not named:
        runtime.prepare_state_dir(state_dir, context.environ)
    try:
        before = runtime.read_private_text(path)
    except Refusal as refusal:
        if refusal.reason != "file-not-found":
            raise
        before = ""
    resolve({}, {}, before)  # a file that is wrong already is not made worse
    after = edit(before, name, None if text is None else parse(key, text, name))
    resolve({}, {}, after)
    runtime.write_private_text(path, after)
    shown = context.settings(state_dir).show()[name]
    lines = pairs([(name, spelled(shown["value"]))])
    if shown["source"] not in ("file", "default"):
        lines.append(f"{shown['source']} is stronger than the file.")
    if runtime.running_peer(state_dir) is not None:
        lines.append("The running peer takes it when it starts again.")
    return Result({"key": name, **shown, "file": str(path)}, lines)


def edit(text: str, name: str, value: object) -> str:
    """The TOML ``text`` with the key set, or taken out for None; comments stay."""
    document = tomlkit.parse(text)
    table_name, _, leaf = name.partition(".")
    section = document.get(table_name)
    if value is None:
        if section is not None:
            section.pop(leaf, None)
        return tomlkit.dumps(document)
    if section is None:
        section = tomlkit.table()
        document[table_name] = section
        section = document[table_name]
    assert isinstance(section, Table) or hasattr(section, "__setitem__")
    section[leaf] = list(value) if isinstance(value, tuple) else value
    return tomlkit.dumps(document)


def _reset_all(context: Context) -> Result:
    path, _ = context.config_file(context.state_dir())
    aside = path.with_name(path.name + ".old")
    try:
        path.replace(aside)
    except FileNotFoundError:
        return Result({"file": str(path), "kept": None}, ["There was no configuration file."])
    except OSError as error:
        raise Refusal("path-io-error", f"{path}: {error.strerror}") from None
    data = {"file": str(path), "kept": str(aside)}
    return Result(data, [f"Every key has its default again; the old file is {aside}"])
