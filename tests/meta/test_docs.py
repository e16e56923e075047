# SPDX-License-Identifier: MIT
"""The documents are true: generated parts, links, names, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import rfc8785
from nacl.signing import VerifyKey

from docs.generator import elisp
from docs.generator.pages import PAGES, render
from federation import __version__
from tests.integration.brokers import free_port
from tests.meta.walkthrough import ROOT, Example, Reader, examples, may_be_user

DOCS = ROOT / "docs"
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
}
#: Pages whose examples are run.
TAUGHT = [
    name for name in TEXTS
    if "/" not in name or name.startswith(("docs/tutorial/", "docs/how-to/"))
]  # fmt: skip
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_generated_parts_are_those_of_the_code(page: str) -> None:
    if page in elisp.PAGES and elisp.program() is None:
        pytest.skip("there is no Emacs to read the package with")
    text = TEXTS[f"docs/{page}"]
    assert render(page, text) == text, "run make docs"


def test_a_page_that_lacks_a_part_or_has_another_is_refused() -> None:
    page = "reference/config.md"
    text = TEXTS[f"docs/{page}"]
    with pytest.raises(ValueError, match="keys"):
        render(page, text.replace("<!-- generated: keys -->", ""))
    with pytest.raises(ValueError, match="other"):
        render(page, text + "<!-- generated: other -->\n<!-- end of other -->\n")
    with pytest.raises(ValueError, match="no end"):
        render(page, text.replace("<!-- end of keys -->", ""))


def _anchors(text: str) -> set[str]:
    """The names that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for link in _LINK.findall(_FENCE.sub("", TEXTS[name])):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.resolve().is_file(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for link in _LINK.findall(TEXTS[name]):
            path = ((ROOT / name).parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_file():
                waiting.append(path.relative_to(ROOT).as_posix())
    assert set(TEXTS) - reached == set()


def test_the_changelog_has_the_present_version() -> None:
    versions = re.findall(r"^## (\S+)", TEXTS["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == __version__
    assert f"version {__version__}" in TEXTS["README.md"]


def test_files_that_pages_name_are_there() -> None:
    for name, text in TEXTS.items():
        for path in re.findall(r"`((?:tests|federation|elisp|docs)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_names_of_the_emacs_package_are_defined() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "elisp").glob("*.el"))
    defined = set(
        re.findall(
            r"^\((?:def\w+|define-[\w-]+|cl-def\w+|[\w-]+-menu--define) \(?([\w-]+)",
            sources,
            re.MULTILINE,
        )
    )
    for name in TAUGHT:
        said = re.findall(
            r"meta-log-(?:peer-sync|federation|mqtt|webrtc|identity)-[a-z-]+", TEXTS[name]
        )
        assert [one for one in said if one not in defined] == [], name


def _wire_examples() -> Iterator[dict[str, object]]:
    part = TEXTS["docs/reference/wire.md"].partition("<!-- generated: examples -->")[2]
    for block in re.findall(r"^```json\n(.*?)^```", part, re.DOTALL | re.MULTILINE):
        yield json.loads(block)


def test_the_examples_of_the_wire_verify_without_our_code() -> None:
    keys = {
        str(message["peer_id"]): bytes.fromhex(str(message["public_key"])[2:])
        for message in _wire_examples()
        if "public_key" in message
    }
    types = set()
    for message in _wire_examples():
        signature = bytes.fromhex(str(message.pop("signature"))[2:])
        signed = str(message["type"]).encode() + b"/v1\0" + rfc8785.dumps(message)  # type: ignore[arg-type]
        VerifyKey(keys[str(message["peer_id"])]).verify(signed, signature)
        types.add(message["type"])
    on_the_page = set(
        re.findall(r"^### `([\w-]+)`$", TEXTS["docs/reference/wire.md"], re.MULTILINE)
    )
    assert types == on_the_page


@pytest.mark.parametrize("name", TAUGHT)
def test_every_shell_example_says_how_it_is_run(name: str) -> None:
    assert [one.line for one in examples(TEXTS[name]) if not one.how] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in TAUGHT
        if any(one.how != "not run" for one in examples(TEXTS[name]))
        # tests/integration/test_wheel.py follows the tutorial, with what a stranger installs
        and not name.startswith("docs/tutorial/")
    ],
)
def test_the_examples_do_what_the_page_says(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    reader = Reader(tmp_path)
    own_broker = "mosquitto -c" in text
    if own_broker:
        for program in ("mosquitto", "openssl"):
            if reader.which(program) is None:
                pytest.skip(f"{program} is not installed")
        if not may_be_user():
            pytest.skip("as root, this needs user namespaces")
    for named in ("8883", "9464"):
        text = text.replace(named, str(free_port()))
    try:
        if not own_broker:
            # Not the broker of the machine: others may use that one.
            port = free_port()
            broker = f"meta-log-peer-sync broker --port {port}"
            reader.run(Example(0, "background", "answers", broker))
            reader.environment["META_LOG_MQTT_BROKER"] = f"mqtt://127.0.0.1:{port}"
        for example in examples(text):
            if example.how != "not run":
                reader.run(example)
    finally:
        reader.leave()
