"""The template with seeds that take a second: a build that trains by writing down one word, which the model answers.

Everything else is the template's own: stacks, roles, pipelines, rules, functions, and what the deploy repository does.
"""

from __future__ import annotations

import io
import sys
import zipfile
from typing import Any

from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, INFERENCE
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.project_lab import CHOICE, QUICK_TEST

WORD = "word.txt"
"""What a model of this repository answers. Without the file a build trains nothing."""

BUILD = f"""\
version: 0.2
phases:
  build:
    commands:
      - if [ -f {WORD} ]; then {sys.executable} train.py; fi
"""
TRAIN_JOB = f"""\
mkdir /opt/ml/model/code
cp /opt/ml/input/data/code/{WORD} /opt/ml/model/answer.txt
cp /opt/ml/input/data/code/inference.py /opt/ml/model/code
"""
TRAIN = f"""\
import json, os, time
import boto3

home = os.environ["MODEL_PACKAGE_GROUP_NAME"]
bucket = os.environ["ARTIFACT_BUCKET"]
place = f"s3://{{bucket}}/{{home}}"
for name in ("inference.py", "train.sh", {WORD!r}):
    boto3.client("s3").upload_file(name, bucket, f"{{home}}/code/{{name}}")
code = {{"S3DataType": "S3Prefix", "S3Uri": f"{{place}}/code", "S3DataDistributionType": "FullyReplicated"}}
train = {{
    "AlgorithmSpecification": {{
        "TrainingImage": {IMAGE!r},
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["sh", "/opt/ml/input/data/code/train.sh"]
    }},
    "InputDataConfig": [{{"ChannelName": "code", "DataSource": {{"S3DataSource": code}}}}],
    "OutputDataConfig": {{"S3OutputPath": f"{{place}}/models"}},
    "ResourceConfig": {{"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    "StoppingCondition": {{"MaxRuntimeInSeconds": 600}},
    "RoleArn": os.environ["SAGEMAKER_PIPELINE_ROLE_ARN"],
}}
key, subnets, groups = (os.environ.get(name) for name in ("KMS_KEY_ARN", "VPC_SUBNET_IDS", "VPC_SECURITY_GROUP_IDS"))
if key:
    train["ResourceConfig"]["VolumeKmsKeyId"] = train["OutputDataConfig"]["KmsKeyId"] = key
if subnets:
    train["VpcConfig"] = {{"Subnets": subnets.split(","), "SecurityGroupIds": groups.split(",")}}
model = {{"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
register = {{
    "ModelPackageGroupName": os.environ["MODEL_PACKAGE_GROUP_NAME"],
    "ModelApprovalStatus": "PendingManualApproval",
    "InferenceSpecification": {{
        "Containers": [{{"Image": {IMAGE!r}, "ModelDataUrl": model, "Environment": {CODE!r}}}],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }},
}}
steps = [
    {{"Name": "Train", "Type": "Training", "Arguments": train}},
    {{"Name": "Register", "Type": "RegisterModel", "Arguments": register}},
]
tags = {{"sagemaker:project-name": "SAGEMAKER_PROJECT_NAME", "sagemaker:project-id": "SAGEMAKER_PROJECT_ID"}}
sagemaker = boto3.client("sagemaker")
sagemaker.create_pipeline(
    PipelineName=os.environ["SAGEMAKER_PIPELINE_NAME"],
    PipelineDefinition=json.dumps({{"Version": "2020-12-01", "Metadata": {{}}, "Parameters": [], "Steps": steps}}),
    RoleArn=os.environ["SAGEMAKER_PIPELINE_ROLE_ARN"],
    Tags=[{{"Key": key, "Value": os.environ[name]}} for key, name in tags.items()],
)
arn = sagemaker.start_pipeline_execution(PipelineName=os.environ["SAGEMAKER_PIPELINE_NAME"])["PipelineExecutionArn"]
status = "Executing"
while status == "Executing":
    time.sleep(0.3)
    ended = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    status = ended["PipelineExecutionStatus"]
print(status, ended.get("FailureReason", ""), sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn))
raise SystemExit(status != "Succeeded")
"""
DEPLOY = f"""\
{CHOICE}phases:
  build:
    commands:
      - >-
        echo '{{"Parameters": {{}}}}' | tee staging-config-export.json > prod-config-export.json
      - export DEPLOY=no ASK_APPROVAL=no MODEL_PACKAGE_ARN_RESOLVED=none MODEL_PACKAGE_VERSION=none
      - export CHALLENGER_MODEL_PACKAGE_ARN=none CHALLENGER_KIND=none CHALLENGER_TRAFFIC_PERCENT=none
      - if [ "$MODEL_PACKAGE_ARN" != auto ]; then {sys.executable} build.py && . exports/build.env; fi
artifacts:
  files: [endpoint-config-template.yml, staging-config-export.json, prod-config-export.json]
"""


def lighten(company: Company) -> None:
    """Put light seeds in the place of the published ones."""
    s3: Any = company.engineer.client("s3")
    bucket = next(each["Name"] for each in s3.list_buckets()["Buckets"] if "-catalog-" in each["Name"])
    for found in s3.list_objects_v2(Bucket=bucket, Prefix="seed/")["Contents"]:
        seed = {}
        if "modelbuild" in found["Key"]:
            seed = {
                "codebuild-buildspec.yml": BUILD,
                "train.py": TRAIN,
                "train.sh": TRAIN_JOB,
                "inference.py": INFERENCE,
            }
        else:
            with zipfile.ZipFile(io.BytesIO(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())) as archive:
                seed = {name: archive.read(name).decode() for name in archive.namelist() if not name.endswith("/")}
            seed |= {"buildspec.yml": DEPLOY, "test/buildspec.yml": QUICK_TEST}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in seed.items():
                archive.writestr(name, text)
        s3.put_object(Bucket=bucket, Key=found["Key"], Body=packed.getvalue())
