"""Reading CloudWatch Logs: the end of a stream, and the streams of a job or an endpoint."""

from datetime import datetime

from project_tools import links
from project_tools.aws import Aws
from project_tools.findings import Trail
from project_tools.log_lines import Found, of_failed_command, significant

MOST_EVENTS = 5000  # one call: at most 1 MiB, https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
TAIL = 10
MOST_STREAMS = 5


def lines_of(aws: Aws, group: str, stream: str, since: datetime | None = None) -> list[str]:
    """The last lines of a stream, `since` a moment."""
    given = {"startTime": int(since.timestamp() * 1000)} if since else {}
    answer = aws.ask(
        "logs",
        "GetLogEvents",
        logGroupName=group,
        logStreamName=stream,
        limit=MOST_EVENTS,
        startFromHead=False,
        **given,
    )
    events = (answer or {}).get("events", [])
    return [line for event in events for line in event["message"].splitlines()]


def search(aws: Aws, trail: Trail, group: str, job: str = "", since: datetime | None = None) -> Found | None:
    """Look through the streams of a job, or the newest ones, for the line that matters.

    Notes the stream it stands in, and the last lines of that stream, in `trail`.
    """
    best: Found | None = None
    for stream in streams_of(aws, group, job) if job else _newest_streams(aws, group):
        lines = lines_of(aws, group, stream, since)
        found = significant(lines)
        if found and (best is None or (found.strong and not best.strong)):
            best = found
            trail.places = [place for place in trail.places if place.what != "log"]
            trail.at("log", f"{group}, stream {stream}", links.log_stream(aws, group, stream))
            trail.tail = tail(lines)
    return best


def tail(lines: list[str]) -> list[str]:
    """The last lines that say something."""
    return [line for line in of_failed_command(lines) if line.strip()][-TAIL:]


def _newest_streams(aws: Aws, group: str) -> list[str]:
    answer = aws.ask(
        "logs", "DescribeLogStreams", logGroupName=group, limit=MOST_STREAMS, orderBy="LastEventTime", descending=True
    )
    return [stream["logStreamName"] for stream in (answer or {}).get("logStreams", [])]


def streams_of(aws: Aws, group: str, job: str) -> list[str]:
    """The streams `<job>/<host>` of a job. Its name comes from an ARN, which SageMaker writes in lower case, so it is
    asked for the beginning that has none but lower-case letters: `pipelines-<execution>-`.
    """
    beginning = "-".join(job.split("-")[:2])
    answer = aws.ask("logs", "DescribeLogStreams", logGroupName=group, logStreamNamePrefix=beginning)
    names = [stream["logStreamName"] for stream in (answer or {}).get("logStreams", [])]
    return [name for name in names if name.lower().startswith(f"{job.lower()}/")]
