"""Train on SageMaker: `make pipeline`.

Uploads what the compiled definition refers to, creates or updates the SageMaker pipeline, starts an execution and
follows it to its end. The exit status is 0 only when the execution succeeded. Uses boto3 alone: the SDK takes seconds
to import.
"""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines import quality_gate
from pipelines.definition import DEFINITION, MANIFEST
from pipelines.execution import Outcome, explain, follow
from pipelines.settings import Settings, SettingsError
from pipelines.uploads import Upload, content_hash, read_manifest

EXPORTS = Path("build/exports.env")
# The API takes 1 MiB inline; like the SDK, send anything sizeable through S3.
INLINE_DEFINITION_BYTES = 100 * 1024
CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


TYPES = {"Integer": (int, "a whole number"), "Float": (float, "a number")}  # of parameters; others take any text


class ParameterError(Exception):
    """A NAME=VALUE argument is not a parameter of the pipeline, or its value is none that the parameter takes."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make pipeline", description="Run the pipeline on SageMaker.")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="a pipeline parameter for this execution")
    parser.add_argument("--longest-wait", type=float, default=5, metavar="SECONDS", help="between two looks")
    given = parser.parse_args(arguments)
    EXPORTS.unlink(missing_ok=True)
    settings = Settings.read(os.environ)
    definition = DEFINITION.read_text()
    parameters = execution_parameters(definition, {"SourceCommit": settings.commit}, given.parameters)

    session = boto3.Session(region_name=settings.region)
    config = Config(retries={"mode": "standard", "max_attempts": 8})
    sagemaker, s3, logs = (session.client(name, config=config) for name in ("sagemaker", "s3", "logs"))

    upload_missing(s3, read_manifest(MANIFEST))
    put_pipeline(sagemaker, s3, settings, definition)
    execution_arn = start(sagemaker, settings, parameters)
    export(PIPELINE_EXECUTION_ARN=execution_arn)
    try:
        outcome = follow(sagemaker, execution_arn, longest_wait=given.longest_wait)
    except KeyboardInterrupt:
        print(f"\nNo longer watching. The execution goes on; to end it:\n{stop_command(execution_arn)}")
        return 130
    if not outcome.succeeded:
        print("\nThe pipeline did not succeed.", *explain(outcome, logs), sep="\n")
        return 1
    if outcome.model_package_arn:
        export(PIPELINE_EXECUTION_ARN=execution_arn, MODEL_PACKAGE_ARN=outcome.model_package_arn)
    print("\n".join(success(outcome, sagemaker, s3, settings)))
    return 0


def execution_parameters(definition: str, known: dict[str, str], given: list[str]) -> list[dict[str, str]]:
    """Check `NAME=VALUE` arguments against the definition and add what is known. The last value of a name counts."""
    parameters = {parameter["Name"]: parameter for parameter in json.loads(definition)["Parameters"]}
    values = dict(known)
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals or not value:
            raise ParameterError(f"{argument!r}: expected NAME=VALUE")
        values[name] = value
    unknown = [name for name in values if name not in parameters]
    if unknown:
        raise ParameterError(f"the pipeline has no parameter {', '.join(unknown)}; it has {', '.join(parameters)}")
    for name, value in values.items():
        check_value(parameters[name], value)
    return [{"Name": name, "Value": value} for name, value in values.items()]


def check_value(parameter: dict[str, Any], value: str) -> None:
    """Raises ParameterError for what SageMaker would refuse only after everything else has been sent."""
    read, expected = TYPES.get(parameter["Type"], (str, "text"))
    try:
        read(value)
    except ValueError:
        raise ParameterError(f"{parameter['Name']}={value}: expected {expected}") from None
    allowed = parameter.get("EnumValues")
    if allowed and value not in map(str, allowed):
        raise ParameterError(f"{parameter['Name']}={value}: expected one of {', '.join(map(str, allowed))}")


def upload_missing(s3: Any, uploads: list[Upload]) -> None:
    """Upload what S3 does not have. Keys contain a hash of the content, so a key that exists holds the right bytes."""
    present: set[tuple[str, str]] = set()
    for bucket, prefix in sorted({(upload.bucket, upload.key.rsplit("/", 1)[0] + "/") for upload in uploads}):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        present |= {(bucket, entry["Key"]) for page in pages for entry in page.get("Contents", [])}
    missing = [upload for upload in uploads if (upload.bucket, upload.key) not in present]
    for upload in missing:
        s3.put_object(Bucket=upload.bucket, Key=upload.key, Body=Path(upload.path).read_bytes())
    print(f"Uploaded {len(missing)} of {len(uploads)} files; the others are there already.")


def put_pipeline(sagemaker: Any, s3: Any, settings: Settings, definition: str) -> None:
    """Create or update the pipeline and tag it as part of the project."""
    tags = project_tags(sagemaker, settings)
    request: dict[str, Any] = {"PipelineName": settings.pipeline_name, "RoleArn": settings.role_arn}
    if len(definition.encode()) <= INLINE_DEFINITION_BYTES:
        request["PipelineDefinition"] = definition
    else:
        key = f"{settings.pipeline_name}/definitions/{content_hash([('definition', definition.encode())])}.json"
        s3.put_object(Bucket=settings.bucket, Key=key, Body=definition.encode())
        request["PipelineDefinitionS3Location"] = {"Bucket": settings.bucket, "ObjectKey": key}
    try:
        existing = sagemaker.describe_pipeline(PipelineName=settings.pipeline_name)
    except sagemaker.exceptions.ResourceNotFound:
        sagemaker.create_pipeline(**request, Tags=tags)
        print(f"Created pipeline {settings.pipeline_name}.")
    else:
        sagemaker.update_pipeline(**request)
        sagemaker.add_tags(ResourceArn=existing["PipelineArn"], Tags=tags)
        print(f"Updated pipeline {settings.pipeline_name}.")


def project_tags(sagemaker: Any, settings: Settings) -> list[dict[str, str]]:
    """The project's own tags and the two by which Studio finds what belongs to a project."""
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=settings.project_arn)
    own = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"] if not tag["Key"].startswith("aws:")}
    merged = own | {tag["Key"]: tag["Value"] for tag in settings.tags}
    return [{"Key": key, "Value": value} for key, value in merged.items()]


