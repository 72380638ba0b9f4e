"""An answer as people read it: plain text, wrapped at the terminal's width, bold headings on a terminal only."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

from project_tools.findings import Answer, Explained, Failure, Place

INDENT = "  "
NARROWEST, WIDEST = 60, 120
LABEL = 10


def text(answer: Answer, now: datetime, width: int, *, bold: bool) -> str:
    """The whole answer."""
    width = max(NARROWEST, min(width, WIDEST))
    return "\n".join(_lines(answer, now, width, bold))


def _lines(answer: Answer, now: datetime, width: int, bold: bool) -> Iterator[str]:
    failure = answer.failure
    if answer.success is not None:
        yield _heading(f"What succeeded: {answer.success.title}, {ago(answer.success.when, now)}", bold)
        yield from _told(answer.success, width)
        yield from _where(answer.success, width, bold)
    elif failure is None:
        sentence = f"Nothing failed in project {answer.project.name} ({answer.project.id})."
        yield from _prose(sentence, width, "")
    else:
        yield from _failure(failure, now, width, bold)
    for note in answer.notes:
        yield ""
        yield from _prose(note, width, "")
    if answer.not_read:
        yield ""
        yield _heading("Not looked at", bold)
        for sentence in answer.not_read:
            yield from _prose(sentence, width)


def _failure(failure: Failure, now: datetime, width: int, bold: bool) -> Iterator[str]:
    yield _heading(f"What failed: {failure.title}, {ago(failure.when, now)}", bold)
    yield from _told(failure, width)
    if failure.since:
        yield from _prose(failure.since, width)
    yield from _where(failure, width, bold)
    yield ""
    yield _heading("What to try", bold)
    for advice in failure.to_try:
        yield from _prose(advice, width)
    if failure.last_lines:
        yield ""
        yield _heading("Last lines of the log", bold)
        for line in failure.last_lines:
            yield from _verbatim(line, width)


def _told(found: Explained, width: int) -> Iterator[str]:
    for line in (found.line, *found.more):
        yield from _verbatim(line, width)


def _where(found: Explained, width: int, bold: bool) -> Iterator[str]:
    yield ""
    yield _heading("Where", bold)
    for place in found.where:
        yield from _place(place, width)
    yield from _place(Place("time", f"{found.when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"), width)
    if found.link:
        yield f"{INDENT}{'look':<{LABEL}}{found.link}"


def ago(when: datetime, now: datetime) -> str:
    """`12 minutes ago`."""
    seconds = max(0.0, (now - when).total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _heading(words: str, bold: bool) -> str:
    return f"\x1b[1m{words}\x1b[0m" if bold else words


def _place(place: Place, width: int) -> list[str]:
    return _wrapped(place.name, width, f"{INDENT}{place.what:<{LABEL}}", " " * (len(INDENT) + LABEL))


def _prose(sentence: str, width: int, indent: str = INDENT) -> list[str]:
    return [line for part in sentence.splitlines() for line in _wrapped(part, width, indent, indent)]


def _verbatim(line: str, width: int) -> list[str]:
    return [
        wrapped
        for part in line.splitlines()
        for wrapped in _wrapped(part.strip(), width, INDENT + INDENT, INDENT * 3) or [""]
    ]


def _wrapped(words: str, width: int, first: str, other: str) -> list[str]:
    """Without breaking a word: an address or a name that is cut cannot be copied."""
    return textwrap.wrap(
        words,
        width,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )
