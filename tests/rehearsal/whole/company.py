"""A company that has published the template, and what its people do to projects."""

from __future__ import annotations

import json
import sys
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import People
from rehearsal.person import REPOSITORY_ROOT, Person
from tests.waiting import until


class Company:
    """An account in which the template is published."""

    def __init__(self, cloud: Cloud, people: People) -> None:
        self.cloud = cloud
        self.engineer = Person("platform-engineer", cloud, people.platform_engineer)
        self.scientist = Person("data-scientist", cloud, people.data_scientist)
        self.approver = Person("approver", cloud, people.approver)
        roles = ("--studio-role-arn", people.studio_role_arn, "--approver-role-arn", people.approver_role_arn)
        self.engineer.run(sys.executable, "-m", "service_catalog", "publish", *roles, folder=REPOSITORY_ROOT)

    def launch(self, name: str, **parameters: str) -> dict[str, Any]:
        """Create a project and answer its description once the launch ended, well or badly."""
        catalog, sagemaker = self.scientist.client("servicecatalog"), self.scientist.client("sagemaker")
        product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
        version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
        given = [{"Key": key, "Value": value} for key, value in parameters.items()]
        details = {"ProductId": product, "ProvisioningArtifactId": version, "ProvisioningParameters": given}
        sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)

        def ended() -> dict[str, Any] | None:
            project: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
            return project if project["ProjectStatus"] in ("CreateCompleted", "CreateFailed") else None

        return until(ended)


def remove_action(iam: Any, role: str, action: str) -> int:
    """Take one action out of a role's inline policies; answers from how many statements it was taken."""
    found = 0
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if action in actions:
                found += 1
                statement["Action"] = [each for each in actions if each != action]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    return found
