"""Keeps the recording of a story: every authorisation, and the template's policies as they stood in the account."""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import APPROVER_ROLE, STUDIO_ROLE
from rehearsal.prove_iam.grants import TRUST
from rehearsal.prove_iam.recording import Policy, Recording
from rehearsal.report import names_in_stacks
from rehearsal.shapes import Shapes
from rehearsal.story import Story

PROJECT_PATH = "/sagemaker-projects/"
"""Where the template's roles and boundary stand (`project.yaml`, `account-setup.yaml`)."""
LAUNCH_ROLE = "MLOpsProjectLaunchRole"


class Recorder:
    """Goes with a story on a cloud that records."""

    def __init__(self, story: Story, cloud: Cloud) -> None:
        self._cloud = cloud
        self._engineer = story.scene.engineer
        self._deployed: list[Policy] = []
        story.before_delete = self._read_policies
        self.shapes = Shapes()
        """What people were answered."""
        for person in (story.scene.engineer, story.scene.scientist, story.scene.approver):
            person.heard = self.shapes.listen

    def _read_policies(self) -> None:
        self._deployed = policies(self._engineer.client("iam"), names_in_stacks(self._cloud))

    def recording(self) -> Recording:
        """What there is at the end of the story."""
        found = self._cloud.identity.authorisations()
        return Recording(**found, names=names_in_stacks(self._cloud), deployed=self._deployed)


def policies(iam: Any, names: dict[str, str]) -> list[Policy]:  # noqa: ANN401 - boto3 is untyped
    """Every policy of the template as it stands in the account: those of the projects' roles and of the launch role,
    trust included, and the managed policies that are attached to them or to people's roles, or bound them."""
    found: list[Policy] = []
    managed: set[str] = set()
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name = role["RoleName"]
            of_template = role["Path"] == PROJECT_PATH or name == LAUNCH_ROLE
            if not of_template and name not in (STUDIO_ROLE, APPROVER_ROLE):
                continue
            boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
            managed |= {boundary["PermissionsBoundaryArn"]} if boundary else set()
            attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            managed |= {each["PolicyArn"] for each in attached}
            if of_template:
                found.append(Policy(names.get(name, name), TRUST, role["AssumeRolePolicyDocument"]))
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                found.append(Policy(names.get(name, name), policy, document))
    for arn in sorted(managed):
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        found.append(Policy(arn.rpartition("/")[2], "", document))
    return found
