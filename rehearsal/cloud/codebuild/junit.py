"""JUnit XML, as test runners write it.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-reporting.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

STATUSES = ("SUCCEEDED", "FAILED", "ERROR", "SKIPPED", "UNKNOWN")
"""The statuses of a test case: https://docs.aws.amazon.com/codebuild/latest/APIReference/API_TestCase.html"""
OUTCOMES = {"failure": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}


class NotJUnitError(Exception):
    """The file is no JUnit XML; says why."""


@dataclass(frozen=True)
class TestCase:
    """One test of a report; `nanoseconds` is how long it took."""

    __test__ = False  # no test of pytest's

    name: str
    suite: str
    prefix: str
    status: str
    nanoseconds: int
    message: str


def _root(content: bytes) -> Element:
    """Parse XML that somebody else wrote. A document type is refused: it is what XML bombs are made of."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise NotJUnitError("it declares a document type, which no test report needs")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except expat.ExpatError as problem:
        raise NotJUnitError(f"it is not XML: {problem}") from problem
    return builder.close()


def read(path: Path) -> list[TestCase]:
    """Every test case of a file. Raises NotJUnitError."""
    root = _root(path.read_bytes())
    if root.tag not in ("testsuites", "testsuite"):
        raise NotJUnitError(f"it starts with <{root.tag}>, not with <testsuites> or <testsuite>")
    return [
        _case(case, suite.get("name", "")) for suite in root.iter("testsuite") for case in suite.findall("testcase")
    ]


def _case(case: Element, suite: str) -> TestCase:
    status, message = "SUCCEEDED", ""
    for child in case:
        if child.tag in OUTCOMES:
            status = OUTCOMES[child.tag]
            message = "\n".join(filter(None, (child.get("message", ""), (child.text or "").strip())))
            break
    try:
        nanoseconds = int(float(case.get("time", "0").replace(",", "")) * 1_000_000_000)
    except ValueError:
        nanoseconds = 0
    return TestCase(case.get("name", ""), suite, case.get("classname", ""), status, nanoseconds, message)
