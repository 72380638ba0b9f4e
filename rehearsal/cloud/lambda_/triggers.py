"""What would invoke functions on AWS and cannot here: topics and buckets, which are the base's.

The base would take the wish and then do nothing, so it is refused before it gets there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import NotImplementedHere

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

SUBSCRIPTION = "the subscription of a Lambda function to an SNS topic"
NOTIFICATION = "the notification of a Lambda function by an S3 bucket"


def refuse_requests(request: Request, form: Mapping[str, str] | None) -> None:
    """Raise NotImplementedHere for a request to SNS or S3 that would make one of them invoke a function."""
    if form is not None and form.get("Action") == "Subscribe" and form.get("Protocol") == "lambda":
        raise NotImplementedHere(SUBSCRIPTION)
    if request.method == "PUT" and "notification" in request.args and b"<CloudFunction" in request.get_data():
        raise NotImplementedHere(NOTIFICATION)


def refuse_properties(type_name: str, properties: Mapping[str, Any]) -> None:
    """Raise NotImplementedHere for a resource in a stack that would."""
    subscriptions: list[Mapping[str, Any]] = []
    if type_name == "AWS::SNS::Subscription":
        subscriptions = [properties]
    elif type_name == "AWS::SNS::Topic":
        subscriptions = list(properties.get("Subscription") or [])
    if any(each.get("Protocol") == "lambda" for each in subscriptions):
        raise NotImplementedHere(SUBSCRIPTION)
    if type_name == "AWS::S3::Bucket" and (properties.get("NotificationConfiguration") or {}).get(
        "LambdaConfigurations"
    ):
        raise NotImplementedHere(NOTIFICATION)
