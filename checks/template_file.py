"""A template as its reviewers see it: values worked out, and the line each of them stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "cloudformation" / "project.yaml"
ACCOUNT_SETUP = ROOT / "cloudformation" / "account-setup.yaml"

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"  # none of the regions projects are launched in has a longer name
STACK = f"SC-{ACCOUNT}-pp-abcdefghijklm"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/0a1b2c3d",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}

LONGEST_NAME = "n" * 32
LONGEST_ID = "p-" + "i" * 18
WORST_CASE = {
    "SageMakerProjectName": LONGEST_NAME,
    "SageMakerProjectId": LONGEST_ID,
    "NotificationEmail": "someone@example.com",
    "InputDataUrl": "s3://their-bucket/claims/2026.csv",
    "KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/" + "k" * 36,
    "VpcSubnetIds": ",".join(f"subnet-{number:017x}" for number in range(16)),
    "VpcSecurityGroupIds": ",".join(f"sg-{number:017x}" for number in range(5)),
    "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/company/their-boundary",
    "WhenProjectIsDeleted": "delete-everything",
}
# Where a template's patterns want more than letters.
EXAMPLES = WORST_CASE | {
    "ModelPackageName": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/n/1",
    "ModelExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/n",
    "DataCaptureS3Uri": "s3://bucket/data-capture",
    "AsyncS3Uri": "s3://bucket/async",
    "EndpointUpdateDigest": "000000",
    "AllowedPermissionsBoundaries": f"arn:aws:iam::{ACCOUNT}:policy/company/their-boundary",
}
ACCOUNT_PARAMETERS = {
    "StudioRoleName": "Studio,OtherStudio",
    "ApproverRoleName": "Approver",
    "UsersMayApprove": "no",
    "AllowS3Templates": "yes",
    "AllowedPermissionsBoundaries": ",".join(f"arn:aws:iam::{ACCOUNT}:policy/company/{each}" for each in ("a", "b")),
}

# What Ref gives for a resource, and the name in its ARN. Unnamed resources are named by CloudFormation.
NAMES = {
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodeBuild::ReportGroup": "Name",
    "AWS::CodeCommit::Repository": "RepositoryName",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "PolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SageMaker::CodeRepository": "CodeRepositoryName",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
}
ARNS = {
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{name}}",
    "AWS::CodeBuild::ReportGroup": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/{{name}}",
    "AWS::CodeCommit::Repository": f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{{name}}",
    "AWS::CodePipeline::Pipeline": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{{name}}",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{name}}",
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy{{path}}{{name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role{{path}}{{name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
    "AWS::SageMaker::CodeRepository": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:code-repository/{{name}}",
    "AWS::SageMaker::ModelPackageGroup": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/{{name}}",
}
REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::SageMaker::ModelPackageGroup"}
FUNCTION = re.compile(r"\$\{([^!}]+)\}")


@dataclass(frozen=True)
class Resource:
    """One resource: `properties` as written, and the line (from 1) of its logical id."""

    logical_id: str
    type: str
    body: dict[str, Any]
    line: int

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("Properties", {})
        return found


@dataclass
class Template:
    """A template file. `parameters` are the values that intrinsic functions are worked out with."""

    path: Path
    parameters: Mapping[str, str]
    document: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.document = self.document or load(str(self.path))
        self.lines = self.path.read_text(encoding="utf-8").splitlines()

    @classmethod
    def with_longest(cls, path: Path, document: dict[str, Any]) -> Template:
        """A template that is read already, each parameter as long as it may be."""
        parameters = document.get("Parameters", {})
        return cls(path, {str(name): longest(str(name), each) for name, each in parameters.items()}, document)

    @property
    def of_project(self) -> bool:
        """Whether the resources belong to one project: SageMaker's two parameters say which."""
        return set(self.document.get("Parameters", {})) >= {"SageMakerProjectName", "SageMakerProjectId"}

    def at(self, line: int) -> str:
        """A place in the file, as editors understand it."""
        where = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{where}:{line}"

    @property
    def resources(self) -> list[Resource]:
        return [
            Resource(str(name), str(body["Type"]), body, line_of(name))
            for name, body in self.document["Resources"].items()
        ]

    def resource(self, logical_id: str) -> Resource:
        return next(each for each in self.resources if each.logical_id == logical_id)

    def of_type(self, type_name: str) -> list[Resource]:
        return [each for each in self.resources if each.type == type_name]

    # ---- intrinsic functions

    def resolve(self, value: Any) -> Any:
        """Work out every intrinsic function in a value; what resolves to AWS::NoValue disappears."""
        if isinstance(value, dict):
            if len(value) == 1:
                (name, argument), *_ = value.items()
                if name == "Ref" or str(name).startswith("Fn::"):
                    return self._function(str(name), argument)
            worked_out = {str(key): self.resolve(each) for key, each in value.items()}
            return {key: each for key, each in worked_out.items() if each is not None}
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not None]
        return str(value) if isinstance(value, str) else value

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(str(argument))
            case "Fn::GetAtt":
                parts = argument.split(".", 1) if isinstance(argument, str) else argument
                return self._attribute(str(parts[0]), str(parts[1]))
            case "Fn::Sub":
                text, own = argument if isinstance(argument, list) else (argument, {})
                return FUNCTION.sub(lambda found: str(self._variable(found[1], own)), str(text))
            case "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self.condition(str(condition)) else otherwise)
            case "Fn::FindInMap":
                first, second, third = map(str, self.resolve(argument))
                return str(self.document["Mappings"][first][second][third])
            case "Fn::Join":
                return str(argument[0]).join(self.resolve(argument[1]))
            case "Fn::Select":
                items = self.resolve(argument[1])
                return items[int(argument[0])] if int(argument[0]) < len(items) else "<nothing to select>"
            case "Fn::Split":
                return str(self.resolve(argument[1])).split(str(argument[0]))
            case _:
                raise NotImplementedError(f"{name} in {self.path.name}")

    def _variable(self, name: str, own: Mapping[str, Any]) -> Any:
        if name in own:
            return self.resolve(own[name])
        return self._attribute(*name.split(".", 1)) if "." in name else self._reference(name)

    def _reference(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.document.get("Parameters", {}):
            value = self.parameters[name]
            kind = str(self.document["Parameters"][name]["Type"])
            return value.split(",") if kind == "CommaDelimitedList" or kind.startswith("List<") else value
        resource = self.resource(name)
        return self.arn(resource) if resource.type in REF_IS_ARN else self.name(resource)

    def _attribute(self, name: str, attribute: str) -> str:
        resource = self.resource(name)
        if attribute.endswith("Arn"):
            return self.arn(resource)
        if (
            attribute == "Name"
            or attribute == NAMES.get(resource.type)
            or attribute == resource.type.split("::")[-1] + "Name"
        ):
            return self.name(resource)
        return f"<{name}.{attribute}>"

    def condition(self, name: str) -> bool:
        """Whether a condition holds with the given parameters."""
        return self._holds(self.document["Conditions"][name])

    def _holds(self, written: Any) -> bool:
        ((name, argument),) = written.items()
        match name:
            case "Fn::Equals":
                left, right = (self.resolve(each) for each in argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(map(self._holds, argument))
            case "Fn::Or":
                return any(map(self._holds, argument))
            case "Condition":
                return self.condition(str(argument))
            case _:
                raise NotImplementedError(f"{name} in a condition of {self.path.name}")

    def name(self, resource: Resource) -> str:
        """The physical name; `<stack>-<logical id>-<random>` where CloudFormation makes it up."""
        written = resource.properties.get(NAMES.get(resource.type, ""))
        return str(self.resolve(written)) if written else f"{STACK}-{resource.logical_id}-X0X0X0X0X0X0"

    def arn(self, resource: Resource) -> str:
        service = resource.type.split("::")[1].lower()
        form = ARNS.get(resource.type, f"arn:aws:{service}:{REGION}:{ACCOUNT}:{{name}}")
        return form.format(name=self.name(resource), path=resource.properties.get("Path", "/"))

    # ---- order

    def needs(self, logical_id: str) -> set[str]:
        """The resources that a resource depends on, however far away: created before it, deleted after it.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html
        """
        found: set[str] = set()
        todo = [logical_id]
        while todo:
            new = self._direct_needs(todo.pop()) - found
            found |= new
            todo += new
        return found

    def _direct_needs(self, logical_id: str) -> set[str]:
        body = self.resource(logical_id).body
        explicit = body.get("DependsOn", [])
        named = {str(each) for each in (explicit if isinstance(explicit, list) else [explicit])}
        for node in walk(body.get("Properties", {})):
            if isinstance(node, dict) and len(node) == 1:
                named |= _referred_to(node)
        return named & {each.logical_id for each in self.resources}

    # ---- walking

    def calls_of(self, function: str) -> Iterator[dict[str, Any]]:
        """Every use of an intrinsic function, anywhere in the file."""
        return (node for node in walk(self.document) if isinstance(node, dict) and set(node) == {function})


def _referred_to(function: dict[str, Any]) -> set[str]:
    """The logical ids that one use of an intrinsic function names, parameters included."""
    ((name, argument),) = function.items()
    match name:
        case "Ref":
            return {str(argument)}
        case "Fn::GetAtt":
            return {str(argument.split(".", 1)[0] if isinstance(argument, str) else argument[0])}
        case "Fn::Sub":
            text = argument[0] if isinstance(argument, list) else argument
            return {found[1].split(".", 1)[0] for found in FUNCTION.finditer(str(text))}
        case _:
            return set()


def longest(name: str, parameter: Mapping[str, Any]) -> str:
    """The longest value a parameter takes; an example where its pattern wants more than letters."""
    if allowed := parameter.get("AllowedValues"):
        return max(map(str, allowed), key=len)
    pattern = str(parameter.get("AllowedPattern", ".*"))
    letters = "n" * int(parameter.get("MaxLength", 0))
    examples = (EXAMPLES.get(name, ""), letters, str(parameter.get("Default", "")))
    return next((each for each in examples if each and re.fullmatch(pattern, each)), "")


def line_of(node: Any) -> int:
    """The line (from 1) that a node of the parsed file starts on."""
    return int(node.start_mark.line) + 1


def walk(node: Any) -> Iterator[Any]:
    """A node and everything below it."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def schema(type_name: str) -> dict[str, Any]:
    """AWS's published schema of a resource type, as cfn-lint bundles it."""
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, type_name).schema
    return found
