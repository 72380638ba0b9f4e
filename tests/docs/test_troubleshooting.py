"""Whatever this project prints to people can be found in docs/troubleshooting.md, with its cause and what to do."""

from __future__ import annotations

import re

import pytest

from tests.bad_input.table import ENDINGS
from tests.docs.messages import GAP, ROOT, Message, all_messages, plain

PAGE = ROOT / "docs" / "troubleshooting.md"
ENTRY = re.compile(r"^### (?P<heading>.+)\n(?P<body>(?:(?!^#{1,3} ).*\n?)*)", re.M)
ALWAYS = ["is not implemented by the rehearsal's cloud", "must have 1 to 32 characters"]


@pytest.fixture(scope="module")
def page() -> str:
    """The page in one line, without its marks."""
    return plain(re.sub(r"^> ?", "", PAGE.read_text(encoding="utf-8"), flags=re.M))


def test_every_message_stands_in_the_page(page: str) -> None:
    missing = [f"{each.where}: {each.fragment}" for each in all_messages() if each.fragment not in page]

    assert not missing, "docs/troubleshooting.md lacks these words:\n" + "\n".join(missing)


@pytest.mark.parametrize("words", ALWAYS)
def test_what_hundreds_of_places_say_stands_in_the_page_once(page: str, words: str) -> None:
    assert words in page


def test_every_entry_has_its_words_as_heading_and_says_what_to_do() -> None:
    entries = ENTRY.findall(PAGE.read_text(encoding="utf-8"))
    headings = [heading for heading, _ in entries]

    assert len(headings) == len(set(headings)), "one entry for one message"
    assert [heading for heading, body in entries if not body.strip()] == []


def test_every_case_of_bad_input_can_be_looked_up(page: str) -> None:
    """Some three words in a row of what a person reads are in the page."""

    def found(said: str) -> bool:
        words = plain(said).split()
        return any(" ".join(words[start : start + 3]) in page for start in range(max(1, len(words) - 2)))

    lost = [name for name, row in ENDINGS.items() if row.says and not any(found(said) for said in row.says)]

    assert not lost


def test_the_collector_sees_what_people_see() -> None:
    found = {each.fragment for each in all_messages()}

    for words in (
        "only a completed package can be deployed",  # of an error's further line, in another constant
        "is needed and was not found on the PATH. Install it, then run this again",  # by str.format
        "is missing from the header",  # of the data contract
        "has uncommitted changes; it is packed as it is now",  # a warning
        "must be empty or one e-mail address",  # of the template
        "it needed more memory than its instance has. SageMaker says",  # of the end of a red build
        "Cleaning up broke",  # to CloudFormation
        "The action broke",  # to CodePipeline
        "Another execution overtook it",  # put in a variable first
        "The way back goes on by itself",  # of what is printed
        "could not be launched and was taken back",  # of a report
        "production still serves rejected version",  # the subject of a mail
        "Approving it deploys it to staging; production asks you once more",  # of the template's own mails
        "of the model answers in staging",  # of the question before production
    ):
        assert any(words in fragment for fragment in found), words


def test_a_fragment_is_the_longest_part_between_values() -> None:
    assert Message("here", f"{GAP} is empty: look at {GAP}.\nThen go on.").fragment == "is empty: look at"
