"""Which project a clone belongs to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from project_tools.project import Project, ProjectNotFoundError, find

REPOSITORY = "sagemaker-claims-fraud-p-abc123def456-modelbuild"


def clone(folder: Path, address: str) -> Path:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", address], check=True)
    return folder


@pytest.mark.parametrize(
    ("address", "region"),
    [
        (f"https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/{REPOSITORY}", "eu-west-1"),
        (f"https://git-codecommit-fips.us-gov-west-1.amazonaws.com/v1/repos/{REPOSITORY}", "us-gov-west-1"),
        (f"https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/{REPOSITORY}/", "cn-north-1"),
        (f"ssh://APKA1@git-codecommit.us-east-2.amazonaws.com/v1/repos/{REPOSITORY}", "us-east-2"),
        (f"codecommit::eu-central-1://{REPOSITORY}", "eu-central-1"),
        (f"codecommit::eu-central-1://me@{REPOSITORY}", "eu-central-1"),
        (f"codecommit://{REPOSITORY}", ""),
        (f"http://127.0.0.1:4566/v1/repos/{REPOSITORY}", ""),
        (f"git@github.com:claims/{REPOSITORY}.git", ""),
        (f"https://github.com/claims/{REPOSITORY.replace('modelbuild', 'modeldeploy')}", ""),
    ],
)
def test_a_clone_knows_its_project_by_its_address(tmp_path: Path, address: str, region: str) -> None:
    assert find(clone(tmp_path, address), {}) == Project("claims-fraud", "p-abc123def456", region)


def test_a_name_may_hold_what_begins_an_id(tmp_path: Path) -> None:
    address = "codecommit::eu-west-1://sagemaker-a-p-b-p-abc123def456-modeldeploy"

    assert find(clone(tmp_path, address), {}) == Project("a-p-b", "p-abc123def456", "eu-west-1")


def test_the_environment_comes_before_the_clone(tmp_path: Path) -> None:
    given = {"SAGEMAKER_PROJECT_NAME": "other", "SAGEMAKER_PROJECT_ID": "p-zzz"}

    found = find(clone(tmp_path, f"codecommit::eu-west-1://{REPOSITORY}"), given)

    assert found == Project("other", "p-zzz")


def test_half_an_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFoundError, match="SAGEMAKER_PROJECT_NAME is set, but SAGEMAKER_PROJECT_ID is not"):
        find(tmp_path, {"SAGEMAKER_PROJECT_NAME": "other"})


def test_without_a_remote_it_says_what_to_set(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)

    with pytest.raises(ProjectNotFoundError, match=r"no git remote.*set SAGEMAKER_PROJECT_NAME and SAGEMAKER_PROJECT_"):
        find(tmp_path, {})


def test_another_remote_is_named_without_its_password(tmp_path: Path) -> None:
    folder = clone(tmp_path, "https://me:secret@example.com/some/where")

    with pytest.raises(ProjectNotFoundError) as refused:
        find(folder, {})

    assert "`origin`, https://example.com/some/where, names no project" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_every_part_has_the_name_the_template_gives_it() -> None:
    project = Project("claims", "p-1")

    assert project.prefix == "sagemaker-claims-p-1"
    assert project.build_pipeline == "sagemaker-claims-p-1-modelbuild"
    assert project.deploy_pipeline == "sagemaker-claims-p-1-modeldeploy"
    assert (project.model_package_group, project.sagemaker_pipeline) == ("claims-p-1", "claims-p-1")
    assert (project.staging_endpoint, project.production_endpoint) == ("claims-staging", "claims-prod")
    assert project.staging_stack == "sagemaker-claims-p-1-deploy-staging"
    assert project.production_stack == "sagemaker-claims-p-1-deploy-prod"
