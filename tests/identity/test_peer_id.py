# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.identity.peer_id import check_peer_id, peer_id_of, short_id

#: The first test identity of the shared data.
KEY = bytes.fromhex("b830c19b45128b9ca2cb134cb6d0b9eef66fb332a6d1b8fccc126d6edb0caeba")
ID = "peer-voht7cmghzfvaryvadruxqca5sakudmj7libtbg34owyctgiywgq"


def test_the_id_of_a_known_key() -> None:
    assert peer_id_of(KEY) == ID
    assert short_id(ID) == "peer-voht7cmg"


@given(st.binary(min_size=32, max_size=32))
def test_ids_are_hashes_and_have_their_form(key: bytes) -> None:
    peer_id = peer_id_of(key)
    assert check_peer_id(peer_id) == peer_id
    digits = peer_id.removeprefix("peer-").upper() + "===="
    assert base64.b32decode(digits) == hashlib.sha256(b"canvasl-peer-id/v1\0" + key).digest()


@pytest.mark.parametrize(
    "text",
    ["", "peer-", "peer-abc123", ID.upper(), ID[:-1], ID + "q", ID + "\n", " " + ID, ID[5:],
     "#", "+", "../../etc", "peer-a/b", ID.replace("voht", "vo/t"), ID.replace("v", "\uff56"),
     ID.replace("7", "1"), ID[:-1] + "b", "peer-" + "a" * 5000, ID + "\0"],
)  # fmt: skip
def test_anything_else_is_no_id(text: str) -> None:
    with pytest.raises(Refusal, match="bad-peer-id"):
        check_peer_id(text)
