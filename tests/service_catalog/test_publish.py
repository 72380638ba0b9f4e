"""Publishing end to end against S3 and IAM, with the real synthesis and a CloudFormation that keeps AWS's rules."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from seed_code import FUNCTIONS, SOURCES, SeedError
from seed_code.archive import pack
from service_catalog.catalog import read_catalog
from service_catalog.errors import PublishError
from service_catalog.publish import Settings, publish
from service_catalog.stacks import Stacks
from service_catalog.target import Target

STUDIO = "arn:aws:iam::123456789012:role/service-role/StudioExecution"
BUCKET = "sagemaker-mlops-catalog-123456789012-eu-west-1"


@pytest.fixture
def settings(repository: Path) -> Settings:
    return Settings(root=repository, studio_role_arns=(STUDIO,), poll_seconds=0)


def published_catalog(target: Target) -> Any:
    return read_catalog(Stacks(target.client("cloudformation"), print).template("mlops-catalog"))


def keys() -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]


def tags(key: str) -> dict[str, str]:
    found = boto3.client("s3").get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def commit(root: Path) -> None:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
    subprocess.run(["git", *identity, "-C", str(root), "commit", "--quiet", "--all", "--message", "x"], check=True)


def test_the_first_publish_uploads_sets_up_the_account_and_reveals_the_version(
    target: Target, settings: Settings, cloudformation: Any, said: list[str]
) -> None:
    published = publish(target, settings, said.append)

    assert published.new
    assert (published.portfolio_id, published.product_id) == ("the-PortfolioId", "the-ProductId")
    assert cloudformation.executed == ["mlops-account-setup", "mlops-catalog"]
    assert cloudformation.stacks["mlops-account-setup"].parameters == {"StudioRoleName": "StudioExecution"}
    headings = [line for line in said if not line.startswith("    ")]
    assert [heading[:7] for heading in headings] == ["1/4 Pac", "2/4 Upl", "3/4 Set", "4/4 Rev"]


def test_the_published_template_names_archives_that_are_there_and_may_be_read_at_launch(
    target: Target, settings: Settings
) -> None:
    publish(target, settings, lambda _: None)

    [version] = published_catalog(target).versions
    template_key = version.template_url.split(".amazonaws.com/")[1]
    template = boto3.client("s3").get_object(Bucket=BUCKET, Key=template_key)["Body"].read().decode()
    assert sorted(re.findall(r"[a-z]+/[\w-]+\.zip", template)) == sorted(
        pack(settings.root, each).key for each in SOURCES
    )
    for source in SOURCES:
        archive = pack(settings.root, source)
        assert boto3.client("s3").get_object(Bucket=BUCKET, Key=archive.key)["Body"].read() == archive.data
        assert tags(archive.key) == {"servicecatalog:provisioning": "true"}
    assert tags(template_key) == {"servicecatalog:provisioning": "true"}
    assert version.name.startswith("1.2.3-")
    assert version.name.removeprefix("1.2.3-") == template_key.removeprefix("template/project-")[:8]


def test_publishing_the_same_again_changes_nothing_and_needs_no_role_named(
    target: Target, settings: Settings, cloudformation: Any, said: list[str]
) -> None:
    first = publish(target, settings, lambda _: None)
    before, catalog = keys(), published_catalog(target)

    again = publish(target, replace(settings, studio_role_arns=()), said.append)

    assert again == replace(first, new=False)
    assert keys() == before
    assert published_catalog(target) == catalog
    assert cloudformation.executed == ["mlops-account-setup", "mlops-catalog"]
    assert f"    version {first.version} is already published" in said
    assert said.count("    nothing to change") == 2


def test_other_content_becomes_a_further_version_and_the_first_stays_word_for_word(
    target: Target, settings: Settings
) -> None:
    publish(target, settings, lambda _: None)
    [first] = published_catalog(target).versions
    kept = keys()
    (settings.root / "build_repo" / "Makefile").write_text("test:\n\tpytest --quiet\n")
    commit(settings.root)

    published = publish(target, settings, lambda _: None)

    assert published.new
    versions = published_catalog(target).versions
    assert [version.name for version in versions] == [first.name, published.version]
    assert versions[0] == first
    assert set(kept) <= set(keys())


def test_content_that_was_published_before_is_not_published_twice_but_said_not_to_be_the_newest(
    target: Target, settings: Settings, said: list[str]
) -> None:
    makefile = settings.root / "build_repo" / "Makefile"
    old = makefile.read_text()
    first = publish(target, settings, lambda _: None)
    makefile.write_text("changed\n")
    second = publish(target, settings, lambda _: None)
    makefile.write_text(old)

    again = publish(target, settings, said.append)

    assert again == replace(first, new=False)
    assert len(published_catalog(target).versions) == 2
    assert f"    WARNING it is not the newest: Studio offers {second.version}" in said


def test_a_dirty_tree_is_published_with_a_loud_warning_by_name(
    target: Target, settings: Settings, said: list[str]
) -> None:
    (settings.root / "build_repo" / "Makefile").write_text("edited\n")
    (settings.root / "deploy_repo" / "forgotten.py").write_text("")

    publish(target, settings, said.append)

    warnings = [line.strip() for line in said if "WARNING" in line]
    assert warnings == [
        "WARNING build_repo/Makefile has uncommitted changes; it is packed as it is now",
        "WARNING deploy_repo/forgotten.py is not tracked by git and NOT packed; 'git add' it, or ignore it",
    ]
    [version] = published_catalog(target).versions
    assert version.description.endswith("with uncommitted changes")


def test_a_role_that_is_no_longer_named_loses_access_and_that_is_said(
    target: Target, settings: Settings, said: list[str]
) -> None:
    boto3.client("iam").create_role(RoleName="Second", AssumeRolePolicyDocument="{}")
    second = "arn:aws:iam::123456789012:role/Second"
    publish(target, settings, lambda _: None)

    publish(target, replace(settings, studio_role_arns=(second,)), said.append)

    assert published_catalog(target).principals == (second,)
    assert any(line.strip().startswith(f"WARNING {STUDIO} may no longer launch") for line in said)


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        ("", "Pass --studio-role-arn ARN.*describe-domain"),
        ("StudioExecution", "is not the ARN of a role"),
        ("arn:aws:iam::123456789012:role/StudioExecution", "is arn:aws:iam::.*:role/service-role/.*with its path"),
        ("arn:aws:iam::123456789012:role/Nobody", "There is no role .*/Nobody"),
        ("arn:aws:iam::999999999999:role/Studio", r"belongs to another account.*123456789012"),
        ("arn:aws:sts::123456789012:assumed-role/Studio/me", "is a session, not a role"),
    ],
)
def test_a_studio_role_that_cannot_be_meant_is_refused_before_anything_is_made(
    target: Target, settings: Settings, arn: str, why: str
) -> None:
    with pytest.raises(PublishError, match=why):
        publish(target, replace(settings, studio_role_arns=(arn,) if arn else ()), lambda _: None)

    assert boto3.client("s3").list_buckets()["Buckets"] == []


APPROVER = "arn:aws:iam::123456789012:role/Approver"
NOBODY_APPROVES = (
    "    nobody was named who approves models and production: pass --approver-role-arn ARN, or attach the policy"
)


def chosen(cloudformation: Any) -> dict[str, str]:
    found: dict[str, str] = cloudformation.stacks["mlops-account-setup"].parameters
    return found


def test_approvers_are_named_once_and_stay(target: Target, settings: Settings, cloudformation: Any) -> None:
    boto3.client("iam").create_role(RoleName="Approver", AssumeRolePolicyDocument="{}")
    publish(target, replace(settings, approver_role_arns=(APPROVER,)), lambda _: None)
    assert chosen(cloudformation) == {"StudioRoleName": "StudioExecution", "ApproverRoleName": "Approver"}
    publish(target, settings, lambda _: None)
    assert chosen(cloudformation)["ApproverRoleName"] == "Approver"


def test_one_person_does_both_only_where_that_was_said(target: Target, settings: Settings, cloudformation: Any) -> None:
    with pytest.raises(PublishError, match=r"denied every approval.*--users-may-approve"):
        publish(target, replace(settings, approver_role_arns=(STUDIO,)), lambda _: None)
    assert cloudformation.stacks == {}
    both = replace(settings, approver_role_arns=(STUDIO,), users_may_approve=True)
    publish(target, both, lambda _: None)
    assert chosen(cloudformation) == {"StudioRoleName": "StudioExecution", "UsersMayApprove": "yes"}
    publish(target, replace(settings, users_may_approve=False), lambda _: None)
    assert chosen(cloudformation)["UsersMayApprove"] == "no"


def test_an_account_in_which_nobody_can_approve_is_told(
    target: Target, settings: Settings, cloudformation: Any, said: list[str]
) -> None:
    publish(target, settings, lambda _: None)
    chosen(cloudformation).update(ApproverRoleName="", UsersMayApprove="no")  # their defaults
    publish(target, settings, said.append)
    assert NOBODY_APPROVES in said
    said.clear()
    publish(target, replace(settings, users_may_approve=True), said.append)
    assert NOBODY_APPROVES not in said


def test_an_approver_who_is_not_there_is_refused(target: Target, settings: Settings) -> None:
    with pytest.raises(PublishError, match=r"There is no role .*/Approver in the account"):
        publish(target, replace(settings, approver_role_arns=(APPROVER,)), lambda _: None)


def test_an_account_set_up_from_another_region_is_explained_and_can_be_used(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    boto3.client("iam").create_role(RoleName="MLOpsProjectLaunchRole", AssumeRolePolicyDocument="{}")
    with pytest.raises(PublishError, match=r"from another region.*--no-account-setup"):
        publish(target, settings, lambda _: None)

    assert publish(target, replace(settings, set_up_account=False), lambda _: None).new
    assert cloudformation.executed == ["mlops-catalog"]


def test_when_the_account_setup_fails_nothing_is_revealed(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    cloudformation.failures["mlops-account-setup"] = ("LaunchRole", "not authorized to perform: iam:CreateRole")

    with pytest.raises(PublishError, match=r"LaunchRole \(AWS::IAM::Role\): not authorized to perform: iam:CreateRole"):
        publish(target, settings, lambda _: None)

    assert "mlops-catalog" not in cloudformation.stacks


def test_a_changed_function_becomes_a_further_version_with_an_archive_of_its_own(
    target: Target, settings: Settings
) -> None:
    publish(target, settings, lambda _: None)
    first = pack(settings.root, FUNCTIONS)
    (settings.root / FUNCTIONS.folder / "clean_up.py").write_text("def handler(event, context): return None\n")

    assert publish(target, settings, lambda _: None).new

    assert {first.key, pack(settings.root, FUNCTIONS).key} == {key for key in keys() if key.startswith("functions/")}
    assert boto3.client("s3").get_object(Bucket=BUCKET, Key=first.key)["Body"].read() == first.data


def test_a_corrupt_archive_in_the_bucket_is_named_and_nothing_is_revealed(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    publish(target, settings, lambda _: None)
    (settings.root / "build_repo" / "Makefile").write_text("changed\n")
    key = pack(settings.root, FUNCTIONS).key
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"cut short")

    with pytest.raises(PublishError, match=rf"{key} does not hold what its name says.*publish again"):
        publish(target, settings, lambda _: None)

    assert len(published_catalog(target).versions) == 1


def test_without_the_functions_nothing_is_made(target: Target, settings: Settings) -> None:
    for module in (settings.root / FUNCTIONS.folder).iterdir():
        module.unlink()
    with pytest.raises(SeedError, match=r"clean_up\.py is tracked by git but missing.*git restore"):
        publish(target, settings, lambda _: None)

    assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_a_template_that_no_launch_could_use_is_refused_and_nothing_is_revealed(
    target: Target, settings: Settings, cloudformation: Any, said: list[str]
) -> None:
    template = settings.root / "cloudformation" / "project.yaml"
    template.write_text(template.read_text().replace("Resources:", "Resource:"))

    with pytest.raises(PublishError, match=r"does not accept cloudformation/project\.yaml: .*Nothing was published"):
        publish(target, settings, said.append)

    assert cloudformation.executed == []


def test_a_missing_template_is_named(target: Target, settings: Settings) -> None:
    (settings.root / "cloudformation" / "project.yaml").unlink()
    with pytest.raises(PublishError, match=r"cloudformation/project\.yaml is missing"):
        publish(target, settings, lambda _: None)


# ---- boundaries that launches may choose

THEIRS = [f"arn:aws:iam::123456789012:policy/company/{name}" for name in ("Stricter", "Stricter-still")]


def made(arns: list[str]) -> None:
    nothing = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
    for arn in arns:
        boto3.client("iam").create_policy(PolicyName=arn.rpartition("/")[2], Path="/company/", PolicyDocument=nothing)


def test_the_boundaries_that_launches_may_choose_stay_until_others_are_named(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    made(THEIRS)
    given = cloudformation.stacks

    publish(target, replace(settings, allowed_boundary_arns=(*THEIRS, THEIRS[0])), lambda _: None)
    assert given["mlops-account-setup"].parameters["AllowedPermissionsBoundaries"] == ",".join(THEIRS)

    publish(target, settings, lambda _: None)
    assert given["mlops-account-setup"].parameters["AllowedPermissionsBoundaries"] == ",".join(THEIRS)

    said: list[str] = []
    publish(target, replace(settings, allowed_boundary_arns=(THEIRS[1],)), said.append)
    assert given["mlops-account-setup"].parameters["AllowedPermissionsBoundaries"] == THEIRS[1]
    warnings = [line.strip() for line in said if "WARNING" in line]
    assert [line.split(" is no longer")[0] for line in warnings] == [f"WARNING {THEIRS[0]}"]

    publish(target, replace(settings, allowed_boundary_arns=()), lambda _: None)
    assert given["mlops-account-setup"].parameters["AllowedPermissionsBoundaries"] == ""


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (THEIRS[0], "There is no policy"),
        ("arn:aws:iam::123456789012:policy/*", "a wildcard would allow nothing"),
        ("arn:aws:iam::aws:policy/AdministratorAccess", "is not the ARN of a policy of yours"),
        ("Stricter", "is not the ARN of a policy of yours"),
        ("arn:aws:iam::999999999999:policy/Stricter", "belongs to another account"),
        ("arn:aws-cn:iam::123456789012:policy/Stricter", "belongs to another account"),
    ],
)
def test_what_cannot_be_a_boundary_is_refused_before_anything_is_published(
    target: Target, settings: Settings, cloudformation: Any, arn: str, said: str
) -> None:
    with pytest.raises(PublishError, match=said):
        publish(target, replace(settings, allowed_boundary_arns=(arn,)), lambda _: None)
    assert cloudformation.executed == []
