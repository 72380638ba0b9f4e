"""Launching and publishing: wrong names, archives that are missing or broken, templates that are none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import settle
from rehearsal.person import Person
from service_catalog.publish import Package, pack_all
from tests.bad_input.conftest import ROOT, Ended, StartCloud
from tests.waiting import WAITER, until

READABLE = "servicecatalog:provisioning=true"


@dataclass
class Account:
    """An account in which the real template is on offer, and what people do there."""

    cloud: Cloud
    engineer: Person
    scientist: Person
    studio_role: str
    package: Package
    product: str = ""
    version: str = ""

    @property
    def bucket(self) -> str:
        return f"sagemaker-mlops-catalog-{self.cloud.account}-{self.cloud.region}"

    @property
    def template_url(self) -> str:
        return f"https://{self.bucket}.s3.{self.cloud.region}.amazonaws.com/{self.package.template_key}"

    def create_project(self, name: str) -> tuple[str, str]:
        """Launch as the data scientist; the project's final status and what it says."""
        details = {"ProductId": self.product, "ProvisioningArtifactId": self.version}
        sagemaker = self.scientist.client("sagemaker")
        try:
            sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)
        except ClientError as refusal:
            return "refused", refusal.response["Error"]["Message"]

        def at_rest() -> Any:
            project = sagemaker.describe_project(ProjectName=name)
            return None if project["ProjectStatus"] == "CreateInProgress" else project

        project = until(at_rest, f"an end of {name}'s launch")
        said = project["ServiceCatalogProvisionedProductDetails"].get("ProvisionedProductStatusMessage", "")
        return project["ProjectStatus"], said

    def create_stack(self, name: str) -> tuple[str, str]:
        """Launch the template by hand, as the platform engineer."""
        given = {"SageMakerProjectName": name, "SageMakerProjectId": "p-000000000000"}
        try:
            self.engineer.client("cloudformation").create_stack(
                StackName="by-hand",
                TemplateURL=self.template_url,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        except ClientError as refusal:
            return "refused", refusal.response["Error"]["Message"]
        return "accepted", ""

    def publish(self, root: Path) -> tuple[str, str]:
        """Publish a clone as the platform engineer; the exit status and why."""
        command = [sys.executable, "-m", "service_catalog", "publish", "--studio-role-arn", self.studio_role]
        environment = {**self.engineer.environment(), "PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        return f"exit {done.returncode}", done.stderr.strip()

    def projects(self) -> list[str]:
        found = self.scientist.client("sagemaker").list_projects()["ProjectSummaryList"]
        return [each["ProjectName"] for each in found]

    def left(self, project: str) -> list[str]:
        """What there is of a project besides its data bucket, which is kept whatever happens."""
        repositories = self.engineer.client("codecommit").list_repositories()["repositories"]
        pipelines = self.engineer.client("codepipeline").list_pipelines()["pipelines"]
        roles = self.engineer.client("iam").list_roles(PathPrefix="/sagemaker-projects/")["Roles"]
        names = [each["repositoryName"] for each in repositories] + [each["name"] for each in pipelines]
        return [name for name in names + [each["RoleName"] for each in roles] if project in name]


@pytest.fixture(scope="module")
def account(start_cloud: StartCloud) -> Account:
    """Publishes with plain calls: the real verb takes seconds to start Node and is played by the story."""
    cloud = start_cloud()
    people = settle(cloud)
    engineer = Person("platform-engineer", cloud, people.platform_engineer)
    scientist = Person("data-scientist", cloud, people.data_scientist)
    made = Account(cloud, engineer, scientist, people.studio_role_arn, pack_all(ROOT, lambda _: None))
    s3, cloudformation = engineer.client("s3"), engineer.client("cloudformation")
    s3.create_bucket(Bucket=made.bucket)
    s3.put_bucket_versioning(Bucket=made.bucket, VersioningConfiguration={"Status": "Enabled"})
    for archive in made.package.archives:
        s3.put_object(Bucket=made.bucket, Key=archive.key, Body=archive.data, Tagging=READABLE)
    s3.put_object(Bucket=made.bucket, Key=made.package.template_key, Body=made.package.template, Tagging=READABLE)
    setup = (ROOT / "cloudformation" / "account-setup.yaml").read_bytes()  # too long to be sent with the request
    s3.put_object(Bucket=made.bucket, Key="account-setup.yaml", Body=setup)
    cloudformation.create_stack(
        StackName="mlops-account-setup",
        TemplateURL=f"https://{made.bucket}.s3.amazonaws.com/account-setup.yaml",
        Parameters=[{"ParameterKey": "StudioRoleName", "ParameterValue": people.studio_role_arn.rpartition("/")[2]}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName="mlops-account-setup", WaiterConfig=WAITER)
    catalog = engineer.client("servicecatalog")
    product = catalog.create_product(
        Name="MLOps project",
        Owner="platform",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        ProvisioningArtifactParameters={"Name": "v1", "Info": {"LoadTemplateFromURL": made.template_url}},
    )
    made.product = product["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    made.version = product["ProvisioningArtifactDetail"]["Id"]
    portfolio = catalog.create_portfolio(DisplayName="MLOps", ProviderName="platform")["PortfolioDetail"]["Id"]
    catalog.associate_product_with_portfolio(ProductId=made.product, PortfolioId=portfolio)
    role = f"arn:aws:iam::{cloud.account}:role/MLOpsProjectLaunchRole"
    catalog.create_constraint(
        PortfolioId=portfolio, ProductId=made.product, Type="LAUNCH", Parameters=f'{{"RoleArn": "{role}"}}'
    )
    catalog.associate_principal_with_portfolio(
        PortfolioId=portfolio, PrincipalARN=people.studio_role_arn, PrincipalType="IAM"
    )
    return made


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """This repository as somebody else cloned it, without its history."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    for arguments in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


# ---- names


def test_a_project_name_the_template_does_not_take(account: Account, ended: Ended) -> None:
    ended(*account.create_project("1claims"))
    assert account.left("1claims") == []


def test_a_project_name_with_a_character_sagemaker_does_not_take(account: Account, ended: Ended) -> None:
    ended(*account.create_project("claims_fraud"))
    assert "claims_fraud" not in account.projects()


def test_a_project_name_that_is_too_long(account: Account, ended: Ended) -> None:
    ended(*account.create_project("a" * 33))
    assert "a" * 33 not in account.projects()


def test_a_project_name_that_is_too_long_for_the_template(account: Account, ended: Ended) -> None:
    ended(*account.create_stack("a" * 33))


def test_a_project_name_in_upper_case(account: Account, ended: Ended) -> None:
    ended(*account.create_project("Claims"))
    assert account.left("laims") == []
    assert account.create_stack("Claims")[0] == "refused"


# ---- archives


@pytest.fixture
def deploy_seed(account: Account) -> Any:
    """The archive of the deploy repository; put back in order afterwards."""
    [archive] = [each for each in account.package.archives if "modeldeploy" in each.key]
    yield archive
    s3 = account.engineer.client("s3")
    s3.put_object(Bucket=account.bucket, Key=archive.key, Body=archive.data, Tagging=READABLE)


def test_a_seed_archive_that_is_missing_at_launch(account: Account, deploy_seed: Any, ended: Ended) -> None:
    s3 = account.engineer.client("s3")
    s3.delete_object(Bucket=account.bucket, Key=deploy_seed.key)

    ended(*account.create_project("absent"))

    assert account.left("absent") == []


def test_a_seed_archive_that_is_corrupt_at_launch(account: Account, deploy_seed: Any, ended: Ended) -> None:
    s3 = account.engineer.client("s3")
    s3.put_object(Bucket=account.bucket, Key=deploy_seed.key, Body=deploy_seed.data[:5000], Tagging=READABLE)

    ended(*account.create_project("corrupt"))

    assert account.left("corrupt") == []


def test_a_seed_archive_that_is_corrupt_when_publishing(
    account: Account, deploy_seed: Any, clone: Path, ended: Ended
) -> None:
    s3 = account.engineer.client("s3")
    s3.put_object(Bucket=account.bucket, Key=deploy_seed.key, Body=b"not an archive")

    ended(*account.publish(clone))

    assert s3.get_object(Bucket=account.bucket, Key=deploy_seed.key)["Body"].read() == b"not an archive"


def test_a_seed_file_that_is_missing_when_publishing(account: Account, clone: Path, ended: Ended) -> None:
    (clone / "build_repo" / "pipelines" / "knobs.py").unlink()

    ended(*account.publish(clone))


# ---- templates


def test_a_template_that_is_not_valid_when_publishing(account: Account, clone: Path, ended: Ended) -> None:
    template = clone / "cloudformation" / "project.yaml"
    template.write_text(template.read_text().replace("Type: AWS::SageMaker::ModelPackageGroup", "Type: AWS::Wrong"))
    before = account.engineer.client("cloudformation").list_stacks()["StackSummaries"]

    ended(*account.publish(clone))

    assert account.engineer.client("cloudformation").list_stacks()["StackSummaries"] == before


def test_a_template_that_is_not_valid_when_a_stack_is_made(account: Account, ended: Ended) -> None:
    body = "Resources:\n  News:\n    Type: AWS::SNS::Topic\n    Properties: {Colour: blue}\n"
    cloudformation = account.engineer.client("cloudformation")

    with pytest.raises(ClientError) as refusal:
        cloudformation.create_stack(StackName="wrong", TemplateBody=body)

    ended("refused", refusal.value.response["Error"]["Message"])
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="wrong")
