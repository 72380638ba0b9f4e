"""Which log stream or log group a call to CloudWatch Logs is authorised on.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack asks for
every action with the ARN of the log group, so that a grant on `log-group:<name>` passes that covers no stream on AWS.
There it is asked

- with the stream, `log-group:<name>:log-stream:<stream>`, where a call names one;
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
- with `log-group:<name>:log-stream:` for a group, which a grant covers only with `:*` at its end;
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
- with the bare `log-group:<name>` to tag by ARN. (same page)

The page says which grants count; the very ARNs are those that AWS's denials name.

Private names of ministack 1.5.33 used here: of `iam_actions` `extract_resource_arn`, `logs_service_context` and
`_safe_json_field`.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

TAGGING_BY_ARN = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})
OF_A_STREAM = frozenset({"CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents"})
WITHOUT_NAME = frozenset({"DescribeLogGroups"})
"""Actions on groups that need not name any: they are asked about a group without a name."""
STREAM = ":log-stream:"


def install() -> None:
    """Ask as CloudWatch Logs does. Call it once, before the base serves."""
    extract, tags = iam_actions.extract_resource_arn, iam_actions.logs_service_context

    def extract_ours(
        service: str,
        method: str,
        path: str,
        headers: dict[str, Any],
        body: bytes,
        *rest: Any,  # noqa: ANN401
    ) -> str:
        found: str = extract(service, method, path, headers, body, *rest)
        if service != "logs":
            return found
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        return found if action in TAGGING_BY_ARN else _asked_about(action, found, body, *rest)

    def tags_of_the_group(action: str, body: bytes, resource: str, *rest: Any) -> Any:  # noqa: ANN401 - ministack's
        return tags(action, body, resource.partition(STREAM)[0], *rest)

    iam_actions.extract_resource_arn = extract_ours
    iam_actions.logs_service_context = tags_of_the_group


def _asked_about(action: str, found: str, body: bytes, _query: Any, region: str, account: str) -> str:  # noqa: ANN401
    group = found
    if found == "*":
        named = iam_actions._safe_json_field(body, "logGroupIdentifier").removesuffix(":*")
        if not named and action not in WITHOUT_NAME:
            return found
        group = named if named.startswith("arn:") else f"arn:aws:logs:{region}:{account}:log-group:{named}"
    stream = iam_actions._safe_json_field(body, "logStreamName") if action in OF_A_STREAM else ""
    return f"{group}{STREAM}{stream}"
