"""The action providers this cloud plays, one module each."""

from __future__ import annotations

from rehearsal.cloud.codepipeline.actions.approval import ManualApproval
from rehearsal.cloud.codepipeline.actions.base import Action
from rehearsal.cloud.codepipeline.actions.cloudformation import CloudFormationDeploy
from rehearsal.cloud.codepipeline.actions.codebuild import CodeBuildAction
from rehearsal.cloud.codepipeline.actions.codecommit import CodeCommitSource
from rehearsal.cloud.codepipeline.actions.lambda_ import LambdaInvoke
from rehearsal.cloud.service import Document

ACTIONS: tuple[Action, ...] = (
    CodeCommitSource(),
    CodeBuildAction(),
    ManualApproval(),
    CloudFormationDeploy(),
    LambdaInvoke(),
)


def action_for(action_type: Document) -> Action | None:
    """The provider of an action type, None when nobody here plays it."""
    for action in ACTIONS:
        if (
            action_type["owner"] == "AWS"
            and action_type["provider"] == action.shape.provider
            and action_type["category"] in action.shape.categories
            and action_type["version"] == "1"
        ):
            return action
    return None
