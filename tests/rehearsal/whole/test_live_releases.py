"""Releases live side by side: a project goes on as it was launched, whatever is published after it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import People, settle
from service_catalog.errors import PublishError
from service_catalog.freeze import freeze
from service_catalog.project_update import LaunchedProject
from service_catalog.publish import S3, SERVICE_CATALOG, Settings, publish
from service_catalog.target import find_target
from tests.waiting import until

SET_UP = """
Parameters: {StudioRoleName: {Type: CommaDelimitedList}, AllowS3Templates: {Type: String, Default: 'no'}}
Resources:
  LaunchRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: MLOpsProjectLaunchRole
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: [servicecatalog.amazonaws.com, cloudformation.amazonaws.com]}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement: [{Effect: Allow, Action: ['cloudformation:*', 's3:Get*', 'iam:*', 'lambda:*'], Resource: '*'}]
  User:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: !Ref StudioRoleName
      PolicyDocument:
        Statement:
          - Effect: Allow
            Action: ['servicecatalog:*', 'sagemaker:*', 'cloudformation:*', 's3:Get*', 'iam:PassRole', 'sts:AssumeRole']
            Resource: '*'
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
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub ${SageMakerProjectName}-answers
      Handler: answer.handler
      Runtime: python3.12
      Role: !GetAtt Role.Arn
      Code:
        S3Bucket: !Sub sagemaker-mlops-catalog-${AWS::AccountId}-${AWS::Region}
        S3Key: !FindInMap [FunctionArchives, Project, Key]
"""
FILES = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1.0.0"\n',
    "CHANGELOG.md": "## Unreleased\n",
    "build_repo/README.md": "# Build\n",
    "deploy_repo/README.md": "# Deploy\n",
    "cloudformation/project.yaml": PRODUCT,
    "cloudformation/account-setup.yaml": SET_UP,
}


@pytest.fixture(scope="module")
def people(cloud: Cloud) -> People:
    return settle(cloud)


@pytest.fixture
def release(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a release whose function answers with its number; the repository."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)

    def make(number: str) -> Path:
        changelog = tmp_path / "CHANGELOG.md"
        changelog.write_text(changelog.read_text().replace("## Unreleased\n", f"## Unreleased\n\n- {number}\n", 1))
        answer = tmp_path / "cloudformation/functions/answer.py"
        answer.parent.mkdir(exist_ok=True)
        answer.write_text(f"def handler(event, context):\n    return {number!r}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", number], check=True)
        freeze(tmp_path, number, lambda _: None)
        return tmp_path

    return make


@pytest.fixture
def scene(cloud: Cloud, people: People, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name, value in cloud.environment(people.platform_engineer).items():
        monkeypatch.setenv(name, value)
    return Scene(cloud, people)


class Scene:
    """A platform engineer who publishes releases, and a data scientist who launches them."""

    def __init__(self, cloud: Cloud, people: People) -> None:
        self.cloud, self.people = cloud, people
        self.sagemaker = cloud.client("sagemaker", people.data_scientist)

    def publish(self, root: Path, number: str) -> str:
        """Publish a release both ways; the address of its template in S3."""
        both, roles = (SERVICE_CATALOG, S3), (self.people.studio_role_arn,)
        settings = Settings(root, number, both, studio_role_arns=roles, poll_seconds=0.1)
        return publish(find_target(), settings, lambda _: None).template_url

    def launch(self, name: str, number: str) -> str:
        """Launch a release from Service Catalog; what the project's function answers."""
        catalog = self.cloud.client("servicecatalog", self.people.data_scientist)
        product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
        versions = {each["Name"]: each["Id"] for each in catalog.describe_product(Id=product)["ProvisioningArtifacts"]}
        details = {"ProductId": product, "ProvisioningArtifactId": versions[number]}
        self.sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)
        return self.launched(name)

    def launch_from_s3(self, name: str, url: str) -> str:
        """Launch a template in S3; what the project's function answers."""
        role = f"arn:aws:iam::{self.cloud.account}:role/MLOpsProjectLaunchRole"
        provider = {"TemplateName": "t", "TemplateURL": url, "RoleARN": role}
        self.sagemaker.create_project(ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": provider}])
        return self.launched(name)

    def launched(self, name: str) -> str:
        ended: Any = until(lambda: self.ended(name))
        assert ended["ProjectStatus"] == "CreateCompleted", ended
        return self.answer(name)

    def ended(self, name: str) -> Any:
        project = self.sagemaker.describe_project(ProjectName=name)
        return None if project["ProjectStatus"].endswith("InProgress") else project

    def answer(self, name: str) -> str:
        functions = self.cloud.client("lambda", self.cloud.identity.root)
        return str(functions.invoke(FunctionName=f"{name}-answers")["Payload"].read().decode()).strip('"')

    def update(self, name: str, number: str = "") -> str:
        """Bring a project to a release as the data scientist; what its function answers then."""
        with pytest.MonkeyPatch.context() as terminal:
            for key, value in self.cloud.environment(self.people.data_scientist).items():
                terminal.setenv(key, value)
            assert LaunchedProject(find_target(), name).update(number, lambda _: None, 0.1)
        return self.answer(name)

    def delete(self, name: str) -> str:
        self.sagemaker.delete_project(ProjectName=name)
        return str(until(lambda: self.ended(name))["ProjectStatus"])


def test_a_project_of_an_older_release_goes_on_and_the_older_release_can_still_be_launched(
    scene: Scene, release: Callable[[str], Path]
) -> None:
    first = scene.publish(release("1.0.0"), "1.0.0")
    assert scene.launch("old", "1.0.0") == "1.0.0"
    assert scene.launch_from_s3("old-s3", first) == "1.0.0"

    second = scene.publish(release("1.1.0"), "1.1.0")

    assert first != second
    assert (scene.answer("old"), scene.answer("old-s3")) == ("1.0.0", "1.0.0")
    assert scene.launch("new", "1.1.0") == "1.1.0"
    assert scene.launch_from_s3("new-s3", second) == "1.1.0"
    assert scene.launch("late", "1.0.0") == "1.0.0"
    assert scene.launch_from_s3("late-s3", first) == "1.0.0"

    assert scene.update("late") == scene.update("late-s3", "1.1.0") == "1.1.0"

    assert (scene.answer("old"), scene.answer("old-s3")) == ("1.0.0", "1.0.0")
    for project, number, why in (
        ("nobody", "1.1.0", "There is no project 'nobody'"),
        ("old", "1.1.0", "others than .*platform-engineer"),
        ("old-s3", "", "Say which version"),
        ("old-s3", "9.9.9", "mlops-project-9.9.9.yaml is not there"),
    ):
        with pytest.raises(PublishError, match=why):  # the platform engineer launches nothing
            LaunchedProject(find_target(), project).update(number, lambda _: None, 0.1)
    assert {scene.delete(each) for each in ("old", "old-s3", "new", "new-s3", "late", "late-s3")} == {"DeleteCompleted"}
