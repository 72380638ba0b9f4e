"""The smoke test's order of things, played on the rehearsal's cloud: whatever happens, everything goes again."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from rehearsal.cloud.clock import Patience
from rehearsal.cloud.cloud import Cloud
from rehearsal.inventory import billable
from rehearsal.people import STUDIO_ROLE
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import Progress
from rehearsal.story import Story
from service_catalog.target import Target
from smoke_aws.before import SmokeError
from smoke_aws.budget import estimate
from smoke_aws.people import STEM
from smoke_aws.run import Smoke

NOBODY = '{"Version": "2012-10-17", "Statement": []}'
QUICK = Patience(factor=1.0, poll_seconds=0.2)


def smoke(
    target: Target, folder: Path, play: Callable[[Story], None], ceiling: float = 100.0
) -> tuple[Smoke, StringIO]:
    told = StringIO()
    costs = estimate(REPOSITORY_ROOT, target.region)
    progress = Progress(Console(file=told, width=400))
    return Smoke(target, folder, costs, ceiling, progress, QUICK, play), told


def launched(story: Story) -> None:
    """The first two acts."""
    for number in (1, 2):
        story._play(number)


def nothing_is_left(cloud: Cloud, project: str) -> None:
    """As the account's owner would look for it."""
    client: Callable[[str], Any] = lambda service: cloud.client(service, cloud.identity.root)  # noqa: E731
    assert billable(client) == {}
    assert client("codecommit").list_repositories()["repositories"] == []
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("cloudformation").describe_stacks()["Stacks"] == []
    groups = client("logs").describe_log_groups()["logGroups"]
    assert [each["logGroupName"] for each in groups if project in each["logGroupName"]] == []
    roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    assert [name for name in roles if name.startswith((STEM, "MLOps", "SC-"))] == []
    with pytest.raises(ClientError):
        client("sagemaker").describe_model_package_group(ModelPackageGroupName=project)


def test_a_person_who_ends_it_in_mid_story_leaves_nothing_behind(target: Target, cloud: Cloud, tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    def interrupted(story: Story) -> None:
        launched(story)
        seen["group"] = story.scene.project.group
        story.scene.engineer.client("sagemaker").create_model_package_group(ModelPackageGroupName="not-of-the-story")
        raise KeyboardInterrupt

    run, told = smoke(target, tmp_path, interrupted)
    run.check()
    with pytest.raises(KeyboardInterrupt):
        run.run()

    assert run.played.left == [], told.getvalue()
    nothing_is_left(cloud, seen["group"])
    kept = cloud.client("sagemaker", cloud.identity.root).list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [each["ModelPackageGroupName"] for each in kept] == ["not-of-the-story"]
    played = json.loads((tmp_path / "run.json").read_text())
    assert (played["ok"], played["problem"]) == (False, "interrupted")
    assert {"MLOpsProjectLaunchRole", STUDIO_ROLE, "ModelBuildRole", "CleanUpRole"} <= set(played["roles"].values())
    shapes = json.loads((tmp_path / "shapes.json").read_text())
    assert shapes["sagemaker:DescribeProject"]["ProjectStatus"] == ["string"]


def test_at_the_ceiling_the_story_ends_and_everything_goes(target: Target, cloud: Cloud, tmp_path: Path) -> None:
    def waits(story: Story) -> None:
        story.scene.wait_until(lambda: None, "what never comes", 600)

    run, told = smoke(target, tmp_path, waits, ceiling=2.0)

    played = run.run()

    assert not played.ok
    assert "the ceiling of $2.00 would be passed" in played.problem
    assert played.left == [], told.getvalue()
    roles = [role["RoleName"] for role in cloud.client("iam", cloud.identity.root).list_roles()["Roles"]]
    assert [name for name in roles if name.startswith(STEM)] == []


def test_what_cannot_be_deleted_is_named_and_the_rest_goes_all_the_same(
    target: Target, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_queues(_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "ListQueues")

    def begins(story: Story) -> None:
        monkeypatch.setattr("smoke_aws.clean_up.queues", no_queues)

    run, _ = smoke(target, tmp_path, begins)

    played = run.run()

    assert played.ok
    assert [each.partition(":")[0] for each in played.left] == ["Could not delete the mailbox"]
    roles = [role["RoleName"] for role in cloud.client("iam", cloud.identity.root).list_roles()["Roles"]]
    assert [name for name in roles if name.startswith(STEM)] == []


@pytest.mark.parametrize(
    ("service", "operation", "request_", "words"),
    [
        ("s3", "create_bucket", {"Bucket": "sagemaker-mlops-catalog-123456789012-us-east-1"}, "published already"),
        ("iam", "create_role", {"RoleName": "MLOpsProjectLaunchRole", "AssumeRolePolicyDocument": NOBODY}, "set up"),
        ("events", "put_rule", {"Name": "somebodys", "ScheduleExpression": "rate(1 day)"}, "event rules: somebodys"),
    ],
)
def test_an_account_where_somebody_works_is_refused(
    target: Target, cloud: Cloud, tmp_path: Path, service: str, operation: str, request_: dict[str, Any], words: str
) -> None:
    client = cloud.client(service, cloud.identity.root)
    getattr(client, operation)(**request_)
    run, _ = smoke(target, tmp_path, launched)
    try:
        with pytest.raises(SmokeError, match=words) as refused:
            run.check()
    finally:
        undo = {"create_bucket": "delete_bucket", "create_role": "delete_role", "put_rule": "delete_rule"}[operation]
        name = next(iter(request_))
        getattr(client, undo)(**{name: request_[name]})
    assert "--profile and --region" in str(refused.value)
