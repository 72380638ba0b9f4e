"""A registry and endpoints to test against: moto's, which hold state the way SageMaker does."""

import functools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deployment.settings import BuildSettings

ROOT = Path(__file__).resolve().parent.parent
GROUP = "fraud-p-abc123"
ROLE = "arn:aws:iam::123456789012:role/sagemaker-projects/model"
BUCKET = "sagemaker-project-p-abc123-123456789012"

ENVIRONMENT = {
    "SAGEMAKER_PROJECT_NAME": "fraud",
    "SAGEMAKER_PROJECT_ID": "p-abc123",
    "MODEL_PACKAGE_GROUP_NAME": GROUP,
    "MODEL_EXECUTION_ROLE_ARN": ROLE,
    "ARTIFACT_BUCKET": BUCKET,
    "STAGING_ENDPOINT_NAME": "fraud-staging",
    "PRODUCTION_ENDPOINT_NAME": "fraud-prod",
    "MODEL_PACKAGE_ARN": "auto",
}


@pytest.fixture(scope="session", autouse=True)
def _no_account_but_the_invented_one() -> Iterator[None]:
    """Whatever the environment points at, these tests stay on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@functools.cache
def client(service: str) -> Any:
    """A client that can reach no real account. Made once: making one costs more than all the rest of a test."""
    session = boto3.session.Session("testing", "testing", region_name="eu-west-1")
    return session.client(service)


def settings(**changes: str) -> BuildSettings:
    """The settings of a build, with environment variables changed by name."""
    return BuildSettings.from_environment({**ENVIRONMENT, **changes})


@dataclass
class Registry:
    """A project's model registry and production endpoint."""

    sagemaker: Any
    s3: Any

    def register(self, approval: str = "Approved", group: str = GROUP) -> str:
        """Register the next version, with its artefact in S3, and return its ARN."""
        key = f"models/{group}/{len(self.versions(group)) + 1}/model.tar.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"model")
        container = {
            "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:3.0-5",
            "ModelDataUrl": f"s3://{BUCKET}/{key}",
        }
        answer = self.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus=approval,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )
        return str(answer["ModelPackageArn"])

    def versions(self, group: str = GROUP) -> list[dict[str, Any]]:
        answer = self.sagemaker.list_model_packages(ModelPackageGroupName=group)
        return list(answer["ModelPackageSummaryList"])

    def set_approval(self, arn: str, approval: str) -> None:
        self.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=approval)

    def serve(self, arn: str, endpoint_name: str = "fraud-prod") -> None:
        """Create the model, endpoint configuration and endpoint that serve a package."""
        model, config = f"{endpoint_name}-model", f"{endpoint_name}-config"
        self.sagemaker.create_model(ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": arn})
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
        self.sagemaker.create_endpoint(EndpointName=endpoint_name, EndpointConfigName=config)

    def lose_artefact(self, arn: str) -> None:
        [container] = self.sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"][
            "Containers"
        ]
        self.s3.delete_object(Bucket=BUCKET, Key=container["ModelDataUrl"].removeprefix(f"s3://{BUCKET}/"))


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A project in which nothing has been registered yet."""
    with mock_aws():
        found = Registry(client("sagemaker"), client("s3"))
        found.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        found.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the files that build.py reads."""
    for name in ("endpoint-config-template.yml", "staging-config.json", "prod-config.json"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
