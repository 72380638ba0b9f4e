"""What the changelog says about releases."""

import re
from collections.abc import Iterator
from pathlib import Path

from service_catalog.releases import Number, number_of

CHANGELOG = Path("CHANGELOG.md")
_HEADING = re.compile(r"^## (?P<number>\d+\.\d+\.\d+)\b.*\n", re.MULTILINE)


def news_between(root: Path, after: str, upto: str) -> str:
    """The entries of the releases after one (empty: after none that is known, so of the last alone) up to another."""
    path = root / CHANGELOG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    last = number_of(upto)

    def wanted(number: Number) -> bool:
        return number_of(after) < number <= last if after else number == last

    return "\n\n".join(entry for number, entry in _entries(text) if wanted(number))


def _entries(text: str) -> Iterator[tuple[Number, str]]:
    found = list(_HEADING.finditer(text))
    for here, following in zip(found, [*found[1:], None], strict=True):
        end = following.start() if following else len(text)
        yield number_of(here["number"]), text[here.start() : end].strip()
