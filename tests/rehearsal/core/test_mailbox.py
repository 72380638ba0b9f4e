"""An approver's mailbox is a person's doing: it stands on their rights, not on the account's root user."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.mailbox import Mailbox
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import allow, role


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


def test_mail_arrives_in_the_mailbox_of_whoever_may_make_one(cloud: Cloud) -> None:
    root = cloud.identity.root
    topic = cloud.client("sns", root).create_topic(Name="news")["TopicArn"]
    arn = role(cloud.client("iam", root), "engineer", allow("sqs:*"), allow("sns:Subscribe"))
    engineer = cloud.identity.session_of(arn, "test")
    mailbox = Mailbox(lambda service: cloud.client(service, engineer), cloud.account, cloud.region, topic)
    cloud.client("sns", root).publish(TopicArn=topic, Subject="Approve", Message="version 1")
    mail = mailbox.find("Approve", "version 1")
    assert mail == {"subject": "Approve", "text": "version 1"}
    assert cloud.identity.exercised()["engineer", "sns:Subscribe"] == 1


def test_without_the_rights_there_is_no_mailbox(cloud: Cloud) -> None:
    root = cloud.identity.root
    topic = cloud.client("sns", root).create_topic(Name="news")["TopicArn"]
    nobody = cloud.identity.session_of(role(cloud.client("iam", root), "nobody-yet"), "test")
    with pytest.raises(ClientError, match="sqs:createqueue"):
        Mailbox(lambda service: cloud.client(service, nobody), cloud.account, cloud.region, topic)
