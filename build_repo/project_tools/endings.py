"""How something ended badly, before it is known why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from project_tools.findings import Trail


@dataclass(frozen=True)
class Ending:
    """A bad end. `explain` goes and finds out; it is called for the one ending that is shown."""

    title: str
    at: datetime
    current: bool
    """Whether nothing of the same kind succeeded since."""
    since: str
    """What came after it, in a sentence."""
    explain: Callable[[], Trail]
    begun: datetime | None = None
    execution: str = ""
    """The execution's id, to see that another ending's way led through it."""
