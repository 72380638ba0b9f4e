"""What belongs to a project, and what another project's roles are told that ask for it.

The table has a row for every role, every action that the role's own policies name, and every resource that the action
knows. Actions that know no resource (`codepipeline:PutJobSuccessResult`, lists) stand in docs/security.md.
The rehearsal's own policy evaluation decides, with the role's real policies and its boundary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Call
from rehearsal.prove_iam.applicable import applicable

TAKERS = tuple(
    f"{each}.amazonaws.com"
    for each in ("cloudformation", "codebuild", "codepipeline", "events", "lambda", "sagemaker", "scheduler")
)
NEW = ("sagemaker:CreateEndpointConfig", "sagemaker:CreateModel", "sagemaker:CreateProcessingJob",
       "sagemaker:CreateTrainingJob")  # fmt: skip
"""What is there cannot be created again, under whichever name; the tag that a new one has to carry limits these."""


@dataclass(frozen=True)
class Belonging:
    """A resource of a project, with its tags."""

    arn: str
    tags: Mapping[str, str]

    @property
    def service(self) -> str:
        return self.arn.split(":")[2]


def belongings(
    account: str, region: str, name: str, project_id: str, roles: list[str], functions: list[str]
) -> list[Belonging]:
    """Everything that a project has, by the names that DESIGN gives it, at both stages."""
    group, prefix, stack = f"{name}-{project_id}", f"sagemaker-{name}-{project_id}", f"SC-{account}-pp-x"
    own = {"sagemaker:project-name": name, "sagemaker:project-id": project_id}
    bucket = f"arn:aws:s3:::sagemaker-project-{project_id}-{account}"
    here = f"{region}:{account}"
    unstaged = [
        *(f"arn:aws:codebuild:{here}:project/{prefix}-{each}" for each in ("modelbuild", "modeldeploy", "testing")),
        *(f"arn:aws:codebuild:{here}:report-group/{prefix}-{each}" for each in ("modelbuild-x", "testing-x")),
        *(f"arn:aws:codecommit:{here}:{prefix}-{each}" for each in ("modelbuild", "modeldeploy")),
        *(f"arn:aws:codepipeline:{here}:{prefix}-{each}" for each in ("modelbuild", "modeldeploy")),
        f"arn:aws:codepipeline:{here}:{prefix}-modeldeploy/ApproveProduction/ApproveProduction",
        f"arn:aws:cloudformation:{here}:stack/{stack}/1",
        f"arn:aws:events:{here}:rule/{stack}-x",
        *(f"arn:aws:lambda:{here}:function:{each}" for each in functions),
        *(f"arn:aws:logs:{here}:log-group:/aws/codebuild/{prefix}-{each}:log-stream:x"
          for each in ("modelbuild", "modeldeploy", "testing")),
        f"arn:aws:logs:{here}:log-group:/aws/sagemaker-projects/{prefix}-functions:log-stream:x",
        bucket, f"{bucket}/{group}/x", f"{bucket}/{prefix[:20]}/x", f"{bucket}/data-capture/x",
        f"arn:aws:sagemaker:{here}:model-package-group/{group}",
        f"arn:aws:sagemaker:{here}:model-package/{group}/1",
        f"arn:aws:sagemaker:{here}:pipeline/{group}",
        f"arn:aws:sagemaker:{here}:pipeline/{group}/execution/x",
        f"arn:aws:sagemaker:{here}:processing-job/pipelines-x-y",
        f"arn:aws:sagemaker:{here}:training-job/pipelines-x-y",
        f"arn:aws:sagemaker:{here}:project/{name}",
        *(f"arn:aws:sns:{here}:{prefix}-{each}" for each in ("notifications", "async-success", "async-error")),
        f"arn:aws:ssm:{here}:parameter/{prefix}/x",
        *roles,
    ]  # fmt: skip
    staged = [
        (stage, arn)
        for stage in ("staging", "prod")
        for arn in (
            f"arn:aws:application-autoscaling:{here}:scalable-target/0{stage}",
            f"arn:aws:cloudformation:{here}:stack/{prefix}-deploy-{stage}/1",
            f"arn:aws:cloudwatch:{here}:alarm:{prefix}-deploy-{stage}-x",
            f"arn:aws:cloudwatch:{here}:alarm:TargetTracking-endpoint/{name}-{stage}/variant/x",
            f"arn:aws:logs:{here}:log-group:/aws/sagemaker/Endpoints/{name}-{stage}:log-stream:x",
            *(f"{bucket}/async/{name}-{stage}/{each}/x" for each in ("input", "output", "failure")),
            f"arn:aws:sagemaker:{here}:endpoint-config/x{stage}",
            f"arn:aws:sagemaker:{here}:endpoint/{name}-{stage}",
            f"arn:aws:sagemaker:{here}:model/x{stage}",
        )
    ]
    return [
        *(Belonging(arn, own) for arn in unstaged),
        *(Belonging(arn, {**own, "sagemaker:deployment-stage": stage}) for stage, arn in staged),
    ]


def granted(iam: Any, role: str) -> set[str]:
    """Every action that a role's own policies name."""
    found: set[str] = set()
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"]
            found |= set(actions if isinstance(actions, list) else [actions])
    return found


def reached(cloud: Cloud, role_arn: str, actions: set[str], of: list[Belonging], says: Mapping[str, str]) -> set[str]:
    """What a role may do of the table. `says`: the tags that it puts into its requests, which are its own to choose."""
    caller = cloud.identity.session_of(role_arn, "table")
    calls = [
        Call(action, belonging.arn, context)
        for action in sorted(actions - set(NEW))
        for belonging in of
        if action.split(":")[0] == belonging.service and applicable(action, belonging.arn)
        for context in _contexts(action, belonging, says, cloud.account)
    ]
    refusals = cloud.base.refusals(caller.access_key_id, calls)
    return {f"{call.action} on {call.resource}" for call, why in zip(calls, refusals, strict=True) if not why}


def _contexts(
    action: str, belonging: Belonging, says: Mapping[str, str], account: str
) -> Iterator[dict[str, str | list[str]]]:
    """The condition keys of a call that asks for the resource with all that the caller can choose in its favour."""
    context: dict[str, str | list[str]] = {f"aws:ResourceTag/{key}": value for key, value in belonging.tags.items()}
    context["aws:ResourceAccount"] = account
    for tags in ({}, says):
        more: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        more |= {"aws:TagKeys": list(tags)} if tags else {}
        if action == "iam:PassRole":
            yield from ({**context, **more, "iam:PassedToService": taker} for taker in TAKERS)
        elif belonging.service == "application-autoscaling":
            yield {**context, **more, "application-autoscaling:service-namespace": "sagemaker"}
        else:
            yield {**context, **more}
