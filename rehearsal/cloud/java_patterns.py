"""The patterns of AWS's service models, which are Java's, as Python reads them.

`\\w`, `\\d` and `\\s` mean ASCII in Java; `\\p{L}` and the like mean a general category of Unicode's.
https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html
"""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from functools import cache, lru_cache
from itertools import groupby

PROPERTY = re.compile(r"\\p\{(\w+)\}")
ASCII_CLASSES = {"Alnum": "0-9A-Za-z", "Alpha": "A-Za-z", "Digit": "0-9", "Print": " -~", "ASCII": "\\x00-\\x7f"}
BEYOND = (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff")
"""Everything beyond the basic plane, as Java writes it in surrogates and as Python writes it."""
END = (r"\z", r"\Z")
"""The very end of a value."""


@lru_cache(maxsize=4096)
def java_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern to match whole values with; None for one that Python cannot read, which is better left unchecked than
    misread."""
    try:
        translated = _translated(pattern.replace(*BEYOND).replace(*END))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # sets inside sets, which Java's patterns here do not mean
            return re.compile(translated, re.ASCII)
    except (re.error, KeyError):
        return None


def _translated(pattern: str) -> str:
    found, end = "", 0
    for place in PROPERTY.finditer(pattern):
        found += pattern[end : place.start()]
        before = re.sub(r"\\.", "", found)
        inside = before.rfind("[") > before.rfind("]")
        ranges = ASCII_CLASSES.get(place[1]) or _ranges(place[1])
        found += ranges if inside else f"[{ranges}]"
        end = place.end()
    return found + pattern[end:]


@cache
def _ranges(category: str) -> str:
    """The characters of a category (`L`, `Lu`) as the inside of a set. Raises KeyError when there are none."""
    runs = [run for kind, found in _runs().items() if kind.startswith(category) for run in found]
    if not runs:
        raise KeyError(category)
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)


@cache
def _runs() -> dict[str, list[tuple[int, int]]]:
    """First and last of every run of characters of one general category, by that category. Looks at a million."""
    runs: dict[str, list[tuple[int, int]]] = {}
    last = -1
    for category, points in groupby(range(sys.maxunicode + 1), lambda point: unicodedata.category(chr(point))):
        first, last = last + 1, last + sum(1 for _ in points)
        runs.setdefault(category, []).append((first, last))
    return runs
