"""What the tests share: a small trained model, and the compiled pipeline definition."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Of the steps nothing is imported here but where it is used: that takes a second or two, and the compiler starts first.
if TYPE_CHECKING:
    import inference
    import pandas as pd
    from flask import Response

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
    from generate_claims import generate

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
    import evaluate
    import preprocess
    import train

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
    import inference

    return inference.model_fn(str(run.train / "model"))


@pytest.fixture(scope="session")
def records(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Five claims as a caller of the endpoint sends them."""
    from claims_contract import LABEL

    unlabelled = claims.drop(columns=LABEL.name).head(5)
    parsed: list[dict[str, Any]] = json.loads(unlabelled.to_json(orient="records"))
    return parsed


def ask(model: inference.ClaimModel, body: object, content_type: str = JSON, accept: str = "") -> Response:
    import inference

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


# The SDK takes seconds to import, so it works in a process of its own: from before the libraries of the steps are
# imported here, and the tests that need its result come last. When nothing has changed since the last compilation that
# process has nothing to do.
COMPILER = pytest.StashKey["subprocess.Popen[str]"]()


def needs_the_definition(item: pytest.Item) -> bool:
    return "compiled" in getattr(item, "fixturenames", ())


def pytest_sessionstart(session: pytest.Session) -> None:
    command = [sys.executable, "-m", "pipelines.definition", "--with-examples"]
    session.stash[COMPILER] = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=needs_the_definition)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()  # what the libraries made when they were imported stays: no need to look through it for garbage
    if session.config.option.collectonly or not any(map(needs_the_definition, session.items)):
        stop(session.stash[COMPILER])


def pytest_sessionfinish(session: pytest.Session) -> None:
    stop(session.stash[COMPILER])  # whoever ended the tests early does not wait for it


def stop(compiler: subprocess.Popen[str]) -> None:
    compiler.terminate()  # does nothing to one that has ended; half a compilation is never taken for a whole one
    compiler.wait()


@pytest.fixture(scope="session")
def compiled(request: pytest.FixtureRequest) -> Compilation:
    compiler = request.session.stash[COMPILER]
    output, _ = compiler.communicate(timeout=120)
    assert compiler.returncode == 0, output
    definition = (ROOT / "build" / "pipeline-definition.json").read_bytes()
    return Compilation(definition, json.loads((ROOT / "build" / "uploads.json").read_text()))
