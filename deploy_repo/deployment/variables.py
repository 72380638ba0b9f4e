"""Variables for the shell of a build: a buildspec sources the file, CodeBuild exports them to the pipeline."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Write `export NAME='value'` lines that mean the same in every POSIX shell, whatever the values hold.

    Raises ValueError for a name that is none, and for an empty value or one of several lines, which CodePipeline's
    variables cannot carry.
    """
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            raise ValueError(f"not a variable name: {name!r}")
        if not value or not value.isprintable():
            raise ValueError(f"{name} must be one line of text that is not empty: {value!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    path.write_text("".join(lines), encoding="utf-8")
