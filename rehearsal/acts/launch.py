"""Act 2: the data scientist launches a project from the product and owns two seeded repositories."""

from __future__ import annotations

from typing import Any

from rehearsal.mailbox import Mailbox
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene
from rehearsal.watch import StoryError


def launch(scene: Scene, act: ActRecord) -> None:
    catalog, sagemaker = scene.scientist.client("servicecatalog"), scene.scientist.client("sagemaker")
    project = scene.project
    product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
    version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
    made = sagemaker.create_project(
        ProjectName=project.name,
        ProjectDescription="Played by the rehearsal",
        ServiceCatalogProvisioningDetails={"ProductId": product, "ProvisioningArtifactId": version},
    )
    project.id = made["ProjectId"]
    scene.progress.say(f"project {project.name} ({project.id}) is being created")

    def created() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_project(ProjectName=project.name)
        details = described["ServiceCatalogProvisionedProductDetails"]
        if described["ProjectStatus"] == "CreateFailed":
            raise StoryError(f"the launch failed: {details.get('ProvisionedProductStatusMessage')}")
        return details if described["ProjectStatus"] == "CreateCompleted" else None

    details = scene.wait_until(created, "the creation of the project")
    provisioned = catalog.describe_provisioned_product(Id=details["ProvisionedProductId"])
    record = catalog.describe_record(Id=provisioned["ProvisionedProductDetail"]["LastRecordId"])
    project.outputs = {each["OutputKey"]: each["OutputValue"] for each in record["RecordOutputs"]}
    topic = project.outputs["NotificationTopicArn"]
    scene.mailbox = Mailbox(scene.engineer.client, scene.cloud.account, scene.cloud.region, topic)

    codecommit = scene.scientist.client("codecommit")
    for name in (project.build_pipeline, project.deploy_pipeline):  # the repositories are named like the pipelines
        branch = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]
        scene.progress.say(f"repository {name} is seeded (main at {branch['commitId'][:7]})")
    act.facts |= {"project": project.id, "outputs": project.outputs}
