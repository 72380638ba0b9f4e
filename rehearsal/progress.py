"""What a person sees while a rehearsal runs: a line when something starts or ends, and what is going on right now.

On a terminal the last line is alive (what is happening, for how long); elsewhere there are only the plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table


@dataclass
class ActRecord:
    """What became of one act. `facts` is what a person would note down."""

    name: str
    ok: bool = False
    seconds: float = 0.0
    facts: dict[str, object] = field(default_factory=dict)
    problem: str = ""


class Progress:
    """Prints the story as it is played."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.acts: list[ActRecord] = []
        self._status: Status | None = None
        self._started = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """One line, with the seconds since the start in front."""
        elapsed = f"{time.monotonic() - self._started:6.1f} s"
        self.console.print(f"[dim]{elapsed}[/dim]  {escape(text)}", style=style or None)

    def now(self, text: str) -> None:
        """What is happening at this moment; only a terminal shows it."""
        if self._status is not None:
            self._status.update(escape(text))

    @contextmanager
    def act(self, number: int, name: str) -> Iterator[ActRecord]:
        """One act: timed, recorded, and its failure kept with its reason."""
        record = ActRecord(name)
        self.acts.append(record)
        self.console.print()
        self.say(f"Act {number}: {name}", style="bold")
        started = time.monotonic()
        self._status = self.console.status(escape(name)) if self.console.is_terminal else None
        if self._status is not None:
            self._status.start()
        try:
            yield record
            record.ok = True
        except Exception as problem:
            record.problem = str(problem) or type(problem).__name__
            raise
        finally:
            record.seconds = round(time.monotonic() - started, 2)
            if self._status is not None:
                self._status.stop()
                self._status = None
            mark = "[green]done[/green]" if record.ok else "[red]FAILED[/red]"
            self.console.print(f"          {mark} in {record.seconds:.1f} s")

    def summary(self) -> None:
        """The table at the end."""
        table = Table(title="The story", title_justify="left", show_edge=False, pad_edge=False)
        table.add_column("act")
        table.add_column("", justify="center")
        table.add_column("seconds", justify="right")
        table.add_column("what was seen", overflow="fold")
        for number, act in enumerate(self.acts, start=1):
            seen = ", ".join(f"{key} {value}" for key, value in act.facts.items() if not isinstance(value, dict | list))
            verdict = "[green]ok[/green]" if act.ok else "[red]failed[/red]"
            table.add_row(f"{number} {act.name}", verdict, f"{act.seconds:.1f}", escape(act.problem or seen))
        self.console.print()
        self.console.print(table)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started
