"""What holds for every test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHOLE = "tests/rehearsal/whole"
LONGEST = (
    f"{WHOLE}/test_story.py",
    f"{WHOLE}/test_concurrent_projects.py",
    f"{WHOLE}/test_own_model.py",
    f"{WHOLE}/test_rejection.py",
    f"{WHOLE}/test_deletion.py",
    f"{WHOLE}/test_updates.py",
    f"{WHOLE}/test_production.py",
    f"{WHOLE}/test_least_privilege.py",
    f"{WHOLE}/test_roles_made_ahead.py",
    f"{WHOLE}/test_options.py",
    f"{WHOLE}/test_s3_launch.py",
    WHOLE,
    "tests/rehearsal/foreign_templates",
    "tests/bad_input",
    "tests/rehearsal",
    "tests/smoke_aws",
)
"""Files and folders of files, what takes longest first. Two files are played at a time: one that takes minutes, begun
last, would be played alone."""


def pytest_configure(config: pytest.Config) -> None:
    """Hear Ctrl-C however the suite was started: a script's background jobs begin with SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gone = [path for path in LONGEST if not (ROOT / path).exists()]
    if gone:
        raise pytest.UsageError(f"tests/conftest.py begins with {', '.join(gone)}, which is not there any more")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the tests of a file stay together and in order."""
    items.sort(key=lambda item: _place(item.path.relative_to(ROOT).as_posix()))


def _place(path: str) -> int:
    beginnings = (place for place, begun in enumerate(LONGEST) if path == begun or path.startswith(f"{begun}/"))
    return next(beginnings, len(LONGEST))
