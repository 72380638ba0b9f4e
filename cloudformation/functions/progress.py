"""What cleaning up has done so far, and the report of it in the end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from project_data import command_to_delete_log

KEY = "Progress"
"""Member that an invocation adds to the event for the next one; CloudFormation sends none of that name."""
LOG_RETENTION_DAYS = 365
"""Of the functions' log group, as the template declares it; a test reads both."""


@dataclass
class Progress:
    """When the first invocation began, and what was stopped and removed since, in words."""

    started_at: float
    stopped: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What could not be removed, costs nothing, and may be gone already."""

    @classmethod
    def of(cls, event: Mapping[str, Any], now: float) -> "Progress":
        """What earlier invocations handed over with the event, or a beginning `now` (seconds since the epoch)."""
        handed_over = event.get(KEY)
        return cls(**handed_over) if handed_over else cls(now)

    def added_to(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {**event, KEY: asdict(self)}

    def note_stopped(self, what: Iterable[str]) -> None:
        self.stopped.extend(each for each in what if each not in self.stopped)

    def note_removed(self, what: str) -> None:
        if what not in self.removed:
            self.removed.append(what)

    def note_left(self, what: str) -> None:
        if what not in self.left:
            self.left.append(what)

    def report(self, project: str, kept: Sequence[str], own_log: str, *, launch_failed: bool) -> tuple[str, str]:
        """Subject and text for the people of the project; no text when there is nothing to say.

        `own_log` is the log group that keeps this report, or empty when none will.
        """
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
        if self.left:
            parts.append(
                "Could not be removed, because it was deleted by hand before or has lost the project's tags. It costs "
                "nothing:\n" + _listed(self.left)
            )
        if own_log:
            parts.append(
                f"{'Also kept' if kept else 'Kept is only'} the log of the project's functions, {own_log}, with this "
                f"report in it. What is in it is deleted after {LOG_RETENTION_DAYS} days. To delete all of it now:\n"
                f"    {command_to_delete_log(own_log)}"
            )
        elif not kept:
            parts.append("Nothing was kept.")
        parts.append(
            "What its training and processing jobs wrote stays where those of all projects of the account lie: in the "
            "log groups /aws/sagemaker/TrainingJobs and /aws/sagemaker/ProcessingJobs."
        )
        only = "only a log was kept" if own_log else "nothing was kept"
        rest = "some things were kept" if kept else only
        return f"Project {project} {'was taken back' if launch_failed else 'was deleted'}, {rest}", "\n\n".join(parts)


def _listed(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
