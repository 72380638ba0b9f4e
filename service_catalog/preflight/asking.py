"""Questions to AWS that a person may not be allowed to ask."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from cfnlint.decode.cfn_yaml import CfnParseError
from yaml import YAMLError

from checks.template_file import Template
from pricing import PriceError, consumption
from service_catalog.catalog import STACK, Catalog, read_catalog
from service_catalog.errors import code_of, is_denied, message_of
from service_catalog.package import PROJECT_TEMPLATE
from service_catalog.target import Target

Answer: TypeAlias = dict[str, Any]
"""What boto3 answers with; its members are as many as AWS's shapes."""

_NAMED = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_NOT_THERE = {"501", "NotImplemented", "NotImplementedException", "UnknownOperationException", "InvalidAction"}
_PREFIX = {"service-quotas": "servicequotas"}
_ACTIONS = {
    "head_object": "GetObject (and s3:ListBucket, without which S3 does not say that an object is missing)",
    "head_bucket": "ListBucket",
}
"""Where the permission is not called like the operation:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""


class NotChecked(Exception):
    """A question that AWS did not answer; says which permission is missing, or what else is in the way."""


class WaitsForAnother(Exception):
    """A question that makes no sense before something else was mended."""


@dataclass(frozen=True)
class Account:
    """The account and region that are looked at. ``studio_role_arns`` as they were named; else those published to."""

    target: Target
    root: Path
    studio_role_arns: tuple[str, ...] = ()

    def look_up(self, service: str, operation: str, absent: Collection[str], **request: str) -> Answer | None:
        """What AWS answers; None for an error code that says that something is not there. Raises NotChecked."""
        try:
            answer: Answer = getattr(self.target.client(service), operation)(**request)
        except ClientError as error:
            if code_of(error) in absent:
                return None
            raise NotChecked(_why(service, operation, error)) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise NotChecked(f"{service} could not be asked: {error}") from error
        return answer

    def ask(self, service: str, operation: str, **request: str) -> Answer:
        """What AWS answers. Raises NotChecked."""
        answer = self.look_up(service, operation, (), **request)
        assert answer is not None  # noqa: S101 no error code stands for it
        return answer

    def ask_all(self, service: str, operation: str, key: str, **request: str) -> list[Answer]:
        """The members of all pages of an answer. Raises NotChecked."""
        found: list[Answer] = []
        try:
            for page in self.target.client(service).get_paginator(operation).paginate(**request):
                found += page[key]
        except ClientError as error:
            raise NotChecked(_why(service, operation, error)) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise NotChecked(f"{service} could not be asked: {error}") from error
        return found

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Outputs of the catalog's stack; empty when nothing is published here."""
        answer = self.look_up("cloudformation", "describe_stacks", ("ValidationError",), StackName=STACK)
        stacks = [each for each in (answer or {}).get("Stacks", []) if each["StackStatus"] in _STANDING]
        return {each["OutputKey"]: each["OutputValue"] for stack in stacks for each in stack.get("Outputs", [])}

    @cached_property
    def catalog(self) -> Catalog:
        """What the catalog's stack holds. Raises WaitsForAnother when nothing is published here."""
        if not self.outputs:
            raise WaitsForAnother("nothing is published here yet")
        body = self.ask("cloudformation", "get_template", StackName=STACK, TemplateStage="Original")["TemplateBody"]
        return read_catalog(json.loads(body) if isinstance(body, str) else body)

    @cached_property
    def project(self) -> Template:
        """The project's template in this clone. Raises NotChecked when it cannot be read."""
        if not (self.root / PROJECT_TEMPLATE).is_file():
            raise NotChecked(f"{PROJECT_TEMPLATE} is missing; run this from a full clone")
        try:
            return consumption.project(self.root)
        except (OSError, YAMLError, CfnParseError, PriceError) as unreadable:
            raise NotChecked(f"{PROJECT_TEMPLATE} cannot be read: {unreadable}") from unreadable

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """ARNs of the roles whose users launch: those named, else those published to; may be none."""
        if self.studio_role_arns or not self.outputs:
            return self.studio_role_arns
        return self.catalog.principals


_STANDING = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"}


def policy_document(written: str | Answer) -> Answer:
    """A policy document, which boto3 gives parsed and some stand-ins as text."""
    document: Answer = json.loads(unquote(written)) if isinstance(written, str) else written
    return document


def _why(service: str, operation: str, error: ClientError) -> str:
    if is_denied(error):
        named = _NAMED.search(message_of(error))
        action = _ACTIONS.get(operation, "".join(part.capitalize() for part in operation.split("_")))
        return f"you lack the permission {named[1] if named else f'{_PREFIX.get(service, service)}:{action}'}"
    if code_of(error) in _NOT_THERE:
        return f"{service} does not answer {error.operation_name} here"
    return f"{error.operation_name} failed: {code_of(error)}: {message_of(error)}"
