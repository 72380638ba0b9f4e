"""A message in a function's log group that is there before the function ends.

What a function prints, Lambda delivers later, and with the function's role. After the deletion of a project that role
is gone a moment after the answer, and the last lines with it. So what must not get lost is not printed but written.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

import logging
import time

from botocore.exceptions import BotoCoreError, ClientError

from aws import Client, code

log = logging.getLogger(__name__)


def write(logs: Client, group: str, stream: str, text: str) -> None:
    """Write one message into a stream of its own. One that cannot be written undoes nothing: it is printed instead.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
    """
    try:
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except ClientError as error:
            if code(error) != "ResourceAlreadyExistsException":  # of an earlier attempt to delete the project
                raise
        event = {"timestamp": int(time.time() * 1000), "message": text}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    except (ClientError, BotoCoreError):
        log.exception("Could not write to the log group %s:\n%s", group, text)
