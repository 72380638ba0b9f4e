"""What cleaning up has done so far, and the report of it in the end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KEY = "Progress"
"""Member that an invocation adds to the event for the next one; CloudFormation sends none of that name."""


@dataclass
class Progress:
    """When the first invocation began, and what was stopped and removed since, in words."""

    started_at: float
    stopped: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, event: Mapping[str, Any], now: float) -> "Progress":
        """What earlier invocations handed over with the event, or a beginning `now` (seconds since the epoch)."""
        handed_over = event.get(KEY)
        return cls(**handed_over) if handed_over else cls(now)

    def added_to(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {**event, KEY: {"started_at": self.started_at, "stopped": self.stopped, "removed": self.removed}}

    def note_stopped(self, what: Iterable[str]) -> None:
        self.stopped.extend(each for each in what if each not in self.stopped)

    def note_removed(self, what: str) -> None:
        if what not in self.removed:
            self.removed.append(what)

    def report(self, project: str, kept: Sequence[str], *, launch_failed: bool) -> tuple[str, str]:
        """Subject and text for the people of the project; no text when there is nothing to say."""
        if not (self.stopped or self.removed or kept):
            return "", ""
        happened = "could not be launched and was taken back" if launch_failed else "was deleted"
        parts = [f"The project {project} {happened}."]
        if self.removed:
            parts.append("Removed:\n" + _listed(self.removed))
        if self.stopped:
            parts.append("Stopped before that:\n" + _listed(self.stopped))
        if kept:
            parts.append(
                "Kept, because your work is in it. Nothing of it runs; storage is all it costs. Under each stands the "
                "command that deletes it for good:\n" + _listed(kept)
            )
        else:
            parts.append("Nothing was kept.")
        rest = "some things were kept" if kept else "nothing was kept"
        return f"Project {project} {'was taken back' if launch_failed else 'was deleted'}, {rest}", "\n\n".join(parts)


def _listed(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
