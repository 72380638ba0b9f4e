"""What an update touches, in which order, and what is left when it fails.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.base.conftest import Stacks, Template, Thing, resource, thing
from tests.waiting import until

OUTPUT = {"Value": {"Ref": "First"}}


def of(**resources: Template) -> Template:
    return {"Resources": resources}


def test_an_update_that_changes_nothing_is_refused(stacks: Stacks, done: list[str]) -> None:
    """https://repost.aws/knowledge-center/cloudformation-stack-update-fails-no-updates"""
    template = of(First=thing("unchanged"))
    assert stacks.create("nothing", template) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update("nothing", template)
    assert stacks.described("nothing")["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    "section",
    [
        {"Description": "other words"},
        {"Metadata": {"Author": "somebody else"}},
        {"Conditions": {"New": {"Fn::Equals": [{"Ref": "AWS::Region"}, "x"]}}},
        {"Parameters": {"New": {"Type": "String", "Default": "x"}}},
    ],
    ids=lambda section: next(iter(section)),
)
def test_what_is_no_resource_is_not_updated_by_itself(stacks: Stacks, done: list[str], section: Template) -> None:
    """ "You can't update this section by itself": of Metadata, Conditions and Parameters.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/metadata-section-structure.html
    """
    (name,) = section
    template = of(First=thing(f"beside-{name}".lower()))
    assert stacks.create(f"beside-{name}", template) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update(f"beside-{name}", {**template, **section})


