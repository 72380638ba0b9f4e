"""Measures what a rehearsal costs and writes it down: `make bench`. Ends with 1 when a target was missed.

Speed is measured here and nowhere else; no test depends on it. Every figure stands beside its target, and the day and
the machine of its measurement above its section. Where two figures are compared, each is the fastest of its runs: on a
shared machine the slow ones measure the neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.bench_cloud import cloud_rows
from rehearsal.bench_deployments import deployment_rows
from rehearsal.bench_deployments import words as deployment_words
from rehearsal.bench_page import MIB, Figure, Section, machine, missed, page, written
from rehearsal.bench_pipeline import EXECUTIONS, execution_seconds
from rehearsal.budget import ACTS_TO_PRODUCTION, ALL_ACTS, TO_PRODUCTION
from rehearsal.cloud.settings import CloudSettings
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.watch import StoryError

PAGE = REPOSITORY_ROOT / "docs" / "benchmarks.md"
SCRATCH = REPOSITORY_ROOT / ".rehearsal"
OF_MAKE = frozenset({"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"})
CI_MINUTES = 20


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Wall seconds and output of a command. Raises SystemExit with its output when it fails.

    A `make` that it runs is not told what the one was told that runs this, `ARGS` for one.
    """
    own = {name: value for name, value in (environment or os.environ).items() if name not in OF_MAKE}
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
    return time.monotonic() - started, done.stdout


def rehearse(runs: int) -> list[dict[str, Any]]:
    """The reports of some rehearsals, one after the other."""
    reports = []
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            print(f"rehearsal {number} of {runs} ...", flush=True)
            timed([sys.executable, "-m", "rehearsal", "--folder", folder], REPOSITORY_ROOT)
            reports.append(json.loads((Path(folder) / "report.json").read_text()))
            print(f"  {reports[-1]['seconds']} s", flush=True)
    return reports


def middle(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def story_figures(reports: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """What rehearsals took."""
    memory = [each["resources"]["cloud_memory"] + each["resources"].get("base_memory", 0.0) for each in reports]
    whole = [each["seconds"] for each in reports]
    live = [each["acts"][ACTS_TO_PRODUCTION - 1]["ended"] for each in reports]
    figures = [
        Figure(
            "warm `make rehearse` until version 2 is in production (acts 1 to 6), fastest",
            min(live),
            "s",
            TO_PRODUCTION,
        ),
        Figure("warm `make rehearse`, all acts, fastest", min(whole), "s", ALL_ACTS),
        Figure(f"warm `make rehearse`, all acts, median of {len(reports)}", middle(whole), "s", ALL_ACTS),
        Figure("the cloud's memory at its highest (cloud and base)", max(memory), "MiB", 400),
    ]
    installs = [
        act["facts"]["install seconds"] for each in reports for act in each["acts"] if "install seconds" in act["facts"]
    ]
    figures.append(Figure(f"the install phase of a build, warm, median of {len(installs)}", middle(installs), "s", 6))
    for position, act in enumerate(reports[0]["acts"]):
        seconds = middle([each["acts"][position]["seconds"] for each in reports])
        figures.append(Figure(f"act {position + 1}: {act['name']}", seconds, "s"))
    return figures


def seed_figures() -> list[Figure]:
    """Compiling the pipeline, and its execution against the same scripts run bare (`make local`)."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        folder = Path(scratch) / "build_repo"
        ignored = shutil.ignore_patterns("build", ".venv", ".tools", "__pycache__")
        shutil.copytree(REPOSITORY_ROOT / "build_repo", folder, ignore=ignored)
        print("make install, definition, local in build_repo ...", flush=True)
        timed(["make", "install"], folder)
        timed(["make", "definition"], folder)
        (folder / "build" / "pipeline-definition.json").unlink()
        compiled, _ = timed(["make", "definition"], folder)
        timed(["make", "local"], folder)
        bare = min(timed(["make", "local"], folder)[0] for _ in range(3))
    print("executions of the pipeline, alone on the machine ...", flush=True)
    execution = execution_seconds(SCRATCH)
    return [
        Figure("compiling the pipeline definition, imports included", compiled, "s", 9),
        Figure("the same step scripts run bare (`make local`), fastest of 3", bare, "s"),
        Figure(f"a pipeline execution, fastest of {EXECUTIONS}", execution, "s"),
        Figure("a pipeline execution over the bare scripts", execution / bare, "times", 1.2),
    ]


def cold_figures() -> list[Figure]:
    """A fresh clone with empty caches: the first `make rehearse` a person ever types, and the disk it leaves used."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "project"
        home = Path(scratch) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY_ROOT), str(clone)], check=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        kept |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        kept.pop("PIP_CACHE_DIR", None)
        print("cold: make rehearse in a fresh clone with empty caches ...", flush=True)
        seconds, _ = timed(["make", "rehearse"], clone, {**kept, "HOME": str(home)})
        used = sum(file.stat().st_blocks * 512 for file in unlinked_files(Path(scratch)))
    return [
        Figure("cold `make rehearse` (fresh clone, empty caches)", seconds, "s", 300),
        Figure("disk used afterwards, package caches included", used / 1024 / MIB, "GiB", 3),
    ]


