"""Messages to the people of the project."""

import logging

from botocore.exceptions import BotoCoreError, ClientError

from aws import Client

LONGEST_SUBJECT = 99
"""SNS takes fewer than 100 characters of ASCII: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

log = logging.getLogger(__name__)


def publish(sns: Client, topic_arn: str, subject: str, message: str) -> None:
    """Write a message to the log and send it to everybody who subscribed to the topic.

    A message that cannot be sent undoes nothing: what it tells of has happened already.
    """
    log.info("%s\n%s", subject, message)
    try:
        sns.publish(TopicArn=topic_arn, Subject=_line(subject), Message=message)
    except (ClientError, BotoCoreError):
        log.exception("The message above could not be sent to %s", topic_arn)


def _line(subject: str) -> str:
    plain = " ".join(subject.encode("ascii", "replace").decode().split())
    return plain if len(plain) <= LONGEST_SUBJECT else plain[: LONGEST_SUBJECT - 3] + "..."
