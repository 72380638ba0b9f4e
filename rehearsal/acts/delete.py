"""Act 8: the project is deleted amid a deployment. Nothing that costs money is left, and no work is lost."""

from __future__ import annotations

from rehearsal.inventory import billable
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must
from rehearsal.watch import StoryError

DELETION_SECONDS = 120


def delete(scene: Scene, act: ActRecord) -> None:
    project, client = scene.project, scene.scientist.client
    before = billable(scene.engineer.client)
    must(before.get("endpoints"), "there must be endpoints, or their deletion shows nothing")
    client("codepipeline").start_pipeline_execution(name=project.deploy_pipeline)
    scene.progress.say("a deployment is on its way when the project is deleted")
    client("sagemaker").delete_project(ProjectName=project.name)
    scene.wait_until(lambda: _deleted(scene), "the deletion of the project", DELETION_SECONDS)

    left = billable(scene.engineer.client)
    must(not left, f"nothing that costs money may be left, but there is {left}")
    mail = scene.mail("was deleted", project.name)
    bucket = project.outputs["ArtifactBucketName"]
    for kept in (project.build_pipeline, project.deploy_pipeline, bucket, project.group):
        must(kept in mail["text"], f"the message must say that {kept} was kept, not only: {mail['text']}")
    _work_is_still_there(scene, bucket)
    act.facts |= {
        "removed": ", ".join(f"{len(names)} {kind}" for kind, names in before.items()),
        "kept": f"2 repositories, s3://{bucket}, {len(project.package_versions)} versions and the hotfix",
    }


def _deleted(scene: Scene) -> bool:
    described = scene.scientist.client("sagemaker").describe_project(ProjectName=scene.project.name)
    status = described["ProjectStatus"]
    if status == "DeleteFailed":
        details = described["ServiceCatalogProvisionedProductDetails"]
        raise StoryError(f"the deletion failed: {details.get('ProvisionedProductStatusMessage')}")
    return bool(status == "DeleteCompleted")


def _work_is_still_there(scene: Scene, bucket: str) -> None:
    """Code, models and data, as their owners would look for them."""
    url = scene.project.outputs["ModelBuildCloneUrl"]
    must("refs/heads/main" in scene.scientist.git("ls-remote", url), "the code must be there after the deletion")
    versions = scene.packages()
    must(len(versions) == len(scene.project.package_versions) + 1, f"every version must be there, not {versions}")
    for each in scene.project.package_versions:
        model = scene.describe_package(each)["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        key = model.removeprefix(f"s3://{bucket}/")
        scene.engineer.client("s3").head_object(Bucket=bucket, Key=key)
