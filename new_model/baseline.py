"""Trains once in the new repository, with its own code and in the image's environment, and sets the gate by it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from new_model import ModelError
from new_model.golden import Scored
from new_model.repositories import BUILD, TEMPLATES

MARGINS = {"accuracy": 0.02, "recall": 0.05, "top_decile_lift": 0.3}
"""How far below the first model the gate stands at least; twice the deviation between samples when that is more."""
NO_GATE = dict.fromkeys(MARGINS, 0.0)
SHOWN = ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift")
WEAK_AUC = 0.6


@dataclass(frozen=True)
class Baseline:
    """The first model: its metrics with their deviations, its threshold, and every example scored."""

    metrics: dict[str, tuple[float, float]]
    threshold: float
    scored: list[Scored]

    @property
    def gate(self) -> dict[str, float]:
        """The least each metric of the gate may be."""
        minimums = {}
        for metric, margin in MARGINS.items():
            value, deviation = self.metrics[metric]
            minimums[metric] = math.floor(max(value - max(margin, 2 * deviation), 0) * 100) / 100
        return minimums


def train(target: Path, runtime: Path, say: Callable[[str], None]) -> Baseline:
    """Run every step as `make local` does. Raises ModelError with the log's end when one fails."""
    folder = target / BUILD
    log = _run([str(runtime), "-m", "pipelines.local"], folder, say)
    found = folder / "build" / "local" / "evaluate" / "processing" / "evaluation" / "evaluation.json"
    if not found.is_file():
        raise ModelError("the first training failed:\n  " + "\n  ".join(log[-5:]))
    measured = json.loads(found.read_text())["binary_classification_metrics"]
    metrics = {name: (measured[name]["value"], measured[name]["standard_deviation"]) for name in SHOWN}
    command = [str(runtime), str(TEMPLATES / "score_examples.py")]
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ModelError(f"the first model cannot score its examples: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    shutil.rmtree(folder / "build")
    return Baseline(metrics, answer["threshold"], [Scored(**each) for each in answer["scored"]])


def _run(command: list[str], folder: Path, say: Callable[[str], None]) -> list[str]:
    """What a command printed, told line by line where it begins a step."""
    lines = []
    with subprocess.Popen(
        command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if line.startswith("── "):
                say(f"   {line[3:].strip()}")
    return lines


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
