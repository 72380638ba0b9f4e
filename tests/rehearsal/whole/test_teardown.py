"""`make teardown` in the rehearsal's cloud: what a published catalog left is listed, and goes once no project lives."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import People, settle
from service_catalog import __main__ as command
from tests.waiting import until

LAUNCHES = """
Parameters: {StudioRoleName: {Type: CommaDelimitedList}, AllowS3Templates: {Type: String, Default: 'no'}}
Resources:
  LaunchRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: MLOpsProjectLaunchRole
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: servicecatalog.amazonaws.com}, Action: 'sts:AssumeRole'}]
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement: [{Effect: Allow, Action: ['sns:*', 'cloudformation:*', 's3:Get*'], Resource: '*'}]
  Boundary:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: MLOpsProjectBoundary
      PolicyDocument: {Statement: [{Effect: Allow, Action: 'sns:*', Resource: '*'}]}
  User:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: !Ref StudioRoleName
      PolicyDocument:
        Statement: [{Effect: Allow, Action: ['servicecatalog:*', 'sagemaker:*', 'sns:*'], Resource: '*'}]
"""
PRODUCT = """
Mappings:
  SeedArchives:
    ModelBuild: {Key: seed/modelbuild-@modelbuild-sha256@.zip}
    ModelDeploy: {Key: seed/modeldeploy-@modeldeploy-sha256@.zip}
  FunctionArchives:
    Project: {Key: functions/project-@functions-sha256@.zip}
Parameters: {SageMakerProjectName: {Type: String}, SageMakerProjectId: {Type: String}}
Resources:
  News:
    Type: AWS::SNS::Topic