def start(sagemaker: Any, settings: Settings, parameters: list[dict[str, str]]) -> str:
    display_name = f"commit-{settings.commit[:8]}" if settings.commit.isalnum() else "run"
    arn: str = sagemaker.start_pipeline_execution(
        PipelineName=settings.pipeline_name,
        PipelineExecutionDisplayName=display_name,
        PipelineParameters=parameters,
    )["PipelineExecutionArn"]
    print(f"Started {arn}")
    return arn


def export(**variables: str) -> None:
    """Write shell variables for the buildspec to source; CodePipeline shows them beside the build."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    EXPORTS.write_text("\n".join(lines) + "\n")


def success(outcome: Outcome, sagemaker: Any, s3: Any, settings: Settings) -> Iterator[str]:
    """Yield what a person wants to know after a successful execution."""
    arn = outcome.model_package_arn
    if arn is None:
        yield "\nThe pipeline succeeded; no step registered a model."
        return
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    yield f"\nRegistered version {package['ModelPackageVersion']} of {package['ModelPackageGroupName']}"
    yield f"  {arn}"
    yield f"  status    {package['ModelApprovalStatus']}"
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    metrics = read_json(s3, statistics)["binary_classification_metrics"]
    yield from (f"  {name:<17} {metrics[name]['value']:.3f}" for name in quality_gate.SHOWN_METRICS)
    yield f"  pictures  {statistics.rsplit('/', 1)[0]}/"
    yield f"To approve it: SageMaker Studio > Models > {settings.model_package_group}"
    yield f"  {studio_link(settings)}"


def read_json(s3: Any, url: str) -> dict[str, Any]:
    location = re.fullmatch(r"s3://([^/]+)/(.+)", url)
    if location is None:
        raise ValueError(f"{url} is not an S3 URL")
    body: dict[str, Any] = json.load(s3.get_object(Bucket=location[1], Key=location[2])["Body"])
    return body


def studio_link(settings: Settings) -> str:
    console = CONSOLES.get(settings.role_arn.split(":")[1], CONSOLES["aws"])
    return f"https://{settings.region}.{console}/sagemaker/home?region={settings.region}#/studio-landing"


def advice(error: Exception) -> str:
    """Where to look when AWS refuses a request, as a further sentence."""
    operation = getattr(error, "operation_name", "")
    if operation in ("CreatePipeline", "UpdatePipeline"):
        return " The pipeline in SageMaker is as it was. It is put together in pipelines/pipeline.py."
    if operation == "StartPipelineExecution":
        return " Nothing was started. The pipeline itself is up to date."
    return ""


def stop_command(execution_arn: str) -> str:
    return f"  aws sagemaker stop-pipeline-execution --pipeline-execution-arn {execution_arn}"


def command(arguments: list[str]) -> NoReturn:
    """`main`, and the exit from the process; what went wrong is one sentence on standard error."""
    try:
        sys.exit(main(arguments))
    except (SettingsError, ParameterError) as error:
        sys.exit(f"make pipeline: {error}")
    except (ClientError, BotoCoreError) as error:
        sys.exit(f"make pipeline: AWS did not accept a request. {error}{advice(error)}")


if __name__ == "__main__":
    command(sys.argv[1:])
