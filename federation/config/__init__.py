# SPDX-License-Identifier: MIT
"""The configuration: one table of keys, three spellings each, one order of strength.

A key such as ``trust.policy`` is written so in TOML, ``META_LOG_PEER_SYNC_TRUST_POLICY``
in the environment and ``--trust-policy`` on the command line.  A flag beats
that variable, which beats the documented variables (``META_LOG_MQTT_BROKER``
before ``MQTT_BROKER_HOST``), which beat the file, which beats the default.
Nothing is read here: flags, environment and the text of the file are arguments.
"""

from __future__ import annotations

from federation.config.keys import DEFAULT_BROKER, DEFAULT_EXTENSIONS, KEYS, PREFIX, Key, find
from federation.config.resolution import (
    Config,
    Value,
    check_flags,
    read_file,
    refuse_secret_flags,
    resolve,
)
from federation.config.values import check, parse

__all__ = [
    "DEFAULT_BROKER",
    "DEFAULT_EXTENSIONS",
    "KEYS",
    "PREFIX",
    "Config",
    "Key",
    "Value",
    "check",
    "check_flags",
    "find",
    "parse",
    "read_file",
    "refuse_secret_flags",
    "resolve",
]
