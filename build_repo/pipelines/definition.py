"""Compile the pipeline: `make definition`.

Writes `build/pipeline-definition.json` and `build/uploads.json`, the list of files the definition refers to. Nothing is
sent to AWS; a call that tries is refused.
"""

import argparse
import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

from pipelines import knobs
from pipelines.settings import EXAMPLES, SYNTHETIC, Settings, SettingsError
from pipelines.uploads import STEPS, StepCode, Upload, content_hash, write_manifest

DEFINITION = Path("build/pipeline-definition.json")
MANIFEST = Path("build/uploads.json")
SYNTHETIC_CLAIMS = Path("build/synthetic-claims.csv")
SCRIPTS = ("preprocess.py", "train.py", "evaluate.py")


def compile_definition(settings: Settings, input_url: str) -> str:
    """Return the pipeline definition as JSON text: the same bytes for the same code and settings."""
    os.environ["AWS_DEFAULT_REGION"] = settings.region  # the SDK needs one to be imported
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # otherwise it asks IAM what the role may do
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    # The SDK takes seconds to import: not before the settings are known to be good.
    from pipelines.offline_session import OfflineSession, configuration_checked_once
    from pipelines.pipeline import build_pipeline

    with configuration_checked_once():
        session = OfflineSession(settings.region, settings.bucket)
        definition = build_pipeline(settings, session, input_url).definition()
    return json.dumps(json.loads(definition), indent=1) + "\n"


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


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make definition", description="Compile the pipeline definition.")
    parser.add_argument("--with-examples", action="store_true", help="stand in for variables that are not set")
    given = parser.parse_args(arguments)
    start = time.monotonic()
    examples = {name: value for name, value in EXAMPLES.items() if given.with_examples and not os.environ.get(name)}
    settings = Settings.read(os.environ | examples)
    if examples:
        print(f"Not set, so example values stand in: {', '.join(examples)}")

    DEFINITION.parent.mkdir(exist_ok=True)
    input_url, uploads = input_data(settings, SYNTHETIC_CLAIMS)
    DEFINITION.write_text(compile_definition(settings, input_url))
    for script in SCRIPTS:
        uploads += StepCode.of(script).uploads(settings.bucket, settings.pipeline_name)
    write_manifest(uploads, MANIFEST)
    print(f"{DEFINITION}: pipeline {settings.pipeline_name}, compiled in {time.monotonic() - start:.1f} s")
    print(f"{MANIFEST}: {len(uploads)} files to be in s3://{settings.bucket} before it runs")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SettingsError as error:
        sys.exit(f"make definition: {error}")
