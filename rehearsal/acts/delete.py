"""Act 8: the project is deleted amid a deployment. Nothing that costs money is left, and no work is lost."""

from __future__ import annotations

from rehearsal.inventory import KIND_OF, STACKS, billable
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must
from rehearsal.watch import StoryError


def delete(scene: Scene, act: ActRecord) -> None:
    project, client = scene.project, scene.scientist.client
    registered = _versions(scene)
    before = billable(scene.engineer.client)
    absent = sorted({*KIND_OF.values(), STACKS} - before.keys())
    must(not absent, f"there must be {', '.join(absent)} before the deletion, or it shows nothing of them")
    client("codepipeline").start_pipeline_execution(name=project.deploy_pipeline)
    scene.progress.say("a deployment is on its way when the project is deleted")
    client("sagemaker").delete_project(ProjectName=project.name)
    scene.wait_until(lambda: _deleted(scene), "the deletion of the project")

    left = billable(scene.engineer.client)
    must(not left, f"nothing that costs money may be left, but there is {left}")
    mail = scene.mail("was deleted", project.name)
    bucket = project.outputs["ArtifactBucketName"]
    for kept in (project.build_pipeline, project.deploy_pipeline, bucket, project.group):
        must(kept in mail["text"], f"the message must say that {kept} was kept, not only: {mail['text']}")
    code = _code_is_still_there(scene)
    _models_are_still_there(scene, bucket, registered)
    act.facts |= {
        "removed": ", ".join(f"{len(names)} {kind}" for kind, names in before.items()),
        "kept": f"{len(code)} repositories, s3://{bucket}, {len(registered)} model versions",
    }


def _deleted(scene: Scene) -> bool:
    described = scene.scientist.client("sagemaker").describe_project(ProjectName=scene.project.name)
    status = described["ProjectStatus"]
    if status == "DeleteFailed":
        details = described["ServiceCatalogProvisionedProductDetails"]
        raise StoryError(f"the deletion failed: {details.get('ProvisionedProductStatusMessage')}")
    return bool(status == "DeleteCompleted")


def _code_is_still_there(scene: Scene) -> list[str]:
    """Both repositories, as their owners would look for them; their addresses."""
    urls = [scene.project.outputs[name] for name in ("ModelBuildCloneUrl", "ModelDeployCloneUrl")]
    for url in urls:
        branches = scene.scientist.git("ls-remote", url)
        must("refs/heads/main" in branches, f"the code of {url} must be there after the deletion, not {branches!r}")
    return urls


def _versions(scene: Scene) -> list[str]:
    """Every version that is registered, those packed by hand too."""
    return [each["ModelPackageArn"] for each in scene.packages()]


def _models_are_still_there(scene: Scene, bucket: str, registered: list[str]) -> None:
    """Every version that was registered, and its artefact."""
    must(_versions(scene) == registered, f"{registered} must be there after the deletion, not {_versions(scene)}")
    for each in registered:
        model = scene.describe_package(each)["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        key = model.removeprefix(f"s3://{bucket}/")
        scene.engineer.client("s3").head_object(Bucket=bucket, Key=key)
