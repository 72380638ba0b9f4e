"""Splits the product template in two, for accounts in which a launch may create no roles.

One half is the project without any IAM resource: it takes roles that are there already, by their names. The other makes
these roles ahead, once, as an account's administrator. Both are made from the one template, so they cannot drift.

Roles that are made ahead cannot know what a project's things will be called. So the second half has the parameters
``SageMakerProjectName`` and ``SageMakerProjectId`` too, and takes patterns for them: whatever the template's policies
say of one project, they say of every project that fits. Where a policy names a thing of the project's stack, it names
the ARN that the thing will have.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from cfnlint.decode.cfn_yaml import loads

from seed_code import SeedError

Node: TypeAlias = Any
"""A part of a template: what JSON can hold."""

PREFIX_PARAMETER = "RolePrefix"
PREFIX = "MLOpsProject"
ID_PATTERN = "p-????????????"
"""A project's id, as SageMaker makes it; IAM's ? stands for one character.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html"""
_PATH = "/sagemaker-projects/"
_ROLE_ARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role" + _PATH + "${" + PREFIX_PARAMETER + "}-"
_OF_REGION = "arn:${AWS::Partition}:%s:*:${AWS::AccountId}:"
_GIVEN_BY_SAGEMAKER = {"SageMakerProjectName", "SageMakerProjectId"}
_STACKS = "SP-*"
"""Stacks of templates in S3. https://github.com/aws-samples/sagemaker-custom-project-templates/tree/main/s3_templates"""
_LOGICAL_IN_NAME = 20
"""CloudFormation shortens stack and logical id in the names it makes up; so much of the latter is always left here."""
_NAMED_BY = {
    "AWS::CodeBuild::Project": ("Name", _OF_REGION % "codebuild" + "project/"),
    "AWS::CodeBuild::ReportGroup": ("Name", _OF_REGION % "codebuild" + "report-group/"),
    "AWS::CodeCommit::Repository": ("RepositoryName", _OF_REGION % "codecommit"),
    "AWS::CodePipeline::Pipeline": ("Name", _OF_REGION % "codepipeline"),
    "AWS::Logs::LogGroup": ("LogGroupName", _OF_REGION % "logs" + "log-group:"),
    "AWS::S3::Bucket": ("BucketName", "arn:${AWS::Partition}:s3:::"),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupName", _OF_REGION % "sagemaker" + "model-package-group/"),
    "AWS::SNS::Topic": ("TopicName", _OF_REGION % "sns"),
}
"""For each type the property with its name, and what its ARN has before that."""
_REF_IS_ARN = {"AWS::SNS::Topic"}
_VARIABLE = re.compile(r"\$\{([^!${}][^${}]*)\}")


@dataclass(frozen=True)
class Halves:
    """Two templates: the project's, without any IAM resource, and that of its roles."""

    project: str
    roles: str


