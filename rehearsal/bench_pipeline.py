"""What SageMaker's stand-in adds to the scripts of a pipeline, for `make bench`.

The same pipeline that a project's first build made is executed again, alone on the machine and with the cache of its
steps off, beside `make local`, which runs the same scripts on the same claims one after the other, with nothing around
them. What an execution takes more is the platform's: containers, data to and from S3, logs, states and events.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from rehearsal.acts.publish import publish
from rehearsal.bench_projects import BenchProject
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Scene, must

EXECUTIONS = 3


def execution_seconds(scratch: Path) -> float:
    """The fastest of some executions. Raises StoryError when one does not succeed."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        settings = CloudSettings(Path(folder), REPOSITORY_ROOT / ".venvs", cache=scratch / "cache")
        with new_cloud(settings) as cloud:
            people, progress = settle(cloud), Progress()
            publish(Scene(cloud, people, progress), ActRecord(1, "Publish"))
            project = BenchProject(cloud, people, progress, "bench-pipeline")
            project.train()
            project.stop_all()
            forget_steps(project)
            return min(execute(project) for _ in range(EXECUTIONS))


def forget_steps(project: BenchProject) -> None:
    """Let no execution of the project's pipeline take over what a step of an earlier one has made."""
    sagemaker, name = project.scene.engineer.client("sagemaker"), project.scene.project.group
    found = sagemaker.describe_pipeline(PipelineName=name)
    written = json.dumps(without_cache(json.loads(found["PipelineDefinition"])))
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=written, RoleArn=found["RoleArn"])


def without_cache(definition: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A definition whose steps always run."""
    if isinstance(definition, dict):
        return {name: without_cache(each) for name, each in definition.items() if name != "CacheConfig"}
    if isinstance(definition, list):
        return [without_cache(each) for each in definition]
    return definition


def execute(project: BenchProject) -> float:
    """Seconds of one execution, as its own times say."""
    scene, sagemaker = project.scene, project.scene.engineer.client("sagemaker")
    arn = sagemaker.start_pipeline_execution(PipelineName=scene.project.group)["PipelineExecutionArn"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return None if found["PipelineExecutionStatus"] in ("Executing", "Stopping") else found

    execution = scene.wait_until(ended, "the end of an execution of the pipeline")
    must(execution["PipelineExecutionStatus"] == "Succeeded", f"{arn} must succeed: {execution}")
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    must(not [step for step in steps if "CacheHitResult" in step], f"no step of {arn} may come from the cache")
    seconds: float = (max(step["EndTime"] for step in steps) - execution["CreationTime"]).total_seconds()
    scene.progress.say(f"an execution of the pipeline: {seconds:.2f} s")
    return seconds
