"""Preflight: what usually keeps a launch from working, each with its fix: ``python -m service_catalog preflight``.

``asking`` puts the questions to AWS, ``before`` holds the checks that publishing needs, ``studio`` those of who
launches and with what machines, ``published`` and ``in_s3`` those of what was published. A check is a function that
yields what it found; what it may not ask is told as not checked, and never passed silently.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from service_catalog.preflight.asking import Account, NotChecked, WaitsForAnother


@dataclass(frozen=True)
class Finding:
    """Something that keeps a launch from working, and what to do about it."""

    what: str
    fix: str


@dataclass(frozen=True)
class Check:
    """One question about an account. ``before_publishing`` when publishing has to be stopped by what it finds."""

    name: str
    findings: Callable[[Account], Iterable[Finding]]
    before_publishing: bool = False


class State(Enum):
    """How a check ended; the value is what people read."""

    HOLDS = "ok"
    FOUND = "FIX"
    NOT_CHECKED = "not checked"
    WAITS = "waits"


@dataclass(frozen=True)
class Result:
    """A check and how it ended. ``reason`` says why it was not made."""

    name: str
    state: State
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    def lines(self) -> Iterator[str]:
        """The result, as people read it."""
        told = f": {self.reason}" if self.reason else ""
        yield f"{self.state.value:<12} {self.name}{told}"
        for finding in self.findings:
            yield f"             {finding.what}"
            yield f"             Fix: {finding.fix}"


@dataclass(frozen=True)
class Report:
    """What all checks found."""

    results: tuple[Result, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def not_checked(self) -> tuple[Result, ...]:
        """What was not checked."""
        return tuple(result for result in self.results if result.state is State.NOT_CHECKED)

    @property
    def status(self) -> int:
        """The exit status: 0 a launch would work, 1 it would not, 2 nobody can tell."""
        return 1 if self.findings else 2 if self.not_checked else 0

    def lines(self) -> Iterator[str]:
        """The report, as people read it."""
        for result in self.results:
            yield from result.lines()
        if self.findings:
            yield f"A launch would not work: {len(self.findings)} to fix."
        elif self.not_checked:
            yield f"Nothing was found, but {len(self.not_checked)} could not be checked: nobody can tell."
        else:
            yield "A launch would work."


def run(account: Account, checks: Iterable[Check]) -> Report:
    """Make the checks, one after the other; each is made whatever the others found."""
    return Report(tuple(_result(account, check) for check in checks))


def checks(service_catalog: bool = True, s3: bool = False) -> tuple[Check, ...]:
    """Those for the publishers in use, in the order in which a person mends what they find."""
    from service_catalog.preflight import before, in_s3, published, studio  # they are made of what stands above

    return (
        *before.CHECKS,
        *studio.CHECKS,
        *published.SET_UP_CHECKS,
        *(published.CHECKS if service_catalog else ()),
        *(in_s3.CHECKS if s3 else ()),
    )


def _result(account: Account, check: Check) -> Result:
    try:
        found = tuple(check.findings(account))
    except NotChecked as why:
        return Result(check.name, State.NOT_CHECKED, reason=str(why))
    except WaitsForAnother as why:
        return Result(check.name, State.WAITS, reason=str(why))
    return Result(check.name, State.FOUND if found else State.HOLDS, found)
