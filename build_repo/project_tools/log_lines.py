"""The one line of a log that matters, found by what it says and not by where it stands."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# https://docs.aws.amazon.com/codebuild/latest/userguide/getting-started-build-log-console.html
AGENT = re.compile(r"^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? ")
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
QUOTED = re.compile(r"^\s*\| ")  # `make pipeline` quotes a job's log like this
RUNNING = "Running command "
NOT_SUCCESSFUL = "Command did not exit successfully "
MOST_BELONGING = 6

REFUSED = re.compile(r"make [a-z-]+: (?!\*\*\*)\S")  # what the verbs of these repositories say; make itself: `make: `
CONTRACT = re.compile(r"\S+ breaks the data contract")
STEP = re.compile(r"Step \S+ failed: |Step \S+: the model was trained, but")
PYTEST = re.compile(r"(?:FAILED|ERROR) \S+\.py\S*")
PYTEST_REASON = re.compile(r"E {2,}\S")
EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Fault|Timeout)\b(?::|$)")
RULE = re.compile(r"(?:[A-Z]{1,4}\d{3,4}|invalid-syntax)(?: \[\*\])?:? \S")
RULE_IN_FILE = re.compile(r"\S+\.\w+:\d+:\d+: \w+\d* \S|Would reformat: ")
TOOL = re.compile(r"\s*(?:error|fatal|ERROR)(?:\[[\w-]+\])?: \S|\s*\u00d7 \S")
SHELL = re.compile(r"\S.*: (?:command not found|not found|No such file or directory|Permission denied)$")
MAKE_SAYS = re.compile(r"make(?:\[\d+\])?: \*\*\* (?!.*\] Error \d+$).+")
MAKE = re.compile(r"make(?:\[\d+\])?: \*\*\* ")
PHASE = re.compile(r"Phase context status code: \S+ Message: \S")
LOOSE = re.compile(r"\b(?:error|exception|fail(?:ed|ure)?|killed|denied|refused|fatal|cannot|unable)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """The line, what belongs to it, and whether it says the cause by itself (`strong`) or is a guess."""

    line: str
    more: tuple[str, ...] = ()
    strong: bool = True


def clean(line: str) -> str:
    """A line without colours, the agent's time stamp and the quotation mark of a quoted log."""
    return QUOTED.sub("", AGENT.sub("", COLOUR.sub("", line.rstrip())))


def significant(lines: Sequence[str]) -> Found | None:
    """The line that matters; None in a log that says nothing."""
    said = of_failed_command(lines)
    for look in LOOKS:
        found = look(said)
        if found is not None:
            return found
    last = next((line for line in reversed(said) if line.strip()), None)
    return Found(last.strip(), strong=False) if last else None


def failed_command(lines: Sequence[str]) -> str:
    """The command of a build that ended it; empty when the log does not say."""
    for line in map(clean, lines):
        if line.startswith(NOT_SUCCESSFUL):
            return line.removeprefix(NOT_SUCCESSFUL).partition(" exit status ")[0]
    return ""


def of_failed_command(log: Sequence[str]) -> list[str]:
    """What the first command that failed has printed, cleaned; everything when the log names none."""
    agents, lines = [bool(AGENT.match(line)) for line in log], [clean(line) for line in log]
    ends = [n for n, line in enumerate(lines) if agents[n] and line.startswith(NOT_SUCCESSFUL)]
    if not ends:
        return lines
    starts = [n for n in range(ends[0]) if agents[n] and lines[n].startswith(RUNNING)]
    said = lines[starts[-1] + 1 if starts else 0 : ends[0]]
    return said if any(line.strip() for line in said) else [lines[ends[0]]]


# ---- what to look for, the surest first


def _first(pattern: re.Pattern[str], *, strong: bool = True, belonging: bool = False) -> Callable[..., Found | None]:
    def look(lines: list[str]) -> Found | None:
        for number, line in enumerate(lines):
            if pattern.match(line):
                return Found(line.strip(), _belonging(lines[number + 1 :]) if belonging else (), strong)
        return None

    return look


def _last(pattern: re.Pattern[str], *, strong: bool) -> Callable[..., Found | None]:
    def look(lines: list[str]) -> Found | None:
        found = next((line for line in reversed(lines) if pattern.search(line)), None)
        return Found(found.strip(), (), strong) if found else None

    return look


def _belonging(lines: list[str]) -> tuple[str, ...]:
    """The lines after one that go with it: up to an empty line, the next exception, or make's own words."""
    belonging = []
    for line in lines[:MOST_BELONGING]:
        if not line.strip() or MAKE.match(line) or AGENT.match(line) or line.startswith(("Traceback", "Phase ")):
            break
        belonging.append(line.rstrip())
    return tuple(belonging)


def _pytest(lines: list[str]) -> Found | None:
    named = [line.strip() for line in lines if PYTEST.match(line)]
    reasons = [line.removeprefix("E").strip() for line in lines if PYTEST_REASON.match(line)]
    if not named:
        collecting = any(line.startswith("ImportError while loading conftest") for line in lines)
        return Found(reasons[-1]) if collecting and reasons else None
    if " - " in named[0]:
        return Found(named[0], tuple(named[1:MOST_BELONGING]))
    if named[0].startswith("ERROR") and reasons:
        return Found(next((each for each in reasons if EXCEPTION.match(each)), reasons[-1]), (named[0],))
    return Found(named[0], tuple(reasons[:1]))


def _own_last_words(lines: list[str]) -> Found | None:
    """`error: …` at the very end: what the steps of the model-build repository say, after any traceback."""
    last = next((line for line in reversed(lines) if line.strip() and not MAKE.match(line)), "")
    return Found(last.strip()) if last.startswith("error: ") else None


def _traceback(lines: list[str]) -> Found | None:
    """The exception that ended the last traceback; of chained ones that is the one nobody caught."""
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith("Traceback (most recent call")]
    for start in reversed(starts):
        depth = len(lines[start]) - len(lines[start].lstrip())
        for number in range(start + 1, len(lines)):
            line = lines[number]
            if line.strip() and len(line) - len(line.lstrip()) <= depth:
                return Found(line.strip(), _belonging(lines[number + 1 :]))
    return None


def _rule(lines: list[str]) -> Found | None:
    """A linter's finding: rule and sentence, then the place on the next line."""
    for number, line in enumerate(lines[:-1]):
        place = lines[number + 1].strip()
        if RULE.match(line) and re.match(r"(?:--> )?\S+:\d+:\d+", place):
            return Found(line.strip(), (place,))
    return None


LOOKS: tuple[Callable[[list[str]], Found | None], ...] = (
    _first(REFUSED, belonging=True),
    _first(STEP, belonging=True),
    _first(CONTRACT, belonging=True),
    _pytest,
    _own_last_words,
    _traceback,
    _rule,
    _first(RULE_IN_FILE),
    _first(TOOL, belonging=True),
    _first(MAKE_SAYS),
    _first(SHELL),
    _last(re.compile(rf"^(?:\[?\w*\]? ?)?{EXCEPTION.pattern}"), strong=True),
    _last(PHASE, strong=False),
    _first(MAKE, strong=False),
    _last(LOOSE, strong=False),
)
