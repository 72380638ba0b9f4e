"""Pages of the AWS console."""

from urllib.parse import quote

from project_tools.aws import Aws

DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def _console(aws: Aws) -> str:
    return f"https://{aws.region}.{DOMAINS.get(aws.partition, DOMAINS['aws'])}"


def pipeline_execution(aws: Aws, pipeline: str, execution: str) -> str:
    path = f"codesuite/codepipeline/pipelines/{quote(pipeline)}/executions/{execution}/timeline"
    return f"{_console(aws)}/{path}?region={aws.region}"


def stack_events(aws: Aws, stack_id: str) -> str:
    return f"{_console(aws)}/cloudformation/home?region={aws.region}#/stacks/events?stackId={quote(stack_id, safe='')}"


def log_stream(aws: Aws, group: str, stream: str) -> str:
    """The console's own way of quoting: twice, with $ for %."""
    quoted = [quote(quote(part, safe=""), safe="").replace("%", "$") for part in (group, stream)]
    home = f"{_console(aws)}/cloudwatch/home?region={aws.region}#logsV2:log-groups/log-group"
    return f"{home}/{quoted[0]}/log-events/{quoted[1]}"