def unlinked_files(folder: Path) -> list[Path]:
    """The files below a folder, each hard-linked one once."""
    seen: dict[tuple[int, int], Path] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            if not path.is_symlink():
                status = path.stat()
                seen.setdefault((status.st_dev, status.st_ino), path)
    return list(seen.values())


def ci_figures() -> list[Figure]:
    """What continuous integration takes when everything is set up."""
    print("make test ...", flush=True)
    seconds, _ = timed(["make", "test"], REPOSITORY_ROOT)
    return [Figure("warm `.ci/run`", seconds / 60, "min", CI_MINUTES)]


# ---- what can be chosen


def measure_story(runs: int) -> Iterator[Section]:
    """Warm rehearsals."""
    rehearse(1)  # warms the caches
    reports = rehearse(runs)
    yield Section("The story", story_figures(reports))


def measure_seeds(_runs: int) -> Iterator[Section]:
    """The programs that a project begins with."""
    yield Section("The seeds", seed_figures())


def measure_cloud(_runs: int) -> Iterator[Section]:
    """Launches and calls."""
    yield Section("The cloud", [Figure(*row) for row in cloud_rows(SCRATCH)])


def measure_deployments(_runs: int) -> Iterator[Section]:
    """Every way into production, and what a request takes there."""
    figures = [Figure(*row) for row in deployment_rows(SCRATCH)]
    yield Section("Deployments", figures, deployment_words(CloudSettings.speed))


def measure_cold(_runs: int) -> Iterator[Section]:
    """The first rehearsal of somebody who has just cloned."""
    yield Section("A fresh clone", cold_figures())


def measure_ci(_runs: int) -> Iterator[Section]:
    """The whole suite."""
    yield Section("Continuous integration", ci_figures())


PARTS: dict[str, Callable[[int], Iterator[Section]]] = {
    "story": measure_story,
    "seeds": measure_seeds,
    "cloud": measure_cloud,
    "deployments": measure_deployments,
    "cold": measure_cold,
    "ci": measure_ci,
}
ALWAYS = ("story", "seeds", "cloud", "deployments")
"""What is measured when nothing is chosen; the others take long, or download everything."""
ORDER = ("The story", "The seeds", "The cloud", "Deployments", "A fresh clone", "Continuous integration")
"""Of the sections on the page."""


def arguments(given: Sequence[str] | None) -> tuple[list[str], int]:
    """The parts to measure, in their order, and how many rehearsals to take the median of."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="warm rehearsals to take the median of (3)")
    parser.add_argument(
        "--only",
        action="append",
        choices=tuple(PARTS),
        help="measure this part alone, and leave the page's other sections as they are; may be given again",
    )
    parser.add_argument(
        "--cold", action="store_true", help="also a fresh clone with empty caches (downloads everything)"
    )
    parser.add_argument("--ci", action="store_true", help="also the whole of `make test`")
    chosen = parser.parse_args(given)
    wanted = {*(chosen.only or ALWAYS), *(["cold"] if chosen.cold else []), *(["ci"] if chosen.ci else [])}
    return [part for part in PARTS if part in wanted], chosen.runs


def main(given: Sequence[str] | None = None) -> int:
    """Measure and write the page, section by section: what was measured stays when a later one fails."""
    parts, runs = arguments(given)
    SCRATCH.mkdir(exist_ok=True)
    PAGE.parent.mkdir(exist_ok=True)
    measured: list[Figure] = []
    try:
        for part in parts:
            for section in PARTS[part](runs):
                measured += section.figures
                sections = written(PAGE.read_text()) if PAGE.exists() else {}
                sections[section.title] = section.markdown(time.strftime("%Y-%m-%d"), machine(), commands(part))
                PAGE.write_text(page(sections, ORDER))
                print(f"\n## {section.title}\n\n{sections[section.title]}\n", flush=True)
    except StoryError as problem:
        print(problem, file=sys.stderr)
        return 1
    told = missed(measured)
    if told:
        print(told, file=sys.stderr)
    return 1 if told else 0


def commands(part: str) -> str:
    """What measures a part again."""
    return f"make bench ARGS='--only {part}'"


if __name__ == "__main__":
    sys.exit(main())
