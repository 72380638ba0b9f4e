"""A model of one's own in the story: what `make new-model` made, published in the place of the seeds.

The template is published from a clone in which both repositories are replaced, as docs/new-model.md tells people to.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.person import REPOSITORY_ROOT

SEEDS = ("build_repo", "deploy_repo")
ANSWER, GOLDEN = Path("deploy_repo", "test", "answer.json"), Path("deploy_repo", "test", "golden_records.json")
NOT_NEEDED = ("docs/", "tests/", *(f"{seed}/" for seed in SEEDS))
"""What publishing reads nothing of, and what is replaced."""
LEFT_BEHIND = (".git", ".venv", "build", "__pycache__", ".*_cache")
PROJECT_NAME = re.compile(r"[a-z](-*[a-z0-9])*")
LONGEST_NAME = 32


class OwnModelError(Exception):
    """The folder does not hold what the story needs. The message says what is missing, and what makes it."""


@dataclass(frozen=True)
class Questions:
    """What production is asked, a record for each decision; and the member of an answer that holds the probability."""

    project: str
    asked: tuple[tuple[dict[str, Any], str], ...]
    probability: str


CLAIMS = Questions("claims-fraud", ((SUSPICIOUS, "investigate"), (HARMLESS, "pay")), "fraud_probability")
"""Of the example that the template comes with."""


@dataclass(frozen=True)
class OwnModel:
    """Both repositories in a folder, and what their model is asked."""

    folder: Path
    questions: Questions

    @classmethod
    def read(cls, folder: Path) -> OwnModel:
        """Raises OwnModelError for a folder that does not hold both repositories and their records."""
        found = folder.resolve()
        if not found.is_dir():
            raise OwnModelError(f"There is no folder {folder}. 'make new-model' makes one: docs/new-model.md.")
        if not PROJECT_NAME.fullmatch(found.name) or len(found.name) > LONGEST_NAME:
            raise OwnModelError(
                f"The project would be called like the folder, and {found.name} cannot be a project's name: 1 to "
                f"{LONGEST_NAME} characters, lower-case letters, digits and hyphens, starting with a letter and not "
                "ending with a hyphen."
            )
        words, records = (_json(found / each) for each in (ANSWER, GOLDEN))
        try:
            first = {each["decision"]: each["record"] for each in reversed(records)}
            asked = tuple((first[decision], decision) for decision in reversed(words["decisions"]))
            return cls(found, Questions(found.name, asked, words["probability"]))
        except (KeyError, TypeError) as wrong:
            raise OwnModelError(
                f"{found / GOLDEN} must hold a record for each decision that {ANSWER.name} beside it names; what is "
                f"missing is {wrong}."
            ) from wrong

    def template(self, into: Path) -> Path:
        """A clone of this template with the folder's repositories in the place of the seeds."""
        listed = _git(REPOSITORY_ROOT, "ls-files", "-z")
        for name in listed.split("\0"):
            if name and not name.startswith(NOT_NEEDED):
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY_ROOT / name, into / name)
        for seed in SEEDS:
            shutil.copytree(self.folder / seed, into / seed, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        _git(into, "init", "--quiet")
        _git(into, "add", "--all")
        return into


def _json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise OwnModelError(
            f"{path} is missing. The folder has to be one that 'make new-model' made: docs/new-model.md."
        ) from missing
    except ValueError as wrong:
        raise OwnModelError(f"{path} cannot be read as JSON: {wrong}.") from wrong


def _git(folder: Path, *arguments: str) -> str:
    git = ["git", "-C", str(folder), *arguments]
    return subprocess.run(git, check=True, capture_output=True, text=True).stdout
