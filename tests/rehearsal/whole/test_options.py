"""The launch form: a project launched with every option builds and deploys with them; what cannot work is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.why import explain
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.images import IMAGE
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.light_seeds import WORD, lighten
from tests.rehearsal.whole.project_lab import Project
from tests.waiting import WAITER, until

SUBNETS = ["subnet-0a1b2c3d4e5f60718", "subnet-0123abcd"]
GROUPS = ["sg-0a1b2c3d4e5f60718"]
VPC = {"Subnets": SUBNETS, "SecurityGroupIds": GROUPS}
DATA = "their-lake"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company that has published the template with light seeds."""
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("options"), ENVIRONMENTS)) as cloud:
        published = Company(cloud, settle(cloud))
        lighten(published)
        yield published


# ---- what cannot work


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"VpcSubnetIds": SUBNETS[0]}, "Add the security groups, or leave the subnets empty."),
        ({"VpcSecurityGroupIds": GROUPS[0]}, "Add the subnets, or leave the security groups empty."),
        ({"VpcSubnetIds": "subnet-1, subnet-2"}, "separated by commas without spaces"),
        ({"VpcSubnetIds": ",".join(SUBNETS * 9), "VpcSecurityGroupIds": GROUPS[0]}, "up to 16 ids"),
        ({"VpcSubnetIds": SUBNETS[0], "VpcSecurityGroupIds": ",".join(GROUPS * 6)}, "up to 5 ids"),
        ({"KmsKeyArn": KEY.replace("key/0a1b2c3d", "alias/ours")}, "An alias is none."),
        ({"InputDataUrl": "s3://their-lake/claims"}, "s3://bucket/folder/ with a slash at its end"),
        ({"InputDataUrl": "s3://their-lake/*/claims.csv"}, "without wildcards"),
        (
            {"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            "A policy that AWS manages is none.",
        ),
        ({"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/*"}, "without wildcards"),
        ({"NotificationEmail": "a@example.com, b@example.com"}, "one e-mail address"),
        ({"WhenProjectIsDeleted": "ask-me"}, "WhenProjectIsDeleted"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_work_is_refused_before_anything_is_made(
    company: Company, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ClientError) as refusal:
        company.engineer.client("cloudformation").create_stack(
            StackName="by-hand",
            TemplateURL=published_template(company),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {"SageMakerProjectName": "no", "SageMakerProjectId": "p-0", **given}.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    assert refusal.value.response["Error"]["Code"] == "ValidationError"
    assert said in refusal.value.response["Error"]["Message"]


def published_template(company: Company) -> str:
    s3 = company.engineer.client("s3")
    bucket = next(each["Name"] for each in s3.list_buckets()["Buckets"] if "-catalog-" in each["Name"])
    (key,) = (
        each["Key"]
        for each in s3.list_objects_v2(Bucket=bucket)["Contents"]
        if each["Key"].startswith("template/project-")
    )
    return f"https://{bucket}.s3.{company.cloud.region}.amazonaws.com/{key}"


def test_a_launch_that_cannot_work_tells_the_data_scientist_the_remedy(company: Company) -> None:
    described = company.launch("half", VpcSubnetIds=SUBNETS[0])
    assert described["ProjectStatus"] == "CreateFailed"
    reason = described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert "Add the security groups, or leave the subnets empty." in reason


# ---- a boundary of their own


@pytest.fixture(scope="module")
def boundary(company: Company) -> str:
    """A boundary that the platform team wrote and allows, as docs/launch-form.md says: as wide as the account's own."""
    iam, stacks = (company.engineer.client(service) for service in ("iam", "cloudformation"))
    own = f"arn:aws:iam::{company.cloud.account}:policy/sagemaker-projects/MLOpsProjectBoundary"
    version = iam.get_policy(PolicyArn=own)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=own, VersionId=version)["PolicyVersion"]["Document"]
    made = iam.create_policy(PolicyName="TheirBoundary", Path="/company/", PolicyDocument=json.dumps(document))
    arn = str(made["Policy"]["Arn"])
    (stack,) = stacks.describe_stacks(StackName="mlops-account-setup")["Stacks"]
    kept = [each["ParameterKey"] for each in stack["Parameters"]]
    stacks.update_stack(
        StackName="mlops-account-setup",
        UsePreviousTemplate=True,
        Parameters=[
            *({"ParameterKey": key, "UsePreviousValue": True} for key in kept if key != "AllowedPermissionsBoundaries"),
            {"ParameterKey": "AllowedPermissionsBoundaries", "ParameterValue": arn},
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stacks.get_waiter("stack_update_complete").wait(StackName="mlops-account-setup", WaiterConfig=WAITER)
    return arn


def test_whoever_launches_cannot_choose_a_boundary_that_nobody_allowed(company: Company, boundary: str) -> None:
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    weaker = company.engineer.client("iam").create_policy(PolicyName="Weaker", PolicyDocument=everything)["Policy"][
        "Arn"
    ]
    described = company.launch("weaker", PermissionsBoundaryArn=weaker)
    assert described["ProjectStatus"] == "CreateFailed"
    reason = described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"]
    assert "MLOpsProjectLaunchRole" in reason
    assert "is not authorized to perform: iam:CreateRole" in reason
    roles = company.engineer.client("iam").list_roles(PathPrefix="/sagemaker-projects/")["Roles"]
    assert [each["RoleName"] for each in roles if described["ProjectId"] in str(each)] == []


# ---- everything at once


@dataclass
class Chosen:
    """A project with every option, and the key and the boundary it was given."""

    project: Project
    key: str
    boundary: str

    @property
    def company(self) -> Company:
        return self.project.company

    def client(self, service: str) -> Any:
        return self.company.engineer.client(service)

    def acting_as(self, role: str, service: str) -> Any:
        """A client of one of the project's roles."""
        credentials = self.company.cloud.identity.session_of(self.project.role(role), "a-program")
        return self.company.cloud.client(service, credentials)

    def key_of(self, key: str) -> str | None:
        """The KMS key that an object of the project's bucket is encrypted with."""
        found = self.client("s3").head_object(Bucket=self.project.bucket, Key=key)
        return found.get("SSEKMSKeyId") if found["ServerSideEncryption"] == "aws:kms" else None

    def objects(self, prefix: str = "") -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=self.project.bucket, Prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", [])]

    def push(self, file: str, edit: Callable[[str], str]) -> bool:
        """Push a change of a file to the model-build repository; whether the build that this brings succeeds."""
        scientist, name = self.company.scientist, f"{self.project.prefix}-modelbuild"
        clone = scientist.home / name
        if not clone.exists():
            url = self.client("codecommit").get_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"]
            scientist.git("clone", "--quiet", url, str(clone))
        before = (clone / file).read_text() if (clone / file).exists() else ""
        assert edit(before) != before
        (clone / file).write_text(edit(before))
        scientist.git("add", file, folder=clone)
        scientist.git("commit", "--quiet", "--message", f"Change {file}", folder=clone)
        scientist.git("push", "--quiet", "origin", "main", folder=clone)
        pushed = scientist.git("rev-parse", "HEAD", folder=clone).strip()
        codepipeline = self.client("codepipeline")

        def ended() -> str | None:
            listed = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
            of_this = [
                each for each in listed if pushed in {one["revisionId"] for one in each.get("sourceRevisions", [])}
            ]
            over = all(each["status"] not in ("InProgress", "Stopping") for each in listed)
            return str(of_this[0]["status"]) if over and of_this else None

        return bool(until(ended) == "Succeeded")

    def build(self) -> dict[str, Any]:
        """Push a word to the model-build repository; the training job that this brings."""
        assert self.push(WORD, lambda _: "encrypted")
        (job,) = self.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
        found: dict[str, Any] = self.client("sagemaker").describe_training_job(TrainingJobName=job["TrainingJobName"])
        return found

    def deploy(self) -> None:
        """Approve the version; wait until staging serves it."""
        sagemaker = self.client("sagemaker")
        (version,) = sagemaker.list_model_packages(ModelPackageGroupName=self.project.group)["ModelPackageSummaryList"]
        arn = version["ModelPackageArn"]
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        until(lambda: self.project.endpoint_status("staging") in ("InService", "Failed"))
        assert self.project.endpoint_status("staging") == "InService"


def documented_key_policy(company: Company) -> str:
    """The key policy that AWS gives a key, with what docs/launch-form.md says to add."""
    page = (REPOSITORY_ROOT / "docs" / "launch-form.md").read_text()
    added = page.partition("```json\n")[2].partition("```")[0]
    statements = json.loads(added.replace("ACCOUNT", company.cloud.account).replace("REGION", company.cloud.region))
    root = {"AWS": f"arn:aws:iam::{company.cloud.account}:root"}
    by_default = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [by_default, *statements]})


@pytest.fixture(scope="module")
def chosen(company: Company, boundary: str) -> Chosen:
    key = company.engineer.client("kms").create_key(Policy=documented_key_policy(company))["KeyMetadata"]["Arn"]
    s3 = company.engineer.client("s3")
    s3.create_bucket(Bucket=DATA)
    for name in ("claims/2026/claims.csv", "claims/2025/claims.csv", "salaries.csv"):
        s3.put_object(Bucket=DATA, Key=name, Body=b"amount\n1\n")
    project = Project(
        company,
        NotificationEmail="someone@example.com",
        InputDataUrl=f"s3://{DATA}/claims/2026/",
        KmsKeyArn=key,
        VpcSubnetIds=",".join(SUBNETS),
        VpcSecurityGroupIds=",".join(GROUPS),
        PermissionsBoundaryArn=boundary,
    )
    return Chosen(project, key, boundary)


def test_every_role_of_the_project_carries_the_boundary_it_was_launched_with(chosen: Chosen) -> None:
    iam = chosen.client("iam")
    stack = next(
        each["StackName"]
        for each in chosen.client("cloudformation").describe_stacks()["Stacks"]
        if {"ParameterKey": "PermissionsBoundaryArn", "ParameterValue": chosen.boundary} in each["Parameters"]
        and each["StackStatus"] == "CREATE_COMPLETE"
    )
    resources = chosen.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    roles = [
        each["PhysicalResourceId"]
        for page in resources
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::IAM::Role"
    ]
    assert len(roles) > 10
    boundaries = {
        iam.get_role(RoleName=each)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] for each in roles
    }
    assert boundaries == {chosen.boundary}


def test_what_the_project_keeps_and_says_is_encrypted_with_its_key(chosen: Chosen) -> None:
    project, key = chosen.project, chosen.key
    (rule,) = chosen.client("s3").get_bucket_encryption(Bucket=project.bucket)["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    topics = [each["TopicArn"] for each in chosen.client("sns").list_topics()["Topics"] if project.id in str(each)]
    assert len(topics) == 3
    for each in topics:
        assert chosen.client("sns").get_topic_attributes(TopicArn=each)["Attributes"]["KmsMasterKeyId"] == key
    (topic,) = (each for each in topics if each.endswith("-notifications"))
    groups = [each for each in chosen.client("logs").describe_log_groups()["logGroups"] if project.id in str(each)]
    assert {each["logGroupName"].rpartition("-")[2]: each.get("kmsKeyId") for each in groups} == dict.fromkeys(
        ("modelbuild", "modeldeploy", "testing", "functions"), key
    )
    names = [f"{project.prefix}-{each}" for each in ("modelbuild", "modeldeploy", "testing")]
    builds = chosen.client("codebuild").batch_get_projects(names=names)["projects"]
    assert {each["encryptionKey"] for each in builds} == {key}
    for name in names[:2]:
        store = chosen.client("codepipeline").get_pipeline(name=name)["pipeline"]["artifactStore"]
        assert store["encryptionKey"] == {"id": key, "type": "KMS"}
    subscriptions = chosen.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert ("email", "someone@example.com") in {(each["Protocol"], each["Endpoint"]) for each in subscriptions}


def test_the_pipeline_reads_the_folder_it_was_given_and_nothing_beside_it(chosen: Chosen) -> None:
    s3 = chosen.acting_as("PipelineExecution", "s3")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=DATA, Prefix="claims/2026/")["Contents"]]
    assert s3.get_object(Bucket=DATA, Key="claims/2026/claims.csv")["Body"].read()
    for beside in ("claims/2025/claims.csv", "salaries.csv"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=DATA, Key=beside)
    for prefix in ("", "claims/", "claims/2025/"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket=DATA, Prefix=prefix)


