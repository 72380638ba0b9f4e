"""What is found out about a failure on the way from the pipeline down to its cause."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from project_tools.project import Project


@dataclass(frozen=True)
class Place:
    """One station of the way: `what` is pipeline, action, build, step, job, stack, resource, endpoint or log."""

    what: str
    name: str
    link: str = ""


@dataclass
class Trail:
    """The way so far. Each station says what it knows; what is said last is nearest to the cause."""

    places: list[Place] = field(default_factory=list)
    line: str = ""
    more: tuple[str, ...] = ()
    texts: list[str] = field(default_factory=list)
    """Everything that was said, to recognise the cause by; the nearest last."""
    tail: list[str] = field(default_factory=list)
    """The last lines of the nearest log."""
    pipeline: str = ""
    """Of which SageMaker pipeline an execution was followed, as the ARN writes it: in lower case."""
    succeeded: bool = False
    """Nothing failed: what was asked for ended well."""

    def at(self, what: str, name: str, link: str = "") -> None:
        self.places.append(Place(what, name, link))

    def says(self, line: str, more: Sequence[str] = ()) -> None:
        """The line that matters, as far as is known now."""
        if line.strip():
            self.line, self.more = line.strip(), tuple(more)
            self.texts.append("\n".join([self.line, *self.more]))

    def hints(self, text: str) -> None:
        """Something that helps to recognise the cause, but is not the line to show."""
        if text.strip():
            self.texts.insert(max(len(self.texts) - 1, 0), text)

    @property
    def kind(self) -> str:
        """Where the cause lies: the last station that is not a log."""
        return next((place.what for place in reversed(self.places) if place.what != "log"), "")

    @property
    def link(self) -> str:
        """The console's page nearest to the cause."""
        return next((place.link for place in reversed(self.places) if place.link), "")


@dataclass(frozen=True)
class Explained:
    """An ending, explained: what was said of it, where and when."""

    title: str
    line: str
    more: tuple[str, ...]
    where: tuple[Place, ...]
    link: str
    when: datetime


@dataclass(frozen=True)
class Success(Explained):
    """An execution that was asked for, and succeeded."""


@dataclass(frozen=True)
class Failure(Explained):
    """A failure, explained."""

    current: bool
    """Whether nothing of the same kind succeeded since."""
    since: str
    """What came after it, in a sentence."""
    cause: str
    """The name of the known cause; empty when none was recognised."""
    to_try: tuple[str, ...]
    last_lines: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What looking at a project found: its newest failure or none, and what could not be read on the way.

    There is no failure either where the execution that was asked for succeeded.
    """

    project: Project
    failure: Failure | None
    notes: tuple[str, ...] = ()
    not_read: tuple[str, ...] = ()
    success: Success | None = None

    def document(self) -> dict[str, Any]:
        """For tools: the members of this class, times as ISO 8601."""
        document = asdict(self)
        if self.failure is not None:
            document["failure"]["when"] = self.failure.when.isoformat()
        if self.success is not None:
            document["success"]["when"] = self.success.when.isoformat()
        return document
