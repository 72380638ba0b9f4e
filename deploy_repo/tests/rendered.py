"""The endpoint template as CloudFormation would see it with the parameters of a stage: conditions and values resolved.

`python -m tests.rendered`, in this repository, writes the golden files anew after a change that is meant.
"""

import json
import re
from typing import Any

from deployment import template

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
}
_NOTHING = object()


class Rendering:
    """The template with these parameters; names of other resources stay as `<LogicalId>`."""

    def __init__(self, **parameters: object) -> None:
        self._template = template.load(PATH)
        declared = self._template["Parameters"]
        defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
        unknown = parameters.keys() - declared.keys()
        assert not unknown, f"not in the template: {unknown}"
        self._values = {**defaults, **SET_BY_BUILD, **parameters}

    def resources(self) -> dict[str, Any]:
        """What the stack would have, by logical id: its properties."""
        made = {name: each for name, each in self._template["Resources"].items() if self._is_made(each)}
        return {name: self._resolve(each.get("Properties", {})) for name, each in made.items()}

    def outputs(self) -> dict[str, Any]:
        """What the stack would tell."""
        outputs = self._template["Outputs"]
        return {name: self._resolve(each["Value"]) for name, each in outputs.items() if self._is_made(each)}

    def _is_made(self, part: dict[str, Any]) -> bool:
        return "Condition" not in part or self._holds(part["Condition"])

    def _holds(self, condition: str) -> bool:
        return bool(self._resolve(self._template["Conditions"][condition]))

    def _resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for item in node if (value := self._resolve(item)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(key, value)] = node.items()
            match key:
                case "Ref":
                    return _NOTHING if value == "AWS::NoValue" else self._values.get(value, f"<{value}>")
                case "Condition" if isinstance(value, str):
                    return self._holds(value)
                case "Fn::If":
                    return self._resolve(value[1] if self._holds(value[0]) else value[2])
                case "Fn::Equals":
                    first, second = (str(self._resolve(each)) for each in value)
                    return first == second
                case "Fn::Not":
                    return not self._resolve(value[0])
                case "Fn::And":
                    return all(self._resolve(each) for each in value)
                case "Fn::Or":
                    return any(self._resolve(each) for each in value)
                case "Fn::Split":
                    return str(self._resolve(value[1])).split(value[0])
                case "Fn::GetAtt":
                    return f"<{'.'.join(value)}>"
                case "Fn::Sub":
                    text, given = (value[0], self._resolve(value[1])) if isinstance(value, list) else (value, {})
                    known = {**self._values, **given}
                    return re.sub(r"\$\{([^}]+)\}", lambda found: str(known.get(found[1], f"<{found[1]}>")), text)
                case _ if key.startswith("Fn::"):
                    raise NotImplementedError(f"{key}: teach tests/rendered.py")
        return {key: found for key, value in node.items() if (found := self._resolve(value)) is not _NOTHING}


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
