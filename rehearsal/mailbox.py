"""An approver's mailbox: a queue that gets what the project's notification topic sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class Mailbox:
    """Subscribed to a topic as a person's e-mail would be; messages are kept until somebody looks for them."""

    def __init__(self, client: Callable[[str], Any], account: str, region: str, topic_arn: str) -> None:
        """Set up by whoever `client` acts as: a person who may make queues and subscribe to the topic."""
        self._sqs = client("sqs")
        name = "mailbox-" + topic_arn.rpartition(":")[2][-40:]
        self._url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{region}:{account}:{name}"
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)})
        client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
        self.messages: list[dict[str, str]] = []

    def read(self) -> list[dict[str, str]]:
        """Everything that arrived so far: `{"subject", "text"}`, oldest first."""
        while True:
            arrived = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            if not arrived:
                return self.messages
            for message in arrived:
                body = json.loads(message["Body"])
                self.messages.append({"subject": body.get("Subject", ""), "text": body.get("Message", "")})
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def find(self, *words: str) -> dict[str, str] | None:
        """The newest message that contains all the words."""
        for message in reversed(self.read()):
            if all(word in f"{message['subject']} {message['text']}" for word in words):
                return message
        return None
