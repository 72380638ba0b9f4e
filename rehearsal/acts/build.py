"""Act 3: the first commit is built, tested, trained and registered; the approver hears of it."""

from __future__ import annotations

from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must


def build(scene: Scene, act: ActRecord) -> None:
    _first_deployment_is_skipped(scene)
    scene.watch_build(scene.latest_execution(scene.project.build_pipeline)).until_succeeded()
    package = scene.newest_package()
    act.facts |= {"pipeline seconds": _pipeline_seconds(scene), "install seconds": install_seconds(scene)}
    must(package["ModelApprovalStatus"] == "PendingManualApproval", "the package must wait for a person's approval")
    must(package["ModelMetrics"].get("ModelQuality"), "the package must carry its evaluation")
    must(package["DriftCheckBaselines"], "the package must carry its drift baselines")
    scene.project.package_versions.append(package["ModelPackageArn"])
    act.facts |= {"version": package["ModelPackageVersion"], **scene.metrics(package)}
    scene.mail("waits for your approval", package["ModelPackageArn"].rpartition("/")[2])


def _first_deployment_is_skipped(scene: Scene) -> None:
    """A deploy pipeline starts when it is created, with nothing to deploy: that must not look like a failure."""
    pipeline = scene.project.deploy_pipeline
    scene.watch(pipeline, scene.latest_execution(pipeline)).until_succeeded()
    states = scene.scientist.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
    stages = {each["stageName"]: each.get("latestExecution", {}).get("status", "") for each in states}
    skipped = [name for name, status in stages.items() if status == "Skipped"]
    wanted = ["DeployStaging", "ApproveProduction", "DeployProduction"]
    must(skipped == wanted, f"with nothing approved, {wanted} must be skipped; the stages are {stages}")
    scene.progress.say("nothing is approved yet: the deploy pipeline skipped its stages")


def _pipeline_seconds(scene: Scene) -> float:
    """How long the newest execution of the SageMaker pipeline took, as its own times say."""
    sagemaker = scene.scientist.client("sagemaker")
    newest = sagemaker.list_pipeline_executions(PipelineName=scene.project.group)["PipelineExecutionSummaries"][0]
    ended = max(step["EndTime"] for step in scene.newest_steps())
    seconds: float = (ended - newest["StartTime"]).total_seconds()
    return round(seconds, 2)


def install_seconds(scene: Scene) -> float:
    """How long the newest build of the build pipeline took to install, as CodeBuild tells its phases."""
    scientist, pipeline = scene.scientist, scene.project.build_pipeline
    listed = scientist.client("codepipeline").list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
    build = next(each for each in listed if each["actionName"] == "BuildTrainRegister")
    number = build["output"]["executionResult"]["externalExecutionId"]
    phases = scientist.client("codebuild").batch_get_builds(ids=[number])["builds"][0]["phases"]
    install = next(each for each in phases if each["phaseType"] == "INSTALL")
    seconds: float = (install["endTime"] - install["startTime"]).total_seconds()
    return round(seconds, 2)
