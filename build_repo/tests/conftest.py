"""What the tests share: a small trained model, and the compiled pipeline definition."""

import gc
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evaluate
import inference
import pandas as pd
import preprocess
import pytest
import train
from claims_contract import LABEL
from flask import Response
from generate_claims import generate

ROOT = Path(__file__).resolve().parent.parent
JSON = "application/json"
HYPERPARAMETERS = {
    "max_depth": "3",
    "learning_rate": "0.3",
    "num_round": "20",
    "early_stopping_rounds": "5",
    "recall_weight": "1.5",
    "seed": "1",
}


@pytest.fixture(scope="session")
def claims() -> pd.DataFrame:
    """Labelled claims, few enough to be quick."""
    return generate(2000, seed=3)


@dataclass(frozen=True)
class Run:
    """The folders of the three steps after they ran."""

    preprocess: Path
    train: Path
    evaluate: Path


@pytest.fixture(scope="session")
def run(claims: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All steps, run one after the other on temporary folders."""
    done = Run(*(tmp_path_factory.mktemp(name) for name in ("preprocess", "train", "evaluate")))
    raw = done.preprocess / "processing" / "input" / "raw"
    raw.mkdir(parents=True)
    claims.to_csv(raw / "claims.csv", index=False)
    preprocess.main(done.preprocess)

    for channel in ("train", "validation"):
        shutil.copytree(done.preprocess / "processing" / channel, done.train / "input" / "data" / channel)
    config = done.train / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(HYPERPARAMETERS))
    train.main(done.train)

    shutil.copytree(done.preprocess / "processing" / "test", done.evaluate / "processing" / "test")
    (done.evaluate / "processing" / "model").mkdir()
    with tarfile.open(done.evaluate / "processing" / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(done.train / "model", ".")
    evaluate.main(done.evaluate)
    return done


@pytest.fixture(scope="session")
def model(run: Run) -> inference.ClaimModel:
    return inference.model_fn(str(run.train / "model"))


@pytest.fixture(scope="session")
def records(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Five claims as a caller of the endpoint sends them."""
    unlabelled = claims.drop(columns=LABEL.name).head(5)
    parsed: list[dict[str, Any]] = json.loads(unlabelled.to_json(orient="records"))
    return parsed


def ask(model: inference.ClaimModel, body: object, content_type: str = JSON, accept: str = "") -> Response:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return inference.transform_fn(model, data, content_type, accept)


def refusal(response: Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    body: dict[str, Any] = json.loads(response.get_data())
    return body


@dataclass(frozen=True)
class Compilation:
    """What `make definition` left in `build/`: the same files that `make pipeline` sends."""

    definition: bytes
    uploads: list[dict[str, str]]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.definition)
        return document

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """Every step by name, those behind the quality gate too."""
        found: dict[str, dict[str, Any]] = {}
        waiting = list(self.document["Steps"])
        while waiting:
            step = waiting.pop(0)
            found[step["Name"]] = step
            arguments = step.get("Arguments", {})
            waiting += arguments.get("IfSteps", []) + arguments.get("ElseSteps", [])
        return found


# The SDK takes seconds to import, so it works in a process of its own, from before the first test until its result is
# needed. When nothing has changed since the last compilation that process has nothing to do.
COMPILER = pytest.StashKey["subprocess.Popen[str]"]()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()  # what the libraries made when they were imported stays: no need to look through it for garbage
    if any("compiled" in getattr(item, "fixturenames", ()) for item in session.items):
        command = [sys.executable, "-m", "pipelines.definition", "--with-examples"]
        session.stash[COMPILER] = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


@pytest.fixture(scope="session")
def compiled(request: pytest.FixtureRequest) -> Compilation:
    compiler = request.session.stash[COMPILER]
    output, _ = compiler.communicate(timeout=120)
    assert compiler.returncode == 0, output
    definition = (ROOT / "build" / "pipeline-definition.json").read_bytes()
    return Compilation(definition, json.loads((ROOT / "build" / "uploads.json").read_text()))
