"""Deploys CloudFormation stacks by change set and deletes them, says what happens meanwhile, and why it fails."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from service_catalog.errors import PublishError, code_of, message_of
from service_catalog.target import Client
from service_catalog.waiting import wait

Say = Callable[[str], None]
T = TypeVar("T")

# CloudFormation's ways to say that a change set would change nothing.
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
# A resource that did not fail itself, but was stopped because another one did.
_FOLLOWING = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")


_ABSENT = {"", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}


@dataclass(frozen=True)
class Deployment:
    """The stack's outputs after a deployment, and whether anything had to change."""

    outputs: dict[str, str]
    changed: bool


class Stacks:
    """The CloudFormation stacks of one account and region.

    They are looked at soon at first, then ever less often, up to every ``poll_seconds``.
    """

    def __init__(
        self, cloudformation: Client, say: Say, poll_seconds: float = 2.0, timeout_seconds: float = 1800.0
    ) -> None:
        """``cloudformation`` is a boto3 client; ``say`` is given one line at a time."""
        self._cloudformation = cloudformation
        self._say = say
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds

    def exists(self, name: str) -> bool:
        """Whether the stack stands, i.e. was created and not rolled back."""
        return self._status(name) not in {*_ABSENT, "ROLLBACK_COMPLETE"}

    def parameters(self, name: str) -> dict[str, str]:
        """What the stack was last deployed with; nothing when the stack does not stand."""
        if not self.exists(name):
            return {}
        given = self._describe(name).get("Parameters", [])
        return {each["ParameterKey"]: each["ParameterValue"] for each in given}

    def template(self, name: str) -> dict[str, Any]:
        """The JSON template the stack was last deployed from; empty when the stack does not stand."""
        if not self.exists(name):
            return {}
        answer = self._cloudformation.get_template(StackName=name, TemplateStage="Original")
        body = answer["TemplateBody"]
        if not isinstance(body, dict):
            raise PublishError(
                f"The stack {name} was not made by this program: its template is not the JSON this program writes. "
                "Rename or delete that stack, then publish again."
            )
        return dict(body)

    def deploy(
        self,
        name: str,
        template_url: str,
        parameters: Mapping[str, str] | None = None,
        capabilities: tuple[str, ...] = (),
    ) -> Deployment:
        """Create the stack or bring it up to date. Raises PublishError with the failed resources and their reasons."""
        kind = self._make_way(name)
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
        kept = self._kept_parameters(name, template_url, parameters or {}) if kind == "UPDATE" else []
        try:
            change_set = self._cloudformation.create_change_set(
                StackName=name,
                ChangeSetName=f"publish-{uuid.uuid4().hex}",
                ChangeSetType=kind,
                TemplateURL=template_url,
                Parameters=[*given, *kept],
                Capabilities=list(capabilities),
            )["Id"]
        except ClientError as error:
            if code_of(error) == "ValidationError":
                raise PublishError(
                    f"CloudFormation refused the template of the stack {name}: {message_of(error)}"
                ) from error
            raise
        if not self._has_changes(name, change_set):
            self._cloudformation.delete_change_set(ChangeSetName=change_set)
            return Deployment(self._outputs(name), changed=False)
        stack = self._describe(name)["StackId"]
        seen = self._event_ids(stack)
        self._cloudformation.execute_change_set(ChangeSetName=change_set)
        self._follow(name, stack, seen, success=f"{kind}_COMPLETE")
        return Deployment(self._outputs(name), changed=True)

    def delete(self, name: str) -> bool:
        """Delete the stack with all it holds. Returns False when there is none.

        Raises PublishError with what could not be deleted, and why.
        """
        status = self._status(name)
        if status in {"", "DELETE_COMPLETE"}:
            return False
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            raise PublishError(f"The stack {name} is busy ({status}): somebody else is changing it. Try again later.")
        self._delete(name)
        return True

    def _delete(self, name: str) -> None:
        stack = self._describe(name)["StackId"]  # a stack that is deleted answers to its id only
        seen = self._event_ids(stack)
        self._cloudformation.delete_stack(StackName=stack)
        self._follow(name, stack, seen, success="DELETE_COMPLETE")

    def _make_way(self, name: str) -> str:
        """Which type of change set the stack needs; removes what a failed creation left behind."""
        status = self._status(name)
        if status in _ABSENT:
            return "CREATE"
        if status == "ROLLBACK_COMPLETE":
            # All that can be done with such a stack is to delete it; it holds no resource any more.
            self._say(f"an earlier creation of {name} failed and was rolled back; removing what is left of it")
            self._delete(name)
            return "CREATE"
        if status.endswith("_IN_PROGRESS"):
            raise PublishError(f"The stack {name} is busy ({status}): somebody else is changing it. Try again later.")
        if status == "UPDATE_ROLLBACK_FAILED":
            raise PublishError(
                f"The stack {name} is stuck in {status}. Mend what its events name, then run "
                f"'aws cloudformation continue-update-rollback --stack-name {name}' and publish again."
            )
        if status.endswith("_FAILED"):
            raise PublishError(
                f"The stack {name} is in {status}. Mend what its events name, delete the stack "
                f"('aws cloudformation delete-stack --stack-name {name}'), then publish again."
            )
        return "UPDATE"

    def _kept_parameters(self, name: str, template_url: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        """Parameters that somebody chose for the stack and we say nothing about: without this they would be reset."""
        chosen = {parameter["ParameterKey"] for parameter in self._describe(name).get("Parameters", [])} - given.keys()
        if not chosen:
            return []
        summary = self._cloudformation.get_template_summary(TemplateURL=template_url)
        known = {parameter["ParameterKey"] for parameter in summary["Parameters"]}
        return [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(chosen & known)]

    def _has_changes(self, name: str, change_set: str) -> bool:
        def settled() -> dict[str, Any] | None:
            answer: dict[str, Any] = self._cloudformation.describe_change_set(ChangeSetName=change_set)
            return answer if answer["Status"] in {"CREATE_COMPLETE", "FAILED"} else None

        answer = self._wait(f"the change set of {name}", settled)
        if answer["Status"] == "CREATE_COMPLETE":
            return True
        reason = str(answer.get("StatusReason", "no reason given"))
        if any(words in reason for words in _NOTHING_TO_DO):
            return False
        raise PublishError(f"CloudFormation refused to change the stack {name}: {reason}")

    def _follow(self, name: str, stack: str, seen: set[str], success: str) -> None:
        """Say each event of the stack until it has settled. Raises PublishError unless it ends in ``success``."""
        failures: list[str] = []

        def settled() -> str | None:
            # The stack's own events tell how it ended. Its status may, for a moment, still be the one it had before.
            end = None
            for event in self._new_events(stack, seen):
                if event.get("PhysicalResourceId") != event["StackId"]:
                    self._tell(event, failures)
                elif not event["ResourceStatus"].endswith("_IN_PROGRESS"):
                    end = str(event["ResourceStatus"])
            return end

        status = self._wait(f"the stack {name}", settled)
        if status != success:
            reasons = "\n".join(f"  - {failure}" for failure in failures) or "  - no resource said why"
            raise PublishError(f"The stack {name} ended in {status}:\n{reasons}")

    def _tell(self, event: dict[str, Any], failures: list[str]) -> None:
        status, resource = event["ResourceStatus"], event["LogicalResourceId"]
        described = f"{resource} ({event['ResourceType']})"
        if status.endswith("_FAILED"):
            reason = event.get("ResourceStatusReason", "no reason given")
            self._say(f"FAILED {described}: {reason}")
            if not reason.startswith(_FOLLOWING):
                failures.append(f"{described}: {reason}")
        elif status.endswith("_COMPLETE"):
            self._say(f"{status.removesuffix('_COMPLETE').lower().replace('_', ' ')} done: {described}")

    def _new_events(self, stack: str, seen: set[str]) -> list[dict[str, Any]]:
        """Events not seen before, oldest first; they are marked as seen."""
        fresh = []
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            events = [event for event in page["StackEvents"] if event["EventId"] not in seen]
            fresh.extend(events)
            if len(events) < len(page["StackEvents"]):
                break  # newest first: what follows is older than something already seen
        seen.update(event["EventId"] for event in fresh)
        return fresh[::-1]

    def _event_ids(self, stack: str) -> set[str]:
        seen: set[str] = set()
        self._new_events(stack, seen)
        return seen

    def _outputs(self, name: str) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self._describe(name).get("Outputs", [])}

    def _status(self, name: str) -> str:
        try:
            return str(self._describe(name)["StackStatus"])
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
                return ""
            raise

    def _describe(self, name: str) -> dict[str, Any]:
        stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return stack

    def _wait(self, what: str, settled: Callable[[], T | None]) -> T:
        gave_up = PublishError(
            f"Gave up waiting for {what} after {self._timeout_seconds:.0f} s. CloudFormation goes on; "
            "look at the stack's events in its console, then publish again."
        )
        return wait(settled, self._poll_seconds, self._timeout_seconds, gave_up)