def test_a_model_is_trained_and_served_in_the_network_and_with_the_key(chosen: Chosen) -> None:
    job = chosen.build()
    assert job["VpcConfig"] == VPC
    assert job["ResourceConfig"]["VolumeKmsKeyId"] == job["OutputDataConfig"]["KmsKeyId"] == chosen.key
    assert until(lambda: chosen.project.mailbox.find("waits for your approval")), "an event rule said it"
    chosen.deploy()
    assert until(lambda: chosen.project.mailbox.find("answers in staging")), "the pipeline's role said it"
    sagemaker = chosen.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=f"{chosen.project.name}-staging")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    assert config["KmsKeyId"] == config["DataCaptureConfig"]["KmsKeyId"] == chosen.key
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["VpcConfig"] == VPC
    answer = chosen.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint["EndpointName"], ContentType="application/json", Body=json.dumps({"records": [{}]})
    )
    assert json.load(answer["Body"]) == {"predictions": ["encrypted"]}
    captured = until(lambda: chosen.objects("data-capture/"))
    assert {chosen.key_of(each) for each in (*chosen.objects(), *captured)} == {chosen.key}
    assert [each for each in chosen.company.cloud.identity.denials() if each.action.startswith(("kms:", "ec2:"))] == []


# ---- a seed that forgets them


