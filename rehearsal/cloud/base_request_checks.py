"""Calls that SNS, CloudWatch Logs and the Parameter Store refuse and ministack takes.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`;
`base_template_checks.py` asks the same of the resources of stacks.

Private names of ministack 1.5.33 used here: `sns._subscribe`, `_p` and `_error`; `cloudwatch_logs._create_log_group`;
`kms._resolve_key`; `ssm._put_parameter`.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs, kms, sns, ssm

PROTOCOLS = frozenset(
    {"http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}
)  # https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
BY_ARN = frozenset({"sqs", "lambda", "firehose", "application"})


def install() -> None:
    """Refuse them. Call it once, before the base serves."""
    subscribe, create, put = sns._subscribe, cloudwatch_logs._create_log_group, ssm._put_parameter

    def subscribe_well(params: Any) -> Any:  # noqa: ANN401 - ministack's
        protocol, endpoint = sns._p(params, "Protocol"), sns._p(params, "Endpoint")
        problem = subscription_problem(protocol or "", endpoint or "")
        return sns._error("InvalidParameter", problem, 400) if problem else subscribe(params)

    def create_with_key(data: dict[str, Any]) -> Any:  # noqa: ANN401 - ministack's answer
        problem = log_key_problem(data.get("kmsKeyId") or "")
        return error_response_json("InvalidParameterException", problem, 400) if problem else create(data)

    def put_matching(data: dict[str, Any]) -> Any:  # noqa: ANN401 - ministack's answer
        problem = parameter_problem(data)
        return error_response_json("ParameterPatternMismatchException", problem, 400) if problem else put(data)

    sns._subscribe, cloudwatch_logs._create_log_group = subscribe_well, create_with_key
    ssm._put_parameter = put_matching


def subscription_problem(protocol: str, endpoint: str) -> str | None:
    """What SNS says against a subscriber.

    https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
    """
    if protocol not in PROTOCOLS:
        return f"Invalid parameter: Does not support this protocol string: {protocol}"
    if protocol.startswith("email") and not ADDRESS.fullmatch(endpoint):
        return "Invalid parameter: Email address"
    if protocol.startswith("http") and not endpoint.startswith(f"{protocol}://"):
        return "Invalid parameter: Endpoint must match the specified protocol"
    if protocol in BY_ARN and not endpoint.startswith("arn:"):
        return f"Invalid parameter: {protocol.upper()} endpoint ARN"
    return None


def log_key_problem(key: str) -> str | None:
    """What CloudWatch Logs says against the key of a log group. The key's own policy is not asked.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    """
    found = kms._resolve_key(key) if key else None
    if not key or (found and found.get("KeyState") == "Enabled"):
        return None
    return f"The specified KMS key does not exist or is not allowed to be used with {key}"


def parameter_problem(data: dict[str, Any]) -> str | None:
    """What the Parameter Store says against a value.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    pattern = data.get("AllowedPattern")
    if not pattern:
        return None
    try:
        matches = re.search(pattern, str(data.get("Value") or "")) is not None
    except re.error:
        return f"The allowed pattern {pattern} is not a valid regular expression."
    return None if matches else f"Parameter value, cannot be validated against allowedPattern: {pattern}"