"""
FILES = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1.0.0"\n',
    "build_repo/README.md": "# Build\n",
    "deploy_repo/README.md": "# Deploy\n",
    "cloudformation/functions/nothing.py": "",
    "cloudformation/project.yaml": PRODUCT,
    "cloudformation/account-setup.yaml": LAUNCHES,
}


class Company:
    """An account that a small template is published to, and its platform engineer at their terminal."""

    def __init__(self, cloud: Cloud, people: People, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self.people = people
        self._capsys = capsys

    def client(self, service: str) -> Any:
        return self.cloud.client(service, self.cloud.identity.root)

    def command(self, verb: str, *words: str) -> tuple[int, str]:
        """The exit status, and everything that was printed."""
        status = command.main([verb, *words, "--yes", "--poll-seconds", "0.1"])
        printed = self._capsys.readouterr()
        return status, printed.out + printed.err

    def publish(self) -> None:
        status, printed = self.command("publish", "--studio-role-arn", self.people.studio_role_arn)
        assert status == 0, printed

    def launch(self, name: str) -> Any:
        scientist = self.people.data_scientist
        catalog, sagemaker = (self.cloud.client(each, scientist) for each in ("servicecatalog", "sagemaker"))
        product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
        version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
        details = {"ProductId": product, "ProvisioningArtifactId": version}
        sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)
        until(lambda: self.status(name) == "CreateCompleted")
        return sagemaker

    def status(self, name: str) -> str:
        return str(self.client("sagemaker").describe_project(ProjectName=name)["ProjectStatus"])

    def stacks(self) -> set[str]:
        return {each["StackName"] for each in self.client("cloudformation").describe_stacks()["Stacks"]}


@pytest.fixture(scope="module")
def people(cloud: Cloud) -> People:
    return settle(cloud)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-C", str(root)]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*git, *arguments], check=True)
    return root


@pytest.fixture
def company(
    cloud: Cloud,
    people: People,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Company]:
    for name, value in cloud.environment(people.platform_engineer).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "ROOT", repository)
    company = Company(cloud, people, capsys)
    company.publish()
    yield company
    assert company.command("teardown")[0] == 0, "what a test leaves is no other test's"


def test_a_dry_run_lists_everything_and_removes_nothing(company: Company) -> None:
    status, printed = company.command("teardown", "--dry-run")

    assert status == 0
    for words in (
        "stack mlops-catalog",
        "AWS::ServiceCatalog::LaunchRoleConstraint",
        "1 versions (1.0.0-",
        f"open to {company.people.studio_role_arn}",
        "stack mlops-account-setup",
        "AWS::IAM::Role MLOpsProjectLaunchRole",
        "bucket s3://sagemaker-mlops-catalog-123456789012-us-east-1: 6 object versions",
    ):
        assert words in printed, words
    assert company.stacks() >= {"mlops-catalog", "mlops-account-setup"}


def test_it_removes_everything_that_publishing_left_and_then_there_is_nothing_to_do(company: Company) -> None:
    s3 = company.client("s3")
    bucket = next(each["Name"] for each in s3.list_buckets()["Buckets"] if "mlops-catalog" in each["Name"])
    s3.put_object(Bucket=bucket, Key="seed/old", Body=b"1")
    s3.put_object(Bucket=bucket, Key="seed/old", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="seed/old")

    status, printed = company.command("teardown")

    assert status == 0, printed
    assert not company.stacks() & {"mlops-catalog", "mlops-account-setup"}
    assert bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert company.client("servicecatalog").search_products_as_admin()["ProductViewDetails"] == []
    assert company.client("servicecatalog").list_portfolios()["PortfolioDetails"] == []
    with pytest.raises(ClientError, match="NoSuchEntity"):
        company.client("iam").get_role(RoleName="MLOpsProjectLaunchRole")
    status, printed = company.command("teardown")
    assert status == 0
    assert "Nothing of a published catalog is left in account 123456789012, region us-east-1." in printed


def test_a_project_that_lives_is_named_and_nothing_is_removed(company: Company) -> None:
    sagemaker = company.launch("alive")

    status, printed = company.command("teardown")

    assert status == 1
    assert "project alive (p-" in printed
    assert "Nothing was removed" in printed
    assert company.stacks() >= {"mlops-catalog", "mlops-account-setup"}
    sagemaker.delete_project(ProjectName="alive")
    until(lambda: company.status("alive") == "DeleteCompleted")


def test_a_product_that_was_launched_past_sagemaker_is_named(company: Company) -> None:
    catalog = company.cloud.client("servicecatalog", company.people.data_scientist)
    product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
    version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
    given = [{"Key": key, "Value": "p-1"} for key in ("SageMakerProjectName", "SageMakerProjectId")]
    which = {"ProductId": product, "ProvisioningArtifactId": version}
    catalog.provision_product(**which, ProvisionedProductName="by-hand", ProvisioningParameters=given)
    status_of = lambda: catalog.describe_provisioned_product(Name="by-hand")["ProvisionedProductDetail"]["Status"]  # noqa: E731
    until(lambda: status_of() == "AVAILABLE")

    status, printed = company.command("teardown")

    assert status == 1
    assert "provisioned product by-hand (pp-" in printed
    catalog.terminate_provisioned_product(ProvisionedProductName="by-hand")
    everybody = {"Key": "Account", "Value": "self"}
    scan = company.client("servicecatalog").scan_provisioned_products
    until(lambda: not scan(AccessLevelFilter=everybody)["ProvisionedProducts"])


def test_a_domain_shows_the_templates_in_s3_no_longer(company: Company) -> None:
    sagemaker = company.client("sagemaker")
    settings = {"ExecutionRole": company.people.studio_role_arn}
    arn = sagemaker.create_domain(DomainName="studio", AuthMode="IAM", DefaultUserSettings=settings)["DomainArn"]
    status, printed = company.command("publish", "--target", "s3")
    assert status == 0, printed
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"]

    status, printed = company.command("teardown", "--dry-run")
    assert f"tag of {arn}, which shows the bucket's templates in Studio" in printed
    status, printed = company.command("teardown")

    assert status == 0, printed
    assert f"{arn} no longer shows the bucket's templates" in printed
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_whoever_was_let_in_by_hand_does_not_stop_it(company: Company) -> None:
    catalog = company.client("servicecatalog")
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]["Id"]
    arn = company.people.platform_engineer.principal_arn.replace(":sts:", ":iam:").replace("assumed-role", "role")
    arn = arn.rpartition("/")[0]
    catalog.associate_principal_with_portfolio(PortfolioId=portfolio, PrincipalARN=arn, PrincipalType="IAM")

    status, printed = company.command("teardown")

    assert status == 0, printed
    assert f"no longer open to {arn}" in printed
    assert "mlops-catalog" not in company.stacks()


def test_the_account_set_up_stays_while_another_region_or_a_project_needs_it(company: Company) -> None:
    s3, iam = company.client("s3"), company.client("iam")
    elsewhere = f"sagemaker-mlops-catalog-{company.cloud.account}-eu-west-1"
    s3.create_bucket(Bucket=elsewhere)
    try:
        status, printed = company.command("teardown")
    finally:
        s3.delete_bucket(Bucket=elsewhere)
    assert status == 0, printed
    assert "Leave the account set up: the template is published in eu-west-1 too" in printed
    assert "mlops-account-setup" in company.stacks()

    boundary = f"arn:aws:iam::{company.cloud.account}:policy/MLOpsProjectBoundary"
    trust = '{"Statement": []}'
    theirs = f"arn:aws:iam::{company.cloud.account}:policy/theirs"
    project = [{"Key": "sagemaker:project-name", "Value": "p"}]
    roles: dict[str, dict[str, Any]] = {
        "of-a-project": {"PermissionsBoundary": boundary},
        "of-one-with-their-boundary": {"PermissionsBoundary": theirs, "Tags": project},
        "of-something-else": {"PermissionsBoundary": theirs},
        "unbounded": {"Tags": project},
    }
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
    iam.create_policy(PolicyName="theirs", PolicyDocument=document)
    for name, more in roles.items():
        iam.create_role(RoleName=name, Path="/sagemaker-projects/", AssumeRolePolicyDocument=trust, **more)
    try:
        status, printed = company.command("teardown")
    finally:
        for name in roles:
            iam.delete_role(RoleName=name)
        iam.delete_policy(PolicyArn=theirs)
    assert status == 0, printed
    assert "2 roles of projects live within its boundary or one that it allows, of-a-project among them" in printed
    assert "mlops-account-setup" in company.stacks()


def test_a_script_that_does_not_say_yes_removes_nothing(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["teardown"]) == 1
    assert "Nothing was removed" in capsys.readouterr().err
    assert "mlops-catalog" in company.stacks()
