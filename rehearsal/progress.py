"""What a person sees while a rehearsal runs: a line when something starts or ends, and what is going on right now.

On a terminal the last line is alive (what is happening, in which act); elsewhere there are only the plain lines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


@dataclass
class ActRecord:
    """What became of one act. `facts` is what a person would note down."""

    number: int
    name: str
    ok: bool = False
    seconds: float = 0.0
    ended: float = 0.0
    """Seconds since the start of the rehearsal."""
    facts: dict[str, object] = field(default_factory=dict)
    problem: str = ""


class Progress:
    """Prints the story as it is played. Acts may overlap, each on a thread of its own; every line names its act."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.acts: list[ActRecord] = []
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._doing: dict[int, str] = {}
        self._status: Status | None = None
        self._started = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """One line, with the seconds since the start and the act in front."""
        act = getattr(self._mine, "number", None)
        front = f"[dim]{self.seconds:6.1f} s[/dim]  [bold]{act or ' '}[/bold]"
        for line in text.splitlines() or [""]:
            self.console.print(f"{front}  {escape(line)}", style=style or None)

    def now(self, text: str) -> None:
        """What the act is doing at this moment; only a terminal shows it."""
        with self._lock:
            self._doing[getattr(self._mine, "number", 0)] = text
            self._show()

    @contextmanager
    def act(self, number: int, name: str) -> Iterator[ActRecord]:
        """One act: timed, recorded, and its failure kept with its reason."""
        record = ActRecord(number, name)
        self._mine.number = number
        with self._lock:
            self.acts.append(record)
            self.acts.sort(key=lambda each: each.number)  # overlapping acts may begin in any order
        self.say(f"Act {number}: {name}", style="bold cyan")
        self.now(name)
        started = time.monotonic()
        try:
            yield record
            record.ok = True
        except Exception as problem:
            record.problem = str(problem) or type(problem).__name__
            raise
        finally:
            record.seconds = round(time.monotonic() - started, 2)
            record.ended = round(self.seconds, 2)
            with self._lock:
                self._doing.pop(number, None)
                self._show()
            style = "green" if record.ok else "red"
            self.say(f"Act {number} {'done' if record.ok else 'FAILED'} in {record.seconds:.1f} s", style=style)
            self._mine.number = None

    def along(self, work: Callable[Given, Answer]) -> Callable[Given, Answer]:
        """`work` as a part of the present act that runs on another thread: its lines name the same act."""
        number = getattr(self._mine, "number", None)

        def as_part(*arguments: Given.args, **named: Given.kwargs) -> Answer:
            self._mine.number = number
            return work(*arguments, **named)

        return as_part

    def _show(self) -> None:
        """Draw, change or take away the living line of a terminal."""
        if not self.console.is_terminal:
            return
        text = "   ".join(f"[bold]{number}[/bold] {escape(doing)}" for number, doing in sorted(self._doing.items()))
        if not text and self._status is not None:
            self._status.stop()
            self._status = None
        elif text and self._status is None:
            self._status = self.console.status(text)
            self._status.start()
        elif text and self._status is not None:
            self._status.update(text)

    def summary(self) -> None:
        """The table at the end."""
        table = Table(title="The story", title_justify="left", show_edge=False, pad_edge=False)
        table.add_column("act", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("seconds", justify="right", no_wrap=True)
        table.add_column("what was seen", overflow="fold")
        for act in self.acts:
            seen = ", ".join(f"{key} {value}" for key, value in act.facts.items() if not isinstance(value, dict | list))
            verdict = "[green]ok[/green]" if act.ok else "[red]failed[/red]"
            table.add_row(f"{act.number} {act.name}", verdict, f"{act.seconds:.1f}", escape(act.problem or seen))
        self.console.print()
        self.console.print(table, soft_wrap=False)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started