def split(template: str) -> Halves | None:
    """Split the product template; None when it makes no role.

    Raises SeedError for what a role that is made ahead cannot name, or tell.
    """
    read = {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": {}, **_read(template)}
    if not any(_is_iam(each) for each in read["Resources"].values()):
        return None
    return Halves(_without_roles(read), _roles_alone(read))


def _without_roles(read: dict[str, Node]) -> str:
    gone = {name for name, each in read["Resources"].items() if _is_iam(each)}

    def role(name: str, attribute: str) -> Node | None:
        if name not in gone:
            return None
        if attribute != "Arn":
            raise SeedError(f"The template uses {name}.{attribute}, which a role that is made ahead does not tell.")
        return {"Fn::Sub": f"{_ROLE_ARN}{name}"}

    kept = {name: _replaced(each, role) for name, each in read["Resources"].items() if name not in gone}
    for each in kept.values():
        before = each.get("DependsOn", [])
        after = [name for name in ([before] if isinstance(before, str) else before) if name not in gone]
        each.pop("DependsOn", None)
        each.update({"DependsOn": after} if after else {})
    outputs = {"Outputs": _replaced(read["Outputs"], role)} if "Outputs" in read else {}
    made = _pruned({**read, "Resources": kept, **outputs})
    of_roles = _used(read) - _used(made) - _GIVEN_BY_SAGEMAKER
    made["Parameters"] = {name: each for name, each in read["Parameters"].items() if name not in of_roles}
    made["Parameters"][PREFIX_PARAMETER] = _prefix()
    made["Metadata"] = _asking(read.get("Metadata", {}), of_roles)
    return _written(made)


def _asking(metadata: Node, of_roles: set[str]) -> Node:
    """The form, asking for the roles in place of what only roles would take: there it would change nothing."""
    made = json.loads(json.dumps(metadata))
    form = made.setdefault("AWS::CloudFormation::Interface", {})
    groups = [
        {**group, "Parameters": [name for name in group["Parameters"] if name not in of_roles]}
        for group in form.get("ParameterGroups", [])
    ]
    roles = {"Label": {"default": "Roles"}, "Parameters": [PREFIX_PARAMETER]}
    form["ParameterGroups"] = [*(group for group in groups if group["Parameters"]), roles]
    form.setdefault("ParameterLabels", {})[PREFIX_PARAMETER] = {"default": "Roles made ahead"}
    for about in (form["ParameterLabels"], made.get("SagemakerTemplateParameterRules", {})):
        for name in of_roles & about.keys():
            del about[name]
    return made


def _roles_alone(read: dict[str, Node]) -> str:
    resources = read["Resources"]

    def arn_or_name(name: str, attribute: str) -> Node | None:
        if name not in resources or _is_iam(resources[name]):
            return None
        return {"Fn::Sub": _described(name, resources[name], attribute)}

    made = {}
    for name, each in resources.items():
        if not _is_iam(each):
            continue
        role = _patterned(_replaced(each, arn_or_name))
        role.pop("DependsOn", None)
        if role["Type"] == "AWS::IAM::Role":
            properties = role["Properties"]
            properties["RoleName"] = {"Fn::Sub": "${" + PREFIX_PARAMETER + "}-" + name}
            properties["Description"] = f"{name} of projects that are launched with roles made ahead"
            properties.pop("Tags", None)  # a tag's value may hold no pattern
        made[name] = role
    parameters = {
        **read["Parameters"],
        "SageMakerProjectName": _pattern("Names", "*", "the projects that may use these roles"),
        "SageMakerProjectId": _pattern("Ids", ID_PATTERN, "as SageMaker makes them"),
        PREFIX_PARAMETER: _prefix(),
    }
    alone = _pruned(
        {
            "AWSTemplateFormatVersion": read["AWSTemplateFormatVersion"],
            "Description": "The roles of MLOps projects, made ahead: for launches that may create none.",
            "Parameters": parameters,
            "Conditions": read.get("Conditions", {}),
            "Resources": made,
        }
    )
    used = _used(alone)
    alone["Parameters"] = {name: each for name, each in parameters.items() if name in used}
    return _written(alone)


# ---- what stands for what


def _described(name: str, resource: Node, attribute: str) -> str:
    """The text that a thing's Ref (without an attribute), name or ARN will be, with variables."""
    kind = resource["Type"]
    if kind == "AWS::Lambda::Function" and attribute == "Arn":
        return _OF_REGION % "lambda" + f"function:{_STACKS}-{name[:_LOGICAL_IN_NAME]}*"
    if kind not in _NAMED_BY:
        raise SeedError(
            f"A role of the template refers to {name}, a {kind}; roles made ahead cannot do so before "
            "seed_code/made_ahead.py knows how the ARN of that type is formed."
        )
    member, before = _NAMED_BY[kind]
    given = resource["Properties"].get(member)
    text = (
        given.get("Fn::Sub") or ("${" + given["Ref"] + "}" if "Ref" in given else "")
        if isinstance(given, dict)
        else given
    )
    if not isinstance(text, str) or not text:
        raise SeedError(f"{name} of the template has no {member} that roles made ahead could name.")
    wants_arn = attribute.endswith("Arn") or (not attribute and kind in _REF_IS_ARN)
    return before + text if wants_arn else text


def _replaced(node: Node, replace: Callable[[str, str], Node | None]) -> Node:
    """A copy in which references stand for what `replace(logical id, attribute)` gives; None leaves them."""
    if isinstance(node, list):
        return [_replaced(each, replace) for each in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        [(function, argument)] = node.items()
        if function == "Ref" and (found := replace(argument, "")) is not None:
            return found
        if function == "Fn::GetAtt":
            name, _, attribute = (argument if isinstance(argument, str) else ".".join(argument)).partition(".")
            if (found := replace(name, attribute)) is not None:
                return found
        if function == "Fn::Sub":
            return {"Fn::Sub": _substituted(argument, replace)}
    return {key: _replaced(each, replace) for key, each in node.items()}


def _substituted(argument: Node, replace: Callable[[str, str], Node | None]) -> Node:
    text, *more = [argument] if isinstance(argument, str) else argument
    own = cast(Mapping[str, Node], more[0] if more else {})

    def one(found: re.Match[str]) -> str:
        name, _, attribute = found[1].partition(".")
        made = None if name in own else replace(name, attribute)
        return found[0] if made is None else str(made["Fn::Sub"])

    text = _VARIABLE.sub(one, text)
    return [text, _replaced(own, replace)] if more else text


def _patterned(node: Node) -> Node:
    """A copy for every region and project: what compares with a pattern has to be told so."""
    if isinstance(node, list):
        return [_patterned(each) for each in node]
    if isinstance(node, str):
        return node.replace("${AWS::Region}", "*")
    if not isinstance(node, dict):
        return node
    if node == {"Ref": "AWS::Region"}:
        return "*"
    if node == {"Ref": "AWS::StackId"}:
        return {"Fn::Sub": _OF_REGION % "cloudformation" + f"stack/{_STACKS}/*"}
    made = {key: _patterned(each) for key, each in node.items()}
    if isinstance(made.get("Fn::Sub"), str) and "${" not in made["Fn::Sub"]:
        return made["Fn::Sub"]
    if isinstance(made.get("Condition"), dict):
        made["Condition"] = _comparing_patterns(made["Condition"])
    return made


def _comparing_patterns(condition: dict[str, dict[str, Node]]) -> dict[str, dict[str, Node]]:
    made: dict[str, dict[str, Node]] = {}
    for operator, tests in condition.items():
        for key, value in tests.items():
            text = json.dumps(value)
            fits = "SageMakerProject" in text or "*" in text
            how = operator.replace("StringEquals", "StringLike").replace("StringNotEquals", "StringNotLike")
            made.setdefault(how if fits else operator, {})[key] = value
    return made


# ---- templates


def _pattern(what: str, default: str, of: str) -> Node:
    return {
        "Type": "String",
        "Description": f"{what} of {of}, as a pattern in which * stands for any characters and ? for one.",
        "Default": default,
        "AllowedPattern": r"^[a-z0-9*?-]{1,32}$",
    }


def _prefix() -> Node:
    return {
        "Type": "String",
        "Description": "How the names of the roles begin that were made ahead for such projects.",
        "Default": PREFIX,
        "AllowedPattern": r"^[A-Za-z0-9]{1,30}$",
        "ConstraintDescription": "must be 1 to 30 letters and digits, as the stack of the roles was given.",
    }


def _pruned(template: dict[str, Node]) -> dict[str, Node]:
    """Without the conditions that nothing uses any more."""
    while True:
        text = json.dumps({**template, "Parameters": {}, "Metadata": {}})
        conditions = {
            name: each for name, each in template.get("Conditions", {}).items() if text.count(json.dumps(name)) > 1
        }
        if conditions == template.get("Conditions", {}):
            break
        template = {**template, "Conditions": conditions}
    if not conditions:
        template.pop("Conditions", None)
    return template


def _used(template: dict[str, Node]) -> set[str]:
    """What a template refers to by name, parameters among it."""
    text = json.dumps({**template, "Parameters": {}, "Metadata": {}})
    return {*_VARIABLE.findall(text), *re.findall(r'"Ref": "([^"]+)"', text)}


def _is_iam(resource: Node) -> bool:
    return str(resource["Type"]).startswith("AWS::IAM::")


def _read(template: str) -> dict[str, Node]:
    return cast(dict[str, Node], json.loads(json.dumps(loads(template))))


def _written(template: dict[str, Node]) -> str:
    return json.dumps(template, indent=1) + "\n"
