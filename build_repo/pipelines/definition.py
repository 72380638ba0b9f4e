"""Compile the pipeline: `make definition`.

Writes `build/pipeline-definition.json` and `build/uploads.json`, the list of files the definition refers to. Nothing is
sent to AWS; a call that tries is refused. While nothing has changed that they depend on, they are left as they are: the
tests look at the very files that `make pipeline` then sends, and the SDK, which takes seconds, starts once per change.
"""

import argparse
import gc
import json
import logging
import os
import sys
import time
import traceback
import warnings
from dataclasses import asdict
from pathlib import Path

from pipelines import checks, knobs
from pipelines.settings import EXAMPLES, SYNTHETIC, Settings, SettingsError
from pipelines.uploads import STEPS, StepCode, Upload, content_hash, read_manifest, write_manifest

DEFINITION = Path("build/pipeline-definition.json")
MANIFEST = Path("build/uploads.json")
SYNTHETIC_CLAIMS = Path("build/synthetic-claims.csv")
COMPILED_FROM = Path("build/compiled-from")  # the hash of what the files above were made from
SCRIPTS = ("preprocess.py", "train.py", "evaluate.py")


class DefinitionError(Exception):
    """The pipeline cannot be compiled, or SageMaker would refuse it. The message says where and why."""


def compile_definition(settings: Settings, input_url: str) -> str:
    """Return the pipeline definition as JSON text: the same bytes for the same code and settings.

    Raises DefinitionError for what SageMaker would refuse, and whatever the code of the pipeline raises.
    """
    os.environ["AWS_DEFAULT_REGION"] = settings.region  # the SDK needs one to be imported
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # otherwise it asks IAM what the role may do
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    # The SDK takes seconds to import: not before the settings are known to be good.
    from pipelines.offline_session import OfflineSession, configuration_checked_once
    from pipelines.pipeline import build_pipeline

    with configuration_checked_once():
        session = OfflineSession(settings.region, settings.bucket)
        definition = json.loads(build_pipeline(settings, session, input_url).definition())
    found = list(checks.problems(definition))
    if found:
        raise DefinitionError(f"SageMaker would refuse this pipeline: {'; '.join(found)}. See pipelines/pipeline.py")
    return json.dumps(definition, indent=1) + "\n"


def input_data(settings: Settings, path: Path) -> tuple[str, list[Upload]]:
    """Return the URL of the raw claims, and the upload it takes when they are synthetic."""
    if settings.input_data_url != SYNTHETIC:
        return settings.input_data_url, []
    sys.path.insert(0, str(STEPS))
    from generate_claims import generate

    claims = generate(knobs.SYNTHETIC_ROWS, knobs.SYNTHETIC_SEED, knobs.SYNTHETIC_DRIFT)
    claims.to_csv(path, index=False)
    digest = content_hash([(path.name, path.read_bytes())])
    upload = Upload(str(path), settings.bucket, f"{settings.pipeline_name}/data/{digest}/claims.csv")
    return upload.url, [upload]


def hash_of_inputs(settings: Settings, root: Path = STEPS.parent) -> str:
    """Hash everything that decides what is compiled: the settings, the code, the versions of the libraries."""
    code = [file for folder in ("pipelines", "steps") for file in (root / folder).rglob("*") if file.is_file()]
    files = [*sorted(file for file in code if "__pycache__" not in file.parts), root / "requirements" / "build.lock"]
    told = json.dumps({"root": str(root), **asdict(settings)})  # the manifest's paths are absolute, hence the root
    return content_hash([("settings", told.encode()), *((str(file), file.read_bytes()) for file in files)])


def is_compiled_from(inputs: str) -> bool:
    if not all(path.is_file() for path in (COMPILED_FROM, DEFINITION, MANIFEST)):
        return False
    return COMPILED_FROM.read_text() == inputs and all(Path(each.path).is_file() for each in read_manifest(MANIFEST))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make definition", description="Compile the pipeline definition.")
    parser.add_argument("--with-examples", action="store_true", help="stand in for variables that are not set")
    parser.add_argument("--traceback", action="store_true", help="show where in the libraries an error comes from")
    given = parser.parse_args(arguments)
    start = time.monotonic()
    examples = {name: value for name, value in EXAMPLES.items() if given.with_examples and not os.environ.get(name)}
    settings = Settings.read(os.environ | examples)
    if examples:
        print(f"Not set, so example values stand in: {', '.join(examples)}")

    inputs = hash_of_inputs(settings)
    if is_compiled_from(inputs):
        print(f"{DEFINITION}: pipeline {settings.pipeline_name}, up to date")
        return
    COMPILED_FROM.unlink(missing_ok=True)  # an interrupted compilation must not pass for a finished one
    DEFINITION.parent.mkdir(exist_ok=True)
    gc.disable()  # the SDK makes millions of objects that all stay: looking for garbage takes a quarter of the time
    input_url, uploads = input_data(settings, SYNTHETIC_CLAIMS)
    DEFINITION.write_text(compiled(settings, input_url, traceback_wanted=given.traceback))
    for script in SCRIPTS:
        uploads += StepCode.of(script).uploads(settings.bucket, settings.pipeline_name)
    write_manifest(uploads, MANIFEST)
    COMPILED_FROM.write_text(inputs)
    print(f"{DEFINITION}: pipeline {settings.pipeline_name}, compiled in {time.monotonic() - start:.1f} s")
    print(f"{MANIFEST}: {len(uploads)} files to be in s3://{settings.bucket} before it runs")


def compiled(settings: Settings, input_url: str, *, traceback_wanted: bool) -> str:
    """`compile_definition`, with a mistake in the code told by its place in this repository. Raises DefinitionError."""
    try:
        return compile_definition(settings, input_url)
    except DefinitionError:
        raise
    except Exception as error:
        if traceback_wanted:
            raise
        here = Path(__file__).parent
        frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).parent == here]
        place = f"pipelines/{Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name}"
        raise DefinitionError(
            f"the pipeline does not compile: {place}: {type(error).__name__}: {error}\n"
            "For the whole traceback: .venv/bin/python -m pipelines.definition --with-examples --traceback"
        ) from None


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (SettingsError, DefinitionError) as error:
        sys.exit(f"make definition: {error}")
