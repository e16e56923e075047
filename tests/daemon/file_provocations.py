# SPDX-License-Identifier: MIT
"""The refusals that have to do with files: documents, paths, identities."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters import beneath, disk, keystore
from federation.errors import Refusal
from tests.daemon.provocations import Params, Provoked, fixed, provokes
from tests.daemon.running import until

GOOD = "a good passphrase"

# --- local paths ------------------------------------------------------------------------------
_FILES = {"sync.file": "path", "documents.export": "path", "identity.create": "file",
          "identity.load": "file", "mirror.git": "path"}  # fmt: skip
_PATHS = {"path-not-absolute": "a.md", "path-not-regular": ".", "path-traversal": "%/../a.md",
          "path-tramp": "/ssh:host:/a.md"}  # fmt: skip


def _path(method: str, reason: str, text: str) -> None:
    async def made(world: Provoked) -> Params:
        params: Params = {_FILES[method]: text.replace("%", str(world.folder))}
        if method == "documents.export":
            await world.here.sync("doc.md", "text")
            params["file"] = "doc.md"
        return params

    provokes((method, reason))(made)


for _name in _FILES:
    for _reason, _text in _PATHS.items():
        _path(_name, _reason, _text)


# --- a file to sync ----------------------------------------------------------------------------
#: reason -> a base name that is refused for it
_NAMES = {
    "path-absolute": "c:\\x.md", "path-url": "mailto:x.md", "path-separator": "a\\b.md",
    "path-suspicious": "a%2fb.md", "path-non-nfc": "e\u0301.md", "path-control": "a\x01.md",
    "path-bidi": "a\u202e.md", "path-invisible": "a\u200b.md", "path-unassigned": "a\u0378.md",
    "path-reserved": "con.md", "path-leading-dash": "-a.md", "path-trailing": "a.md.",
    "path-shell-meta": "a$b.md", "path-forbidden-name": ".a.md", "path-forbidden-ext": "a.exe",
    "path-too-long": "synced/" + "d/" * 32 + "a.md",
}  # fmt: skip


def _named(reason: str, name: str) -> None:
    async def made(world: Provoked) -> Params:
        inside = name.startswith("synced/")
        return {"path": world.here.write(f"state/{name}" if inside else f"user/{name}", "text")}

    provokes(("sync.file", reason))(made)


for _reason, _text in _NAMES.items():
    _named(_reason, _text)
fixed("sync.file", "file-not-found", path="%/nothing.md")


@provokes(("sync.file", "file-too-large"))
async def _large(world: Provoked) -> Params:
    path = world.here.write("large.md", "")
    os.truncate(path, limits.DOCUMENT + 1)
    return {"path": path}


@provokes(("sync.file", "path-symlink-escape"))
async def _link(world: Provoked) -> Params:
    (world.folder / "link.md").symlink_to(world.here.write("real.md", "text"))
    return {"path": str(world.folder / "link.md")}


@provokes(("sync.file", "path-not-directory"))
async def _below_a_file(world: Provoked) -> Params:
    return {"path": world.here.write("file.md", "") + "/a.md"}


@provokes(("sync.file", "path-mount-escape"))
async def _mount(world: Provoked) -> Params:
    opened = beneath.open_below

    def mounted(parent: int, name: str) -> int:
        if name == "mounted":
            raise OSError(18, "another file system")  # EXDEV
        return opened(parent, name)

    world.patch.setattr(disk, "open_below", mounted)
    return {"path": world.here.write("state/synced/mounted/a.md", "text")}


@provokes(("sync.file", "path-normalisation-conflict"))
async def _same_look(world: Provoked) -> Params:
    world.here.write("state/synced/e\u0301.md", "decomposed")
    return {"path": world.here.write("user/\u00e9.md", "composed")}


@provokes(("sync.file", "path-io-error"))
async def _closed_folder(world: Provoked) -> Params:
    path = world.here.write("state/synced/closed/a.md", "text")
    Path(path).parent.chmod(0o500)
    return {"path": path}


@provokes(("sync.file", "disk-full"))
async def _no_room(world: Provoked) -> Params:
    world.full_disk()
    return {"path": world.here.write("a.md", os.urandom(200_000))}


@provokes(("sync.file", "queue-full"))
async def _many_versions(world: Provoked) -> Params:
    for one in ("first", "second", "third"):
        await world.here.sync(f"{one}/a.md", "base")
    world.patch.setattr(limits, "HEADS", 1)
    for one in ("first", "second"):
        await world.here.sync(f"{one}/a.md", f"{one} has changed it")
        world.patch.setattr(limits, "HEADS", 2)
    return {"path": world.here.write("third/a.md", "third, too")}


# --- documents ---------------------------------------------------------------------------------
_REVISION = {"revision": "0" * 64}
for _name, _more in (("documents.history", {}), ("documents.export", {}),
                     ("documents.restore", _REVISION), ("history.pin", _REVISION),
                     ("history.diff", {"old": "0" * 64})):  # fmt: skip
    fixed(_name, "unknown-document", file="nothing.md", **_more)


fixed("documents.open", "unknown-document", file="nothing.md")
_EDIT: Params = {"file": "a.md", "start": 0, "changes": [[0, 0, "x"]]}
fixed("documents.edit", "document-not-open", **_EDIT)
fixed("documents.close", "document-not-open", file="a.md")


async def _open(world: Provoked) -> None:
    await world.here.sync("a.md", "text")
    await world.front.call("documents.open", file="a.md")


@provokes(("documents.open", "unknown-base"))
async def _unknown_base(world: Provoked) -> Params:
    await world.here.sync("a.md", "text")
    return {"file": "a.md", "base": "0" * 64}


@provokes(("documents.open", "not-text"))
async def _not_text(world: Provoked) -> Params:
    await world.here.sync("a.md", b"\xff")
    return {"file": "a.md"}


@provokes(("documents.open", "queue-full"))
async def _many_open(world: Provoked) -> Params:
    await _open(world)
    await world.here.sync("b.md", "text")
    world.patch.setattr(limits, "OPEN_DOCUMENTS", 1)
    return {"file": "b.md"}


@provokes(("documents.edit", "edit-out-of-step"))
async def _out_of_step(world: Provoked) -> Params:
    await _open(world)
    return _EDIT | {"start": 1}


@provokes(("documents.edit", "edit-out-of-range"))
async def _out_of_range(world: Provoked) -> Params:
    await _open(world)
    return _EDIT | {"changes": [[5, 0, "x"]]}


@provokes(("documents.edit", "file-too-large"))
async def _grown_too_large(world: Provoked) -> Params:
    await _open(world)
    settings = world.here.peer.node.context.settings
    world.patch.setattr(
        world.here.peer.node.context, "settings", dataclasses.replace(settings, max_document=4)
    )
    return _EDIT


@provokes(("documents.history", "unknown-revision"))
async def _unknown_end(world: Provoked) -> Params:
    await world.here.sync("a.md", "text")
    return {"file": "a.md", "before": "0" * 64}


@provokes(
    ("documents.export", "unknown-revision"), ("documents.restore", "unknown-revision"),
    ("history.pin", "unknown-revision"),
)  # fmt: skip
async def _unknown_revision(world: Provoked) -> Params:
    await world.here.sync("a.md", "text")
    return {"file": "a.md", "revision": "0" * 64}


@provokes(
    ("documents.export", "content-dropped"), ("documents.restore", "content-dropped"),
    ("history.pin", "content-dropped"),
)  # fmt: skip
async def dropped(world: Provoked) -> Params:
    first = await world.here.sync("a.md", "text")
    for text in ("more text", "other text", "last text"):
        await world.here.sync("a.md", text)
    store = world.here.peer.store
    await until(lambda: store.document("a.md").written == store.document("a.md").current)  # type: ignore[union-attr]
    await world.here.peer.turns.ask(lambda _now: store.compact("a.md", 1, 2**62))
    return {"file": "a.md", "revision": first}


def _export(reason: str, place: Callable[[Provoked], str]) -> None:
    async def made(world: Provoked) -> Params:
        await world.here.sync("a.md", "text")
        await until(lambda: world.here.peer.store.document("a.md").written)  # type: ignore[union-attr]
        return {"file": "a.md", "path": place(world)}

    provokes(("documents.export", reason))(made)


def _looping(world: Provoked) -> str:
    (world.folder / "loop").symlink_to("loop")
    return str(world.folder / "loop" / "x.md")


def _broken(world: Provoked) -> str:
    world.failing_sync(5)  # EIO
    return str(world.folder / "x.md")


def _full(world: Provoked) -> str:
    world.failing_sync(28)  # ENOSPC
    return str(world.folder / "x.md")


_export("file-not-found", lambda world: str(world.folder / "nowhere" / "x.md"))
_export("path-not-directory", lambda world: world.here.write("file", "") + "/x.md")
_export("path-symlink-escape", _looping)
_export("path-too-long", lambda world: str(world.folder / ("x" * 300)))
_export("file-exists", lambda world: world.here.write("taken.md", "mine"))
_export("path-io-error", _broken)
_export("disk-full", _full)


# --- identities --------------------------------------------------------------------------------
fixed("identity.create", "config-passphrase-too-weak", file="%/x.json", passphrase="short")
fixed("identity.create", "config-bad-value", file="%/x.json", passphrase="\u00e9" * 1000)
fixed("identity.load", "identity-missing", file="%/nothing.json")


@provokes(("identity.create", "identity-exists"))
async def _existing(world: Provoked) -> Params:
    return {"file": world.here.write("x.json", "anything")}


@provokes(("identity.create", "path-io-error"))
async def _identity_in_a_file(world: Provoked) -> Params:
    return {"file": world.here.write("file", "") + "/x.json"}


@provokes(("identity.create", "path-not-directory"), ("identity.load", "path-not-directory"))
async def _identity_below_a_file(world: Provoked) -> Params:
    return {"file": world.here.write("file", "") + "/folder/x.json"}


@provokes(("identity.create", "path-too-long"), ("identity.load", "path-too-long"))
async def _identity_of_a_long_name(world: Provoked) -> Params:
    return {"file": str(world.folder / ("x" * 300))}


@provokes(("identity.load", "path-io-error"))
async def _identity_on_a_broken_disk(world: Provoked) -> Params:
    path, real = world.here.write("x.json", "{}"), os.read

    def broken(descriptor: int, size: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{descriptor}") == path:
            raise OSError(5, os.strerror(5))
        return real(descriptor, size)

    os.chmod(path, 0o600)
    world.patch.setattr(os, "read", broken)
    return {"file": path}


@provokes(("identity.create", "disk-full"))
async def _identity_on_a_full_disk(world: Provoked) -> Params:
    world.failing_sync(28)  # ENOSPC
    return {"file": str(world.folder / "x.json")}


def _identity(reason: str, change: Callable[[Path, Any], object], passphrase: str = GOOD) -> None:
    """An identity file that somebody has changed; ``change`` gets its path and its fields."""

    async def made(world: Provoked) -> Params:
        path = world.folder / "other" / "x.json"
        secret = passphrase.encode() if passphrase else None
        keystore.create_file(path, secret, os.urandom)
        fields = json.loads(path.read_text())
        params: Params = {"file": str(path), "passphrase": passphrase or None}
        changed = change(path, fields)
        if isinstance(changed, dict):
            params |= changed
        elif path.is_file() and not path.is_symlink():
            path.write_text(json.dumps(fields))
        return params

    provokes(("identity.load", reason))(made)


def _move(path: Path, _fields: object) -> None:
    path.rename(path.with_name("real.json"))
    path.symlink_to("real.json")


def _unprotect(path: Path, _fields: object) -> Params:
    shutil.rmtree(path.parent)
    path.parent.mkdir(mode=0o700)
    keystore.load_or_create(path.parent, protection="none", passphrase=None, random=os.urandom)
    return {"file": str(path.with_name("identity.json"))}


_identity("identity-locked", lambda _path, _fields: {"passphrase": None})
_identity("identity-wrong-passphrase", lambda _path, _fields: {"passphrase": "another one"})
_identity("config-identity-corrupt", lambda _path, fields: fields.pop("peer_id") and None)
_identity("config-identity-unencrypted", _unprotect)
_identity("config-kdf-unknown", lambda _path, fields: fields["kdf"].update(name="scrypt"))
_identity("config-kdf-too-strong", lambda _path, fields: fields["kdf"].update(ops=10**6))
_identity("config-state-newer", lambda _path, fields: fields.update(version=99))
_identity("config-unsafe-mode", lambda path, _fields: path.chmod(0o644))
_identity("path-symlink-escape", _move)


@provokes(("identity.load", "config-foreign-owner"))
async def _foreign(world: Provoked) -> Params:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = world.folder / "x.json"
    keystore.create_file(path, None, os.urandom)
    os.chown(path, 12345, 12345)
    return {"file": str(path)}


@provokes(("identity.load", "missing-program"))
async def _keyring(world: Provoked) -> Params:
    class Ring:
        def get_password(self, service: str, username: str) -> str | None:
            return None

        def set_password(self, service: str, username: str, password: str) -> None:
            """Forget it."""

    folder = world.folder / "kept"
    folder.mkdir(mode=0o700)
    with pytest.raises(Refusal):  # it is written, and then cannot be opened
        keystore.load_or_create(folder, protection="keyring", passphrase=None,
                                random=os.urandom, keyring=Ring())  # fmt: skip
    imported = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name.startswith("keyring"):
            raise ImportError(name)
        return imported(name, package)

    world.patch.setattr(importlib, "import_module", without)
    return {"file": str(folder / "identity.json")}