def test_outputs_and_tags_are_updated_by_themselves(stacks: Stacks, ask: Any) -> None:
    template = of(First=resource("AWS::SNS::Topic", TopicName="tagged-later"))
    assert stacks.create("outputs", template) == "CREATE_COMPLETE"
    assert stacks.update("outputs", {**template, "Outputs": {"Name": OUTPUT}}) == "UPDATE_COMPLETE"
    topic = stacks.outputs("outputs")["Name"]
    tags = [{"Key": "team", "Value": "claims"}]
    assert stacks.update("outputs", {**template, "Outputs": {"Name": OUTPUT}}, Tags=tags) == "UPDATE_COMPLETE"
    assert {"Key": "team", "Value": "claims"} in ask("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]


def test_an_update_touches_only_what_changed(stacks: Stacks, done: list[str]) -> None:
    assert stacks.create("partly", of(First=thing("one"), Second=thing("two"))) == "CREATE_COMPLETE"
    before = len(stacks.events("partly"))
    assert stacks.update("partly", of(First=thing("one"), Second=thing("two", "other"))) == "UPDATE_COMPLETE"
    assert done == ["create one", "create two", "update two"]
    assert "First" not in [each["LogicalResourceId"] for each in stacks.events("partly")[before:]]


def test_a_replacement_is_made_before_what_it_replaces_goes(stacks: Stacks, done: list[str]) -> None:
    old, new = (of(First=thing(name), User=thing("user", {"Ref": "First"})) for name in ("old", "new"))
    assert stacks.create("replaced", old) == "CREATE_COMPLETE"
    before = len(stacks.events("replaced"))
    assert stacks.update("replaced", new) == "UPDATE_COMPLETE"
    assert done[2:] == ["create new", "update user", "delete old"]
    assert stacks.physical_ids("replaced") == {"First": "new", "User": "user"}
    told = [(each["LogicalResourceId"], each["ResourceStatus"]) for each in stacks.events("replaced")[before:]]
    assert told == [
        ("replaced", "UPDATE_IN_PROGRESS"),
        ("First", "UPDATE_IN_PROGRESS"),
        ("First", "UPDATE_COMPLETE"),
        ("User", "UPDATE_IN_PROGRESS"),
        ("User", "UPDATE_COMPLETE"),
        ("replaced", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("First", "DELETE_IN_PROGRESS"),
        ("First", "DELETE_COMPLETE"),
        ("replaced", "UPDATE_COMPLETE"),
    ]


@pytest.mark.parametrize(("policy", "left"), [("Retain", ["delete gone"]), ("Delete", ["delete gone", "delete old"])])
def test_what_is_replaced_or_removed_goes_unless_its_policy_keeps_it(
    stacks: Stacks, done: list[str], policy: str, left: list[str]
) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatereplacepolicy.html"""
    stack = f"replace-{policy}"
    before = of(First=thing("old", UpdateReplacePolicy=policy), Gone=thing("gone"))
    assert stacks.create(stack, before) == "CREATE_COMPLETE"
    assert stacks.update(stack, of(First=thing("new", UpdateReplacePolicy=policy))) == "UPDATE_COMPLETE"
    assert sorted(each for each in done if each.startswith("delete")) == left


def test_a_resource_with_a_custom_name_is_not_replaced_under_the_same_name(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html"""
    first = resource("AWS::SQS::Queue", QueueName="stays.fifo", FifoQueue=True)
    assert stacks.create("same-name", of(First=first)) == "CREATE_COMPLETE"
    body = of(First=resource("AWS::SQS::Queue", QueueName="stays.fifo"))
    with pytest.raises(AssertionError):
        assert stacks.update("same-name", body) == "UPDATE_COMPLETE"


def test_an_update_that_fails_is_rolled_back(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-monitor-stack.html"""
    old = of(First=thing("first", "old"), Second=thing("second", DependsOn="First"))
    assert stacks.create("fails", {**old, "Outputs": {"Name": OUTPUT}}) == "CREATE_COMPLETE"
    Thing.fails.add("create bad")
    new = of(
        First=thing("first", "new"),
        Second=thing("other", DependsOn="First"),
        Bad=thing("bad", DependsOn="Second"),
    )
    before = len(stacks.events("fails"))
    assert stacks.update("fails", new) == "UPDATE_ROLLBACK_COMPLETE"
    assert done[2:] == ["update first", "create other", "create bad", "update first", "delete other"]
    assert stacks.physical_ids("fails") == {"First": "first", "Second": "second"}
    assert stacks.outputs("fails") == {"Name": "first"}
    told = [each for each in stacks.events("fails")[before:] if each["LogicalResourceId"] == "fails"]
    assert [each["ResourceStatus"] for each in told] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert told[1]["ResourceStatusReason"].startswith("The following resource(s) failed to create: [Bad].")
    assert "create bad fails as the test wants" in stacks.reason("fails", "CREATE_FAILED")
    template = stacks.api.get_template(StackName="fails")["TemplateBody"]
    assert set(template["Resources"]) == {"First", "Second"}


def test_a_rollback_that_fails_is_continued(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html"""
    assert stacks.create("stuck", of(First=thing("stuck", "old"))) == "CREATE_COMPLETE"
    Thing.fails |= {"create bad", "update stuck to old"}
    new = of(First=thing("stuck", "new"), Bad=thing("bad", DependsOn="First"))
    assert stacks.update("stuck", new) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED"):
        stacks.update("stuck", new)
    Thing.fails.clear()
    stacks.api.continue_update_rollback(StackName="stuck")
    assert stacks.settled("stuck") == "UPDATE_ROLLBACK_COMPLETE"


# ---- change sets


def change_set(stacks: Stacks, stack: str, template: Template, kind: str = "UPDATE") -> dict[str, Any]:
    made = stacks.api.create_change_set(
        StackName=stack, ChangeSetName="changes", ChangeSetType=kind, TemplateBody=json.dumps(template)
    )["Id"]

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] = stacks.api.describe_change_set(ChangeSetName=made)
        return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    found: dict[str, Any] = until(described)
    return found


def test_a_change_set_says_what_would_be_done_and_does_it_when_told(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html"""
    assert stacks.create("changing", of(A=thing("a"), B=thing("b"), C=thing("c"))) == "CREATE_COMPLETE"
    new = of(A=thing("a", "other"), B=thing("b2"), D=thing("d"))
    found = change_set(stacks, "changing", new)
    changes = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in found["Changes"]}
    assert {name: each["Action"] for name, each in changes.items()} == {
        "A": "Modify", "B": "Modify", "C": "Remove", "D": "Add"
    }  # fmt: skip
    assert (changes["A"]["Replacement"], changes["B"]["Replacement"]) == ("False", "True")
    assert done == ["create a", "create b", "create c"]
    stacks.api.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert stacks.settled("changing") == "UPDATE_COMPLETE"
    assert sorted(done[3:]) == ["create b2", "create d", "delete b", "delete c", "update a"]


def test_a_change_set_without_changes_fails_with_its_reason(stacks: Stacks, done: list[str]) -> None:
    assert stacks.create("no-change", of(A=thing("no-change"))) == "CREATE_COMPLETE"
    found = change_set(stacks, "no-change", of(A=thing("no-change")))
    assert found["Status"] == "FAILED"
    assert "didn't contain changes" in found["StatusReason"]


def test_a_change_set_may_create_a_stack_that_is_only_proposed(stacks: Stacks, done: list[str]) -> None:
    found = change_set(stacks, "proposed", of(A=thing("proposed")), "CREATE")
    assert stacks.described("proposed")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert done == []
    stacks.api.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert until(lambda: stacks.described("proposed")["StackStatus"] == "CREATE_COMPLETE")
    assert done == ["create proposed"]
