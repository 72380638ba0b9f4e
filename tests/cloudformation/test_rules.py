"""Both templates keep our own rules, and the rules can tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import template_rules as rules
from template_file import Resource, Template

Rule = Callable[[Template], list[str]]

# What fixtures/careless.yaml does wrong: the line, and a word of the complaint.
BROKEN: dict[Rule, list[tuple[int, str]]] = {
    rules.untagged: [(4, "sagemaker:project-id")],
    rules.unbounded_roles: [(10, "path"), (10, "boundary"), (10, "name"), (10, "policies")],
    rules.wildcard_actions: [(25, "s3:Get*")],
    rules.unexplained_wildcard_resources: [(33, "every resource")],
    rules.careless_pass_role: [(38, "mixes"), (38, "any service"), (38, "role/*")],
    rules.unknown_actions: [(42, "sagemaker:CreateModelPackages")],
    rules.actions_without_resource: [(46, "sagemaker:InvokeEndpoint")],
}


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.__name__)
def test_a_project_keeps_the_rule(rule: Rule, project: Template) -> None:
    assert rule(project) == []


# The account's own roles and policies belong to no project: they carry no project's tags and stand outside its path.
@pytest.mark.parametrize(
    "rule",
    [rule for rule in rules.ALL if rule not in (rules.untagged, rules.unbounded_roles)],
    ids=lambda r: r.__name__,
)
def test_the_account_set_up_keeps_the_rule(rule: Rule, account_setup: Template) -> None:
    assert rule(account_setup) == []


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_rule_notices_a_careless_template_and_names_the_line(rule: Rule, careless: Template) -> None:
    complaints = rule(careless)
    expected = BROKEN[rule]
    assert len(complaints) == len(expected), complaints
    for complaint, (line, word) in zip(complaints, expected, strict=True):
        assert complaint.startswith(f"{careless.at(line)}:"), complaint
        assert word in complaint


def test_a_policy_that_is_too_long_is_noticed(careless: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LONGEST_INLINE_POLICIES", 100)
    assert [complaint for complaint in rules.oversized_policies(careless) if "NamedRole" in complaint]


def test_every_rule_is_proved_to_notice_something() -> None:
    assert set(rules.ALL) - set(BROKEN) == {rules.oversized_policies}


def test_nothing_the_user_made_goes_when_the_project_goes(project: Template) -> None:
    kept = {
        "ArtifactBucket",
        "ArtifactBucketPolicy",
        "FunctionsLogGroup",  # says what was deleted and where the rest is
        "ModelBuildRepository",
        "ModelDeployRepository",
        "ModelPackageGroup",
    }
    for resource in project.resources:
        policies = {resource.body.get("DeletionPolicy"), resource.body.get("UpdateReplacePolicy")}
        if resource.logical_id in kept:
            assert policies <= {"Retain", "RetainExceptOnCreate"}, _say(project, resource)
        else:
            assert policies <= {None, "Delete"}, _say(project, resource)


def _say(template: Template, resource: Resource) -> str:
    return f"{template.at(resource.line)}: {resource.logical_id}"
