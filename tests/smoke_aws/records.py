"""Records of CloudTrail, written by hand in the format that AWS documents.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import itertools
import json
from typing import Any

ACCOUNT = "123456789012"
_numbers = itertools.count(1)


def record(
    source: str, name: str, role: str, *, session: str = "session", invoked_by: str = "", error: str = "", **more: Any
) -> dict[str, Any]:
    """A call that a role's session made."""
    number = next(_numbers)
    identity: dict[str, Any] = {
        "type": "AssumedRole",
        "principalId": f"AROAIDPPEZS35WEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAIDPPEZS35WEXAMPLE",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-projects/{role}",
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"creationDate": "2026-11-20T10:00:00Z", "mfaAuthenticated": "false"},
        },
    }
    if invoked_by:
        identity["invokedBy"] = invoked_by
    found = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": f"2026-11-20T10:00:{number % 60:02d}Z",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": invoked_by or "192.0.2.7",
        "userAgent": invoked_by or "Boto3/1.43",
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"request-{number}",
        "eventID": f"event-{number:04d}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    if error:
        found |= {"errorCode": error, "errorMessage": f"User: {identity['arn']} is not authorized to perform: {name}"}
    return {**found, **more}


def of_a_service(source: str, name: str, service: str) -> dict[str, Any]:
    """An event of a service's own, without any role."""
    found = record(source, name, "nobody")
    return {**found, "userIdentity": {"type": "AWSService", "invokedBy": service}}


def page(*records: dict[str, Any], token: str = "") -> dict[str, Any]:
    """An answer of LookupEvents: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""
    events = [
        {
            "EventId": each["eventID"],
            "EventName": each["eventName"],
            "EventSource": each["eventSource"],
            "CloudTrailEvent": json.dumps(each),
        }
        for each in records
    ]
    return {"Events": events, **({"NextToken": token} if token else {})}
