# SPDX-License-Identifier: MIT
"""Which value is in force: flags, environment and file brought together.

Nothing is read here: all three are arguments.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from federation import broker_url
from federation.config.keys import (
    DEFAULT_EXTENSIONS,
    FORBIDDEN,
    HOOK_EVENTS,
    KEYS,
    OTHER_VARIABLES,
    PREFIX,
    SECRET_FLAGS,
    VERIFY_REASON,
    Scalar,
    find,
    show,
)
from federation.config.values import check, parse, programs_in, split_program
from federation.errors import Refusal


@dataclass(frozen=True, slots=True)
class Value:
    """A value in force, and where it comes from: ``default``, ``file``, a variable or a flag."""

    value: Scalar
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """Every key with the value in force; read it by the getter of its kind."""

    values: Mapping[str, Value] = field(repr=False)  # some are secrets

    def text(self, name: str) -> str | None:
        """The value of a text, path, choice, URL or program; None where it is not set."""
        value = self.values[name].value
        assert value is None or isinstance(value, str), name
        return value

    def choice(self, name: str) -> str:
        """The value of a key that always has one: a choice or the broker's URL."""
        value = self.values[name].value
        assert isinstance(value, str), name
        return value

    def integer(self, name: str) -> int:
        """The value of a whole number."""
        value = self.values[name].value
        assert type(value) is int, name  # bool is an int, too
        return value

    def number(self, name: str) -> float:
        """The value of a number."""
        value = self.values[name].value
        assert isinstance(value, int | float), name
        return float(value)

    def boolean(self, name: str) -> bool:
        """The value of a switch."""
        value = self.values[name].value
        assert isinstance(value, bool), name
        return value

    def items(self, name: str) -> tuple[str, ...]:
        """The value of a list."""
        value = self.values[name].value
        assert isinstance(value, tuple), name
        return value

    def with_paths(self, absolute: Callable[[str], str]) -> Config:
        """The same with every path made absolute by the function."""
        values = dict(self.values)
        for name, entry in values.items():
            if KEYS[name].kind == "path" and isinstance(entry.value, str):
                values[name] = Value(absolute(entry.value), entry.source)
        return Config(values)

    @property
    def broker_configured(self) -> bool:
        """Whether somebody chose the broker: then no embedded one is started."""
        return self.values["broker.url"].source != "default"

    @property
    def extensions(self) -> tuple[str, ...]:
        """Every ending of files that are synced: the contract's and the added ones."""
        return (*DEFAULT_EXTENSIONS, *self.items("files.extensions"))

    def hooks(self) -> dict[str, list[tuple[str, ...]]]:
        """Event -> its programs, each with its arguments, for the events that have any."""
        named = ((event, self.text(f"hooks.{event}")) for event in HOOK_EVENTS)
        return {event: programs_in(split_program(text)) for event, text in named if text}

    def show(self) -> dict[str, dict[str, object]]:
        """Every key's value and source as plain JSON; of a secret only whether it is set."""
        shown: dict[str, dict[str, object]] = {}
        for name, entry in self.values.items():
            value: object = list(entry.value) if isinstance(entry.value, tuple) else entry.value
            if KEYS[name].secret and value is not None:
                value = "(set)"
            shown[name] = {"value": value, "source": entry.source}
        return shown


def resolve(
    flags: Mapping[str, str], environ: Mapping[str, str], toml_text: str | None = None
) -> Config:
    """The configuration in force.

    ``flags`` maps names of keys to their text; an unset or empty variable does
    not count.  Raises :class:`Refusal` (``config-*``) for the first thing that
    is wrong, naming where it stands.
    """
    found = {name: Value(key.default, "default") for name, key in KEYS.items()}
    if toml_text is not None:
        for name, raw in read_file(toml_text).items():
            found[name] = Value(check(KEYS[name], raw), "file")
    for name, (text, variable) in _documented(environ).items():
        found[name] = Value(parse(KEYS[name], text, variable), variable)
    found |= _own_variables(environ)
    for name, text in flags.items():
        key = find(name)
        if key.flag is None:
            raise Refusal("config-secret-in-argv", name)
        found[name] = Value(parse(key, text, key.flag), f"flag {key.flag}")
    config = Config(found)
    _check_url(config)
    return config


def read_file(toml_text: str) -> dict[str, object]:
    """Name of key -> raw value of a configuration file, every name known and allowed."""
    try:
        document = tomllib.loads(toml_text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        # Only the position: the text around it could be a secret.
        where = re.search(r"\(at [^)]*\)$", str(error))
        raise Refusal("config-bad-config", where.group()[1:-1] if where else "") from None
    leaves = dict(_leaves(document, ""))
    for part, reason in FORBIDDEN.items():
        for name in leaves:
            if part in name.split("."):
                raise Refusal(reason, show(name))
    for name in leaves:
        find(name)
    return leaves


def check_flags(flags: Mapping[str, str]) -> None:
    """Refuse the first value of a flag that does not fit its key, whatever uses it.

    Whether the broker's connection may be unencrypted is decided where the
    whole configuration is known.
    """
    for name, text in flags.items():
        key = find(name)
        value = parse(key, text, key.flag or name)
        if name == "broker.url":
            broker_url.parse(str(value), allow_plaintext=True)


def refuse_secret_flags(arguments: Sequence[str]) -> None:
    """Refuse a command line with a flag that would carry a secret; the value is not repeated."""
    for argument in arguments:
        if argument == "--":
            return
        flag = argument.split("=", 1)[0]
        if flag in SECRET_FLAGS:
            raise Refusal("config-secret-in-argv", flag)


def _leaves(table: Mapping[str, object], prefix: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for part, value in table.items():
        name = f"{prefix}{part}"
        if isinstance(value, dict):
            found += _leaves(value, name + ".")
        else:
            found.append((name, value))
    return found


def _documented(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Key -> (text, variable) of the documented variables, the stronger of two already chosen."""
    found: dict[str, tuple[str, str]] = {}
    url = environ.get("META_LOG_MQTT_BROKER")
    host, port = environ.get("MQTT_BROKER_HOST"), environ.get("MQTT_BROKER_PORT")
    if url:
        found["broker.url"] = (url, "META_LOG_MQTT_BROKER")
    elif host or port:
        host = host or "localhost"
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        source = "MQTT_BROKER_HOST" if environ.get("MQTT_BROKER_HOST") else "MQTT_BROKER_PORT"
        found["broker.url"] = (f"mqtt://{host}:{port or 1883}", source)
    for key in list(KEYS.values())[1:]:
        for variable in key.variables:
            if environ.get(variable):
                found.setdefault(key.name, (environ[variable], variable))
    return found


def _own_variables(environ: Mapping[str, str]) -> dict[str, Value]:
    known = {key.variable: key for key in KEYS.values()}
    found: dict[str, Value] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES or not text:
            continue
        key = known.get(variable)
        if key is None:
            leaf = variable.removeprefix(PREFIX).lower()
            for part, reason in FORBIDDEN.items():
                if leaf.endswith(part) and reason == VERIFY_REASON:
                    raise Refusal(reason, show(variable))
            raise Refusal("config-unknown-key", show(variable))
        found[key.name] = Value(parse(key, text, variable), variable)
    return found


def _check_url(config: Config) -> None:
    try:
        broker_url.parse(
            config.choice("broker.url"), allow_plaintext=config.boolean("broker.allow_plaintext")
        )
    except Refusal as refusal:
        detail = f"{config.values['broker.url'].source}: {refusal.detail}".strip(": ")
        raise Refusal(refusal.reason, detail, hint=refusal.hint) from None
