"""The RegisterModel step."""

from __future__ import annotations

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.step_run import StepFailed, StepRun, StepStopped, exception_type_of
from rehearsal.cloud.sagemaker.tags import tag_list, tag_map

UNSETTLED = ("Pending", "InProgress")
POLL_SECONDS = 1.0


def run_register_model(run: StepRun) -> None:
    """Register a version of the model, in a group that is made when it is missing.

    The group's creation is attempted every time, with the tags of the execution, so the pipeline's role needs
    sagemaker:CreateModelPackageGroup and sagemaker:AddTags on the group even when it exists. A version takes its
    group's tags and none of its own.
    https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-register-model
    """
    arguments = run.arguments()
    tags = {**run.execution.tags_for_resources(), **tag_map(arguments.pop("Tags", None))}
    group = arguments.get("ModelPackageGroupName")
    run.executing()
    if group:
        _make_group(run, group.split("/")[-1], tags)
    else:
        arguments["Tags"] = tag_list(tags)
    arn = run.call("CreateModelPackage", arguments)["ModelPackageArn"]
    run.metadata = {"RegisterModel": {"Arn": arn}}
    while True:
        description = run.call("DescribeModelPackage", {"ModelPackageName": arn})
        if description["ModelPackageStatus"] not in UNSETTLED:
            break
        if run.execution.cloud.clock.wait(POLL_SECONDS, until=run.execution.stop_asked):
            raise StepStopped
    if description["ModelPackageStatus"] != "Completed":
        raise StepFailed(f"ClientError: Model package {arn} is {description['ModelPackageStatus']}.")
    run.properties = description


def _make_group(run: StepRun, name: str, tags: dict[str, str]) -> None:
    request = {"ModelPackageGroupName": name, "Tags": tag_list(tags)}
    try:
        run.execution.cloud.call(run.credentials, "sagemaker", "CreateModelPackageGroup", request)
    except AwsError as error:
        if "already exists" not in error.message:
            raise StepFailed(
                f"ClientError: Failed to invoke sagemaker:CreateModelPackageGroup. Error Details: {error.message}",
                exception_type_of(error),
            ) from error