def training_job(chosen: Chosen) -> dict[str, Any]:
    """A job of the project's pipeline, as the launch form wants it."""
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["true"],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{chosen.project.bucket}/x", "KmsKeyId": chosen.key},
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "VolumeSizeInGB": 1,
            "VolumeKmsKeyId": chosen.key,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": chosen.project.role("PipelineExecution"),
        "VpcConfig": VPC,
        "Tags": [{"Key": "sagemaker:project-id", "Value": chosen.project.id}],
    }


def processing_job(chosen: Chosen) -> dict[str, Any]:
    output = {
        "S3Uri": f"s3://{chosen.project.bucket}/x",
        "LocalPath": "/opt/ml/processing/x",
        "S3UploadMode": "EndOfJob",
    }
    training = training_job(chosen)
    return {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "x", "S3Output": output}], "KmsKeyId": chosen.key},
        "ProcessingResources": {"ClusterConfig": training["ResourceConfig"]},
        "NetworkConfig": {"VpcConfig": VPC},
        "RoleArn": training["RoleArn"],
        "Tags": training["Tags"],
    }


OTHER_NETWORK = {"Subnets": [*SUBNETS, "subnet-0fedcba9876543210"], "SecurityGroupIds": GROUPS}
OTHER_KEY = "arn:aws:kms:us-east-1:123456789012:key/somebody-elses"
FORGETS: dict[str, tuple[str, dict[str, Any]]] = {
    "no network": ("training", {"VpcConfig": None}),
    "a subnet more": ("training", {"VpcConfig": OTHER_NETWORK}),
    "another security group": ("training", {"VpcConfig": {**VPC, "SecurityGroupIds": ["sg-0fedcba9876543210"]}}),
    "no key for the volume": ("training", {"ResourceConfig": {"VolumeKmsKeyId": None}}),
    "no key for the output": ("training", {"OutputDataConfig": {"KmsKeyId": None}}),
    "another key": ("training", {"OutputDataConfig": {"KmsKeyId": OTHER_KEY}}),
    "processing without network": ("processing", {"NetworkConfig": None}),
    "processing without key for its output": ("processing", {"ProcessingOutputConfig": {"KmsKeyId": None}}),
}


