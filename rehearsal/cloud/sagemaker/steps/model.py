"""The Model step: CreateModel under a name that belongs to the execution."""

from __future__ import annotations

from rehearsal.cloud.sagemaker.step_run import StepRun
from rehearsal.cloud.sagemaker.tags import tag_list, tag_map


def run_model(run: StepRun) -> None:
    """A new model in every execution: the step is never cached.

    https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-create-model
    """
    prefix = run.step.arguments.get("ModelName")
    run.job_name = run.new_job_name(prefix if isinstance(prefix, str) else None)
    arguments = {key: value for key, value in run.arguments().items() if key != "ModelName"}
    arguments.setdefault("ExecutionRoleArn", run.execution.role_arn)
    tags = {**run.execution.tags_for_resources(), **tag_map(arguments.pop("Tags", None))}
    run.executing()
    answer = run.call("CreateModel", {**arguments, "ModelName": run.job_name, "Tags": tag_list(tags)})
    run.metadata = {"Model": {"Arn": answer["ModelArn"]}}
    run.properties = run.call("DescribeModel", {"ModelName": run.job_name})
