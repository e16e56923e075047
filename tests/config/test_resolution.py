# SPDX-License-Identifier: MIT
"""Which value is in force, where it came from, and what is refused with which reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.config import DEFAULT_BROKER, KEYS, refuse_secret_flags, resolve
from federation.errors import Refusal

OWN = "META_LOG_PEER_SYNC_"
FILE = '[broker]\nurl = "mqtt://localhost:1001"\n'


def reason(toml: str = "", **environ: str) -> str:
    with pytest.raises(Refusal) as caught:
        resolve({}, environ, toml)
    return caught.value.reason


def test_the_order_of_strength() -> None:
    environ = {
        OWN + "BROKER_URL": "mqtt://localhost:1004",
        "META_LOG_MQTT_BROKER": "mqtt://localhost:1003",
        "MQTT_BROKER_HOST": "127.0.0.1",
        "MQTT_BROKER_PORT": "1002",
    }
    flags = {"broker.url": "mqtt://localhost:1005"}
    expected = [
        ("mqtt://localhost:1005", "flag --broker-url"),
        ("mqtt://localhost:1004", OWN + "BROKER_URL"),
        ("mqtt://localhost:1003", "META_LOG_MQTT_BROKER"),
        ("mqtt://127.0.0.1:1002", "MQTT_BROKER_HOST"),
        ("mqtt://localhost:1002", "MQTT_BROKER_PORT"),
        ("mqtt://localhost:1001", "file"),
        (DEFAULT_BROKER, "default"),
    ]
    takers: list[dict[str, str]] = [flags, *[environ] * 4]
    file: str | None = FILE
    for url, source in expected:
        value = resolve(flags, environ, file).values["broker.url"]
        assert (value.value, value.source) == (url, source)
        # What was the strongest is taken away, and the next one comes up.
        if takers:
            stronger = takers.pop(0)
            del stronger[next(iter(stronger))]
        else:
            file = None


def test_a_broker_counts_as_configured_wherever_it_was_named() -> None:
    assert not resolve({}, {}).broker_configured
    assert not resolve({}, {"META_LOG_MQTT_BROKER": ""}).broker_configured
    assert resolve({"broker.url": DEFAULT_BROKER}, {}).broker_configured
    assert resolve({}, {"MQTT_BROKER_PORT": "1883"}).broker_configured
    assert resolve({}, {}, f'broker.url = "{DEFAULT_BROKER}"').broker_configured


def test_every_key_is_taken_from_each_of_its_places() -> None:
    samples: dict[str, object] = {
        "url": "mqtt://127.0.0.1:1", "boolean": True, "integer": 2**20, "number": 20,
        "list": [".csv"], "program": "true", "text": "ada", "path": "/some/where",
        "listen": "127.0.0.1:9464",
    }  # fmt: skip
    for key in KEYS.values():
        if key.secret:
            continue
        raw = key.choices[0] if key.kind == "choice" else samples[key.kind]
        raw = 7 if key.name == "limits.unknown_peers" else raw
        raw = 2**26 if key.name == "limits.held_per_peer" else raw
        raw = "127.0.0.1:9464" if key.name == "metrics.listen" else raw
        text = ",".join(raw) if isinstance(raw, list) else json.dumps(raw).strip('"')
        table, _, leaf = key.name.partition(".")
        toml = f"[{table}]\n{leaf} = {json.dumps(raw)}\n"
        found = [
            resolve({key.name: text}, {}).values[key.name],
            resolve({}, {key.variable: text}).values[key.name],
            resolve({}, {}, toml).values[key.name],
        ]
        assert len({entry.value for entry in found}) == 1, key.name
        assert [entry.source for entry in found] == [f"flag {key.flag}", key.variable, "file"]


def test_the_getters_give_what_the_table_says() -> None:
    config = resolve(
        {"files.extensions": ".csv", "hooks.ready": "/bin/echo 'a b'", "limits.heartbeat": "2"},
        {"MQTT_USERNAME": "me", "MQTT_PASSWORD": "canary-7"},
    )
    assert config.text("broker.username") == "me"
    assert config.text("broker.ca_file") is None
    assert config.choice("trust.policy") == "ask"
    assert config.integer("limits.unknown_peers") == 256
    assert config.number("limits.heartbeat") == 2.0
    assert config.boolean("broker.allow_plaintext") is False
    assert config.extensions[-1] == ".csv"
    assert ".canvasl" in config.extensions
    assert config.hooks() == {"ready": [("/bin/echo", "a b")]}
    two = resolve({"hooks.ready": "one 'a ; b' ; two"}, {})
    assert two.hooks() == {"ready": [("one", "a ; b"), ("two",)]}
    for wrong in ("one ;", "; one", "one ; ; two", "one ; ./two"):
        with pytest.raises(Refusal):
            resolve({"hooks.ready": wrong}, {})


def test_a_secret_is_never_shown() -> None:
    config = resolve({}, {"MQTT_PASSWORD": "canary-7"})
    assert config.text("broker.password") == "canary-7"
    shown = config.show()
    assert shown["broker.password"] == {"value": "(set)", "source": "MQTT_PASSWORD"}
    assert "canary" not in json.dumps(shown)
    assert resolve({}, {}).show()["broker.password"]["value"] is None


@pytest.mark.parametrize(("toml", "expected"), [
    ("!!python/object/apply:os.system [\"id\"]", "config-bad-config"),
    ("a = ", "config-bad-config"),
    ("a = 1\na = 2", "config-bad-config"),
    ("x = " + "[" * 5000, "config-bad-config"),
    ("limits.document = " + "9" * 5000, "config-bad-config"),
    ("allow_anonymus = false", "config-unknown-key"),
    ("[broker]\nlurk = 1", "config-unknown-key"),
    ("[[broker]]\nurl = 'mqtt://localhost'", "config-unknown-key"),
    ("broker = 'mqtt://localhost'", "config-unknown-key"),
    ("tls_insecure = true", "config-tls-verification-off"),
    ("broker.tls_insecure = false", "config-tls-verification-off"),
    ("[broker.tls]\nverify = false", "config-tls-verification-off"),
    ("broker.password = 'canary-7'", "config-secret-in-file"),
    ("password = 'canary-7'", "config-secret-in-file"),
    ("identity.passphrase = 'canary-7'", "config-secret-in-file"),
    ("[ice]\nurls = 'turn:h'\ncredential = 'canary-7'", "config-secret-in-file"),
    ("[ice]\nurls = 'stun:stun.example:19302'", "config-third-party-default"),
    ("broker.url = 'mqtt://broker.example:1883'", "config-plaintext-non-loopback"),
    ("broker.url = 'gopher://x'", "config-bad-url"),
    ("broker.url = 'mqtt://localhost:0'", "config-bad-port"),
    ("broker.url = 'mqtt://localhost:70000'", "config-bad-port"),
    ("broker.url = 'mqtt://u:canary-7@localhost'", "config-secret-in-url"),
    ("limits.document = -1", "config-bad-limit"),
    ("limits.document = 0", "config-bad-limit"),
    ("limits.heartbeat = 315360000", "config-bad-limit"),
    ("trust.policy = 'everybody'", "config-bad-value"),
    ("hooks.no-such-event = 'true'", "config-unknown-key"),
])  # fmt: skip
def test_a_bad_file(toml: str, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        resolve({}, {}, toml)
    assert caught.value.reason == expected
    assert "canary" not in str(caught.value.as_data())


def test_a_bad_environment() -> None:
    assert reason(**{OWN + "TRUST_POLCY": "ask"}) == "config-unknown-key"
    assert reason(**{OWN + "TLS_INSECURE": "1"}) == "config-tls-verification-off"
    assert reason(**{OWN + "LIMITS_DOCUMENT": "0"}) == "config-bad-limit"
    assert reason(MQTT_BROKER_HOST="localhost", MQTT_BROKER_PORT="0") == "config-bad-port"
    assert reason(MQTT_BROKER_HOST="localhost", MQTT_BROKER_PORT="70000") == "config-bad-port"
    assert reason(MQTT_BROKER_HOST="broker.example") == "config-plaintext-non-loopback"


def test_variables_that_are_no_keys() -> None:
    resolve({}, {OWN + "STATE_DIR": "/x", OWN + "CONFIG": "/y", OWN + "LOG_LEVEL": ""})
    resolve({}, {"META_LOG_ENABLE_FEDERATION": "1", "META_LOG_FEDERATION_BLACKBOARD": "b.org"})


def test_an_error_of_the_url_names_its_source() -> None:
    with pytest.raises(Refusal) as caught:
        resolve({}, {"META_LOG_MQTT_BROKER": "gopher://x"})
    assert "META_LOG_MQTT_BROKER" in caught.value.message


def test_plaintext_to_elsewhere_needs_the_named_override() -> None:
    environ = {"META_LOG_MQTT_BROKER": "mqtt://broker.example:1883"}
    assert resolve({"broker.allow_plaintext": "true"}, environ).broker_configured
    assert resolve({}, environ, "broker.allow_plaintext = true").broker_configured


def test_an_address_with_colons_as_host() -> None:
    config = resolve({}, {"MQTT_BROKER_HOST": "::1"})
    assert config.choice("broker.url") == "mqtt://[::1]:1883"


def test_flags() -> None:
    with pytest.raises(Refusal) as caught:
        resolve({"broker.password": "canary-7"}, {})
    assert caught.value.reason == "config-secret-in-argv"
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    "arguments",
    [["--passphrase", "canary-7"], ["bot", "--password=canary-7"], ["--broker-password", "canary"]],
)
def test_secrets_on_the_command_line(arguments: list[str]) -> None:
    with pytest.raises(Refusal) as caught:
        refuse_secret_flags(arguments)
    assert caught.value.reason == "config-secret-in-argv"
    assert "canary" not in caught.value.message


def test_what_is_no_secret_on_the_command_line() -> None:
    refuse_secret_flags(["--identity-passphrase-file", "x", "sync", "--", "--password"])


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_a_refusal(text: str) -> None:
    try:
        resolve({}, {}, text)
    except Refusal as refusal:
        assert refusal.reason.startswith("config-")


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=30))
def test_any_value_is_taken_or_refused(name: str, text: str) -> None:
    try:
        resolve({name: text}, {})
    except Refusal as refusal:
        assert refusal.reason.startswith(("config-", "path-forbidden-ext"))