def changed(request: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The request with other members; without those that are None."""
    merged = {
        key: changed(request[key], value) if isinstance(value, dict) and key != "VpcConfig" else value
        for key, value in changes.items()
    }
    return {key: value for key, value in {**request, **merged}.items() if value is not None}


def create(chosen: Chosen, kind: str, changes: dict[str, Any]) -> str:
    """Start a job as the project's pipeline does; its name."""
    sagemaker, name = chosen.acting_as("PipelineExecution", "sagemaker"), f"pipelines-{uuid4().hex}"
    if kind == "training":
        sagemaker.create_training_job(TrainingJobName=name, **changed(training_job(chosen), changes))
    else:
        sagemaker.create_processing_job(ProcessingJobName=name, **changed(processing_job(chosen), changes))
    return name


@pytest.mark.parametrize("forgotten", FORGETS)
def test_a_job_that_forgets_the_network_or_the_key_is_not_started(chosen: Chosen, forgotten: str) -> None:
    kind, changes = FORGETS[forgotten]
    with pytest.raises(ClientError, match=f"not authorized to perform: sagemaker:Create{kind.capitalize()}Job"):
        create(chosen, kind, changes)


def test_a_job_in_one_of_the_subnets_and_with_the_key_is_started(chosen: Chosen) -> None:
    """Without this the refusals above could be refusals of something else."""
    one = {**VPC, "Subnets": SUBNETS[:1]}
    training = create(chosen, "training", {"VpcConfig": one})
    processing = create(chosen, "processing", {"NetworkConfig": {"VpcConfig": one}})
    sagemaker = chosen.client("sagemaker")
    assert sagemaker.describe_training_job(TrainingJobName=training)["VpcConfig"] == one
    assert sagemaker.describe_processing_job(ProcessingJobName=processing)["NetworkConfig"]["VpcConfig"] == one


def test_a_model_outside_the_network_and_a_configuration_without_the_key_are_not_created(chosen: Chosen) -> None:
    sagemaker, tags = chosen.acting_as("EndpointDeployment", "sagemaker"), training_job(chosen)["Tags"]
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{chosen.project.bucket}/x.tar.gz"}
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateModel "):
        sagemaker.create_model(
            ModelName="outside",
            ExecutionRoleArn=chosen.project.role("ModelExecution"),
            PrimaryContainer=container,
            Tags=tags,
        )
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateEndpointConfig "):
        sagemaker.create_endpoint_config(EndpointConfigName="bare", ProductionVariants=[variant], Tags=tags)


def test_why_says_what_a_seed_has_forgotten(chosen: Chosen) -> None:
    """Last of these: the model-build repository is left broken."""
    chosen.client("sagemaker").delete_pipeline(PipelineName=chosen.project.group)  # the seed makes one, every time
    assert not chosen.push("train.py", lambda written: written.replace('train["VpcConfig"]', "forgotten"))
    found = explain(chosen.company.scientist, chosen.project)
    assert found is not None
    told = " ".join(found.lines)
    assert "is not authorized to perform: sagemaker:CreateTrainingJob" in told
    assert "See that the request has them: VpcConfig, ResourceConfig.VolumeKmsKeyId" in told


def test_the_project_s_roles_use_its_key_through_services_only(chosen: Chosen) -> None:
    for role in ("PipelineExecution", "ModelExecution", "ModelBuild"):
        with pytest.raises(ClientError, match="AccessDenied"):
            chosen.acting_as(role, "kms").encrypt(KeyId=chosen.key, Plaintext=b"by hand")
