"""What is kept of a stack and told of it: its role, where a parameter's value came from, and its name.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack forgets
the role, tells the value of an SSM parameter where AWS tells its name with the value beside it, and creates a stack
anew over one whose creation was rolled back. AWS wants that one deleted first.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-describing-stacks.html

Private names of ministack 1.5.33 used here: of `handlers` `_ACTION_HANDLERS`, `_resolve_stack`, `_error`, `_esc` and
`_p`; `cloudformation._stacks` and `_change_sets`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

Form = dict[str, Any]
Answer = tuple[int, Any, Any]
Handler = Callable[[Form], Answer]

_roles: dict[str, str] = {}
"""The role of each stack, and of each change set until it is executed, by id."""


def install() -> None:
    """Keep and tell it. Call it once, before the base serves."""
    actions = handlers._ACTION_HANDLERS
    for name in ("CreateStack", "CreateChangeSet"):
        actions[name] = _refuse_names_in_use(actions[name])
    for name in ("CreateStack", "UpdateStack", "DeleteStack", "RollbackStack", "ContinueUpdateRollback"):
        actions[name] = _keep_role(actions[name])
    actions["UpdateStack"] = _word_states(actions["UpdateStack"])
    actions["CreateChangeSet"] = _keep_role_of_change_set(actions["CreateChangeSet"])
    actions["ExecuteChangeSet"] = _take_role_of_change_set(actions["ExecuteChangeSet"])
    actions["DescribeStacks"] = _tell(actions["DescribeStacks"])


def _refuse_names_in_use(create: Handler) -> Handler:
    def checked(params: Form) -> Answer:
        name = handlers._p(params, "StackName")
        stack = cloudformation._stacks.get(name)
        creates = handlers._p(params, "Action") == "CreateStack" or handlers._p(params, "ChangeSetType") == "CREATE"
        if creates and stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            refused: Answer = handlers._error("AlreadyExistsException", f"Stack [{name}] already exists")
            return refused
        return create(params)

    return checked


def _word_states(update: Handler) -> Handler:
    """People's programs look for CloudFormation's words about a stack that cannot be updated."""

    def worded(params: Form) -> Answer:
        status, headers, body = update(params)
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if status == 400 and stack is not None:
            state = f"is in {stack['StackStatus']} state and"
            words = f"Stack [{handlers._esc(stack['StackName'])}] {state} cannot be updated"
            body = _text(body).replace(words, f"Stack:{handlers._esc(stack['StackId'])} {state} can not be updated.")
        return status, headers, body

    return worded


def _text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body


def _keep_role(act: Handler) -> Handler:
    def kept(params: Form) -> Answer:
        answer = act(params)
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        role = handlers._p(params, "RoleARN")
        if answer[0] == 200 and stack is not None and role:
            _roles[stack["StackId"]] = role
        return answer

    return kept


def _keep_role_of_change_set(create: Handler) -> Handler:
    def kept(params: Form) -> Answer:
        before = set(cloudformation._change_sets)
        answer = create(params)
        role = handlers._p(params, "RoleARN")
        for made in set(cloudformation._change_sets) - before:
            if role:
                _roles[made] = role
        return answer

    return kept


def _take_role_of_change_set(execute: Handler) -> Handler:
    def taken(params: Form) -> Answer:
        known = dict(cloudformation._change_sets.items())  # ministack forgets it with its execution
        answer = execute(params)
        name = handlers._p(params, "ChangeSetName")
        for change_set_id, each in known.items():
            named = name in (change_set_id, each.get("ChangeSetName"))
            if answer[0] == 200 and named and change_set_id in _roles:
                _roles[each["StackId"]] = _roles.pop(change_set_id)
        return answer

    return taken


def _tell(describe: Handler) -> Handler:
    def told(params: Form) -> Answer:
        status, headers, body = describe(params)
        text = _text(body)
        for stack in cloudformation._stacks.values():
            text = _with_role(text, stack)
        return status, headers, text.encode()

    return told


def _with_role(text: str, stack: Form) -> str:
    told = f"<StackId>{handlers._esc(stack['StackId'])}</StackId>"
    before, found, after = text.partition(told)
    if not found:
        return text
    role = _roles.get(stack["StackId"])
    member, end, rest = after.partition("</Parameters>")
    for name, each in (stack.get("_resolved_params") or {}).items():
        key, value = f"<ParameterKey>{handlers._esc(name)}</ParameterKey>", handlers._esc(str(each["Value"]))
        if each.get("SsmName") and not each.get("NoEcho"):
            member = member.replace(
                f"{key}<ParameterValue>{value}</ParameterValue>",
                f"{key}<ParameterValue>{handlers._esc(each['SsmName'])}</ParameterValue>"
                f"<ResolvedValue>{value}</ResolvedValue>",
            )
    return before + found + (f"<RoleARN>{handlers._esc(role)}</RoleARN>" if role else "") + member + end + rest
