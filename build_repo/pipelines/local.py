"""Run the steps on this machine: `make local`.

Each step script runs in a process of its own on a folder laid out like /opt/ml of a SageMaker container, with the knobs
of knobs.py. No AWS, no Docker; what differs from SageMaker is the machine.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from pipelines import knobs, quality_gate
from pipelines.uploads import STEPS

WORK = Path("build/local")


class StepError(Exception):
    """A step script ended with an error, which it has printed itself."""


def run_step(script: str, base_dir: Path, arguments: list[str]) -> None:
    start = time.monotonic()
    print(f"── {script}", flush=True)
    command = [sys.executable, str(STEPS / script), "--base-dir", str(base_dir), *arguments]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise StepError(f"{script} ended with exit status {status}; its folder is {base_dir}")
    print(f"   {time.monotonic() - start:.1f} s", flush=True)


def preprocess(raw: Path | None) -> Path:
    base_dir = WORK / "preprocess"
    inputs = base_dir / "processing" / "input" / "raw"
    inputs.mkdir(parents=True)
    if raw is None:
        generate_claims(inputs / "claims.csv")
    else:
        shutil.copy(raw, inputs)
    run_step("preprocess.py", base_dir, knobs.split_arguments())
    return base_dir / "processing"


def generate_claims(path: Path) -> None:
    options = {"rows": knobs.SYNTHETIC_ROWS, "seed": knobs.SYNTHETIC_SEED, "drift": knobs.SYNTHETIC_DRIFT}
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    subprocess.run([sys.executable, str(STEPS / "generate_claims.py"), str(path), *given], check=True)


def train(preprocessed: Path) -> Path:
    base_dir = WORK / "train"
    for channel in ("train", "validation"):
        shutil.copytree(preprocessed / channel, base_dir / "input" / "data" / channel)
    config = base_dir / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(knobs.hyperparameters()))
    run_step("train.py", base_dir, [])
    archive = base_dir / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(base_dir / "model", ".")
    return archive


def evaluate(preprocessed: Path, archive: Path) -> Path:
    base_dir = WORK / "evaluate"
    shutil.copytree(preprocessed / "test", base_dir / "processing" / "test")
    (base_dir / "processing" / "model").mkdir()
    shutil.copy(archive, base_dir / "processing" / "model")
    run_step("evaluate.py", base_dir, [])
    return base_dir / "processing" / "evaluation"


def report(evaluation: Path) -> bool:
    """Print metrics, verdict and pictures; return whether the gate lets the model pass."""
    quality = json.loads((evaluation / "evaluation.json").read_text())
    metrics = quality["binary_classification_metrics"]
    required = {each.metric: each.minimum for each in knobs.GATE}
    print(f"\n{'metric':<18}{'value':>8}{'±':>9}{'at least':>11}")
    for name in quality_gate.SHOWN_METRICS:
        minimum = f"{required[name]:.3f}" if name in required else "-"
        print(f"{name:<18}{metrics[name]['value']:>8.3f}{metrics[name]['standard_deviation']:>9.3f}{minimum:>11}")

    missed = [each for each in quality_gate.judge(quality, knobs.GATE) if not each.passes]
    print("\nQuality gate: " + ("passed" if not missed else "NOT passed, the model would not be registered"))
    for measurement in missed:
        print(f"  {measurement}")
    print("\nPictures and reports:")
    for path in sorted(evaluation.iterdir()):
        print(f"  {path}")
    return not missed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make local", description="Run every step on this machine.")
    parser.add_argument("--data", type=Path, help="a CSV file of your own instead of synthetic claims")
    raw: Path | None = parser.parse_args(arguments).data
    if raw is not None and not raw.is_file():
        raise SystemExit(f"make local: {raw} is not a file")
    shutil.rmtree(WORK, ignore_errors=True)
    try:
        preprocessed = preprocess(raw)
        archive = train(preprocessed)
        evaluation = evaluate(preprocessed, archive)
    except StepError as error:
        raise SystemExit(f"make local: {error}") from None
    return 0 if report(evaluation) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
