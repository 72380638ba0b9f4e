"""The endpoint template as CloudFormation would see it with the parameters of a stage: conditions and values resolved.

`python -m tests.rendered`, in this repository, writes the golden files anew after a change that is meant.
"""

import json

from deployment import rendering, template

from .conftest import ROOT

PATH = ROOT / "endpoint-config-template.yml"
GOLDEN = ROOT / "tests" / "golden"
SET_BY_BUILD = {
    "SageMakerProjectName": "fraud",
    "SageMakerProjectId": "p-abc123",
    "StageName": "prod",
    "EndpointName": "fraud-prod",
    "ModelPackageName": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/7",
    "ModelExecutionRoleArn": "arn:aws:iam::123456789012:role/sagemaker-projects/model",
    "DataCaptureS3Uri": "s3://bucket/data-capture",
    "AsyncS3Uri": "s3://bucket/async",
    "BatchS3Uri": "s3://bucket/fraud-p-abc123/batch/prod",
    "BatchRoleArn": "arn:aws:iam::123456789012:role/sagemaker-projects/batch",
    "CheckBatchFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:check-batch",
    "BatchChecks": '{"answer": {"probability": "p", "decisions": ["no", "yes"]}, "shares": {"yes": [0.0, 0.5]}}',
    "KmsKeyArn": "",
    "VpcSubnetIds": "",
    "VpcSecurityGroupIds": "",
    "EndpointUpdateDigest": "012345",
}


class Rendering(rendering.Rendering):
    """The template with these parameters, and with what the build would set of the others."""

    def __init__(self, **parameters: object) -> None:
        document = template.load(PATH)
        unknown = parameters.keys() - document["Parameters"].keys()
        assert not unknown, f"not in the template: {unknown}"
        super().__init__(document, {**SET_BY_BUILD, **parameters})


MODES: dict[str, dict[str, object]] = {
    "realtime": {
        "EndpointInstanceCount": 2,
        "EndpointMaxInstanceCount": 4,
        "TrafficRouting": "CANARY",
        "TerminationWaitSeconds": 300,
    },
    "realtime-challenger": {
        "EndpointInstanceCount": 2,
        "EndpointMaxInstanceCount": 2,
        "TrafficRouting": "CANARY",
        "TerminationWaitSeconds": 300,
        "Challenger": "variant",
        "ChallengerVersion": 8,
        "ChallengerTrafficPercent": 20,
        "ChallengerInstanceCount": 2,
        "ChallengerModelPackageName": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/8",
        "ChampionWeight": "80",
    },
    "realtime-shadow": {
        "EndpointInstanceCount": 2,
        "EndpointMaxInstanceCount": 4,
        "TerminationWaitSeconds": 300,
        "Challenger": "shadow",
        "ChallengerVersion": 8,
        "ChallengerTrafficPercent": 50,
        "ChallengerModelPackageName": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/8",
        "ChampionWeight": "100",
        "VariantsChange": "true",
    },
    "serverless": {
        "DeploymentMode": "serverless",
        "ServerlessMemoryMegabytes": 3072,
        "ServerlessMaxConcurrency": 10,
        "ServerlessProvisionedConcurrency": 1,
        "EnableNetworkIsolation": "false",
    },
    "async": {
        "DeploymentMode": "async",
        "EndpointInstanceCount": 2,
        "EndpointMaxInstanceCount": 4,
        "TrafficRouting": "CANARY",
        "TerminationWaitSeconds": 300,
    },
    "batch": {"DeploymentMode": "batch", "BatchInstanceType": "ml.m5.xlarge", "BatchSchedule": "cron(0 5 * * ? *)"},
}
"""Of each mode, the parameters its golden file is made with."""


def text_of(mode: str) -> str:
    """What the golden file of a mode holds."""
    rendering = Rendering(**MODES[mode])
    found = {"Resources": rendering.resources(), "Outputs": rendering.outputs()}
    return json.dumps(found, indent=2) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in MODES:
        (GOLDEN / f"{each}.json").write_text(text_of(each), encoding="utf-8")
