"""Every `make verb` that a page names is a verb of a Makefile that its reader has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.messages import ROOT

SEEDS = ("build_repo", "deploy_repo")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    + [
        page
        for folder in (*SEEDS, "cloudformation", "service_catalog", "seed_code")
        for page in (ROOT / folder).glob("*.md")
    ]
)
VERB = re.compile(r"^([a-z][a-z-]*):", re.M)
# In code: between backticks, or at the beginning of a line of a block. Elsewhere `make` is a word of English.
INLINE = re.compile(r"`make ([a-z][a-z-]*)[^`]*`")
IN_BLOCK = re.compile(r"^(?:\$ )?make ([a-z][a-z-]*)", re.M)
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)


def verbs(folder: Path) -> set[str]:
    return set(VERB.findall((folder / "Makefile").read_text(encoding="utf-8")))


def named(page: str) -> Iterator[str]:
    """The verbs that a page names in code."""
    for block in BLOCK.findall(page):
        yield from IN_BLOCK.findall(block)
    yield from INLINE.findall(BLOCK.sub("", page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_verb_that_a_page_names_is_there(page: Path) -> None:
    # A seed is shipped without the template, but its page may point at the other seed.
    readers = SEEDS if page.parent.name in SEEDS else ("", *SEEDS)
    known = set().union(*(verbs(ROOT / each) for each in readers))
    assert sorted(set(named(page.read_text(encoding="utf-8"))) - known) == []


def test_a_verb_is_seen_in_code_only() -> None:
    text = "We make things. `make why ARGS=--json`\n```sh\nmake up FAULT=x   # make it so\n```\n"
    assert sorted(named(text)) == ["up", "why"]


def test_what_is_no_verb_is_noticed() -> None:
    assert set(named("Run `make staging-test` again.")) - verbs(ROOT / "deploy_repo") == {"staging-test"}
