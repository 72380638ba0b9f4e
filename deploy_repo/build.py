"""Find the model package to deploy and write the CloudFormation configuration of both stages.

    reads     the environment (deployment/settings.py), staging-config.json, prod-config.json; of a
              stage of mode batch also batch-checks.json and test/answer.json
    writes    staging-config-export.json, prod-config-export.json, for the pipeline's CloudFormation actions
              exports/build.env: DEPLOY, MODEL_PACKAGE_ARN_RESOLVED, MODEL_PACKAGE_VERSION, and what the challenger is:
              CHALLENGER_MODEL_PACKAGE_ARN, CHALLENGER_KIND, CHALLENGER_TRAFFIC_PERCENT, for the pipeline's variables

Run it with `make build`. Nothing on AWS is changed: everything here only looks.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3

from deployment import batch, challenger, modes, registry, rendering, scaling, stage, template, variables
from deployment.contradictions import Values
from deployment.errors import RefusedError, aws_errors_explained
from deployment.registry import NothingToDeploy
from deployment.settings import AUTO, ROLLBACK, BuildSettings

HERE = Path(__file__).resolve().parent
STAGES = ("staging", "prod")
VARIABLES_FILE = Path("exports/build.env")


def main(folder: Path, environment: Mapping[str, str], client: Callable[[str], Any]) -> None:
    """Write the exports below `folder`; raise RefusedError, with no export left there, where that cannot be done.

    `client` makes a client of an AWS service; it is not called before everything in the folder is known to be sound.
    """
    exports = {stage_name: folder / f"{stage_name}-config-export.json" for stage_name in STAGES}
    for path in (*exports.values(), folder / VARIABLES_FILE):
        path.unlink(missing_ok=True)  # an older run's answer must not pass for this one's

    settings = BuildSettings.from_environment(environment)
    document = template.load(folder / "endpoint-config-template.yml")
    parameters = template.parameters(document)
    stack_prefix = f"sagemaker-{settings.project_name}-{settings.project_id}-deploy-"
    configs = {
        stage_name: stage.read(
            folder / f"{stage_name}-config.json",
            parameters,
            stage.RESOLVED_PARAMETERS | challenger.RESOLVED_PARAMETERS,
            watched=stage_name == "prod",
            for_tests=stage_name == "staging",
            alarm_prefix=stack_prefix,
        )
        for stage_name in STAGES
    }
    endpoints = {"staging": settings.staging_endpoint_name, "prod": settings.production_endpoint_name}
    uses_batch = any(each.parameters.get("DeploymentMode") == batch.BATCH for each in configs.values())
    other_types: dict[str, scaling.AnotherTypeError] = {}
    for stage_name, config in configs.items():
        values, file = Values(config.parameters, parameters), f"{stage_name}-config.json"
        mode = values.text("DeploymentMode")
        batch.check_settings(file, mode, settings)
        modes.check_network(file, mode, settings.vpc_subnet_ids)
        if without_effect := modes.unused(values):
            print(f"{file}: DeploymentMode {mode} has no use for {', '.join(without_effect)}.")
        try:
            if change := modes.check_change(client, file, endpoints[stage_name], stack_prefix + stage_name, values):
                print(change)
        except scaling.AnotherTypeError as refused:
            if settings.model_package_arn not in (AUTO, ROLLBACK):
                raise
            other_types[stage_name] = refused  # what is deployed may have to go on without
    batch_checks = batch.checks(folder) if uses_batch else None
    choice = registry.choose(client("sagemaker"), client("s3"), settings)

    if isinstance(choice, NothingToDeploy):
        _refuse(other_types)
        print(f"Nothing to deploy: {choice.because}. Approve a version in the Model Registry to deploy it.")
        for path in exports.values():
            _write_json(path, stage.export_of_nothing(choice.because))
        answers = {
            "DEPLOY": "no",
            "MODEL_PACKAGE_ARN_RESOLVED": "none",
            "MODEL_PACKAGE_VERSION": "none",
            **challenger.ABSENT,
        }
    else:
        print(f"Deploying version {choice.version}, because {choice.because}: {choice.arn}")
        values = Values(configs["prod"].parameters, parameters)
        clients = (client("sagemaker"), client("s3"))
        beside = challenger.plan(*clients, settings, values, endpoints["prod"], choice)
        print("".join(f"{line}\n" for line in beside.said), end="")
        # Nothing that is wrong here keeps a version in production that must not be there.
        goes_on = settings.model_package_arn == ROLLBACK or beside.leaves_rejected
        if beside.changes_variants and settings.model_package_arn != ROLLBACK:  # nothing about it holds a rollback up
            autoscaling = client("application-autoscaling")
            if change := scaling.refuse_change_with_challenger(
                autoscaling, endpoints["prod"], values, leaves_rejected=beside.leaves_rejected
            ):
                print(change)
        configs["prod"] = configs["prod"].with_parameters(beside.parameters)
        if not goes_on:
            _refuse(other_types)
        for stage_name, other in other_types.items():
            configs[stage_name] = configs[stage_name].with_parameters({"EndpointInstanceType": other.present})
            print(
                f"{stage_name}-config.json: EndpointInstanceType {other.planned} waits for a push of its own: "
                f"{endpoints[stage_name]} stays on {other.present} in this deployment."
            )
        contents = {
            stage_name: stage.export(config, stage_name, endpoints[stage_name], choice, settings, batch_checks)
            for stage_name, config in configs.items()
        }
        for content in contents.values():
            given = content["Parameters"]
            given[rendering.UPDATE_DIGEST] = rendering.update_digest(document, given, goes_on=goes_on)
        for stage_name, path in exports.items():
            _write_json(path, contents[stage_name])
            print(f"{path.name}: endpoint {endpoints[stage_name]}")
        answers = {
            "DEPLOY": "yes",
            "MODEL_PACKAGE_ARN_RESOLVED": choice.arn,
            "MODEL_PACKAGE_VERSION": str(choice.version),
            **beside.answers,
        }
    variables.write(folder / VARIABLES_FILE, answers)


def _refuse(other_types: Mapping[str, scaling.AnotherTypeError]) -> None:
    for refused in other_types.values():
        raise refused


def _write_json(path: Path, content: dict[str, dict[str, str]]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        with aws_errors_explained():
            main(HERE, os.environ, boto3.client)
    except RefusedError as error:
        sys.exit(f"make build: {error}")
