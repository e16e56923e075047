# SPDX-License-Identifier: MIT
"""Signing is a request: what the identity methods give, and that no secret leaves."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from federation import limits
from federation.identity import keys
from federation.wire import envelope
from tests.adapters.keystores import cheap, mode
from tests.daemon.running import key_of, running

__all__ = ["cheap"]  # fixture
OWN = key_of(1)


def signed(text: str) -> bytes:
    """What a signature over a text covers, written out."""
    encoded = json.dumps({"text": text, "type": "signed-text"}, separators=(",", ":"))
    return b"signed-text/v1\0" + encoded.encode()


async def test_a_signature_is_of_a_type_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        answer = await here.front().call("identity.sign", message="text")
        assert answer["peer_id"] == OWN.peer_id
        signature = bytes.fromhex(answer["signature"][2:])
        assert keys.verify(OWN.public_key, signed("text"), signature)
        assert not keys.verify(OWN.public_key, b"text", signature)


async def test_a_signed_text_is_no_message_of_ours(tmp_path: Path) -> None:
    """Whatever a program has us sign, it cannot speak for us on the wire with it."""
    async with running(tmp_path) as here:
        message: dict[str, object] = {"type": "canvasl-sync", "peer_id": OWN.peer_id}
        text = envelope.signing_input("canvasl-sync", message).decode()
        answer = await here.front().call("identity.sign", message=text)
        signature = bytes.fromhex(answer["signature"][2:])
        assert not keys.verify(OWN.public_key, text.encode(), signature)


async def test_verifying_by_id_by_key_and_by_a_loaded_one(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front, friend = here.front(), await here.known()
        made = await front.call("identity.create", file=str(tmp_path / "other.json"))
        for key, fields in (
            (friend.key, {"peer_id": friend.peer_id}),
            (key_of(7), {"public_key": keys.to_hex(key_of(7).public_key)}),
            (OWN, {"peer_id": OWN.peer_id}),
        ):
            good = keys.to_hex(key.sign(signed("text")))
            for text, signature, valid in (
                ("text", good, True),
                ("text ", good, False),
                ("text", good.upper(), False),
                ("text", good[:-2], False),
                ("text", "0x" + "00" * 64, False),
                ("text", "", False),
            ):
                answer = await front.call(
                    "identity.verify", message=text, signature=signature, **fields
                )
                assert answer == {"valid": valid}, (text, signature)
        other = await front.call("identity.sign", message="", peer_id=made["peer_id"])
        answer = await front.call(
            "identity.verify", message="", signature=other["signature"], peer_id=made["peer_id"]
        )
        assert answer == {"valid": True}
        params = {"message": "", "signature": ""}
        assert await front.reason("identity.verify", **params) == "rpc-invalid-params"


async def test_create_then_load_in_another_peer_and_sign(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "work.json"
    async with running(tmp_path / "a", number=1) as here:
        made = await here.front().call(
            "identity.create", file=str(file), passphrase="a good passphrase"
        )
        assert made["file"] == str(file)
        assert mode(file) == 0o600
    async with running(tmp_path / "b", number=2) as here:
        front = here.front()
        sign = {"message": "text", "peer_id": made["peer_id"]}
        assert await front.reason("identity.sign", **sign) == "unknown-peer"
        load = {"file": str(file), "passphrase": "a good passphrase"}
        assert await front.call("identity.load", **load) == made
        answer = await front.call("identity.sign", **sign)
        public_key = bytes.fromhex(made["public_key"][2:])
        assert keys.verify(public_key, signed("text"), bytes.fromhex(answer["signature"][2:]))
        assert (await front.call("identity.sign", message=""))["peer_id"] == key_of(2).peer_id


async def test_loaded_identities_are_bounded_and_loading_one_again_takes_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOADED_IDENTITIES", 2)
    async with running(tmp_path) as here:
        front = here.front()
        ids = []
        for number in range(2):
            made = await front.call("identity.create", file=str(tmp_path / f"{number}.json"))
            ids.append(made["peer_id"])
        await front.call("identity.load", file=str(tmp_path / "1.json"))
        for one in ids:
            await front.call("identity.sign", message="", peer_id=one)
        made = await front.call("identity.create", file=str(tmp_path / "2.json"))
        reasons = [
            await front.reason("identity.sign", message="", peer_id=one)
            for one in (*ids, made["peer_id"])
        ]
        assert reasons == ["unknown-peer", "", ""]


async def test_safety_words_are_the_same_on_both_sides(tmp_path: Path) -> None:
    async with running(tmp_path / "a", number=1) as a, running(tmp_path / "b", number=2) as b:
        await a.known(2)
        await b.known(1)
        mine = await a.front().call("identity.words", peer_id=key_of(2).peer_id)
        yours = await b.front().call("identity.words", peer_id=key_of(1).peer_id)
        assert mine["words"] == yours["words"]
        assert len(mine["words"]) == 8
        shown = await b.front().call("identity.show")
        assert mine["fingerprint"] == shown["fingerprint"]


async def test_no_private_key_in_any_answer_log_or_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    passphrase = "a very secret passphrase"
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("events.subscribe")
        file = str(tmp_path / "other.json")
        await front.call("identity.create", file=file, passphrase=passphrase)
        await front.call("identity.load", file=file, passphrase=passphrase)
        await front.reason("identity.load", file=file, passphrase=passphrase + "!")
        await front.call("identity.show")
        await front.call("identity.sign", message="text")
        await front.call("status")
        await front.call("config.show")
        loaded = here.methods._identities._loaded
        (opened,) = loaded.values()
        seeds = [OWN.seed(), opened.key.seed()]
        shown = front.raw.decode() + caplog.text + repr(loaded) + repr(here.peer.identity)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    data = b"".join(path.read_bytes() for path in files)
    assert passphrase not in shown
    assert passphrase.encode() not in data
    for seed in seeds:
        assert seed.hex() not in shown
        assert seed not in data
        assert seed.hex().encode() not in data
