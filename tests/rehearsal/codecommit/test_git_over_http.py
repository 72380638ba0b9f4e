"""Git reaches a repository with CodeCommit's credentials and the permissions they carry, and with nothing else."""

from __future__ import annotations

import base64
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.git_credentials import password
from tests.rehearsal.codecommit.conftest import MakePerson
from tests.rehearsal.codecommit.scene import Heard, allow

FORBIDDEN = re.compile(r"The requested URL returned error: 403")


def status_of(
    url: str, *, user: str | None = None, secret: str = "", agent: str = "curl/8", method: str = "GET"
) -> int:
    headers = {"User-Agent": agent}
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
    try:
        with urlopen(Request(url, headers=headers, method=method)) as reply:  # noqa: S310 - our own address
            return int(reply.status)
    except HTTPError as refusal:
        return refusal.code


def test_a_person_clones_commits_and_pushes(cloud: Cloud, person: MakePerson, url: str, codecommit: Any) -> None:
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    commit = jo.commit(folder, "train.py", "print('trained')\n")
    pushed = jo.git("push", "origin", "main", folder=folder)
    assert pushed.returncode == 0, pushed.stderr
    name = url.rpartition("/")[2]
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == commit
    again = jo.clone(url, "again")
    assert (again / "train.py").read_text() == "print('trained')\n"


def test_temporary_credentials_work_like_lasting_ones(cloud: Cloud, person: MakePerson, url: str, session: Any) -> None:
    jo = person(session("git-both", allow("codecommit:GitPull", "codecommit:GitPush")))
    folder = jo.clone(url)
    jo.commit(folder, "a", "a")
    assert jo.git("push", "origin", "main", folder=folder).returncode == 0


def test_who_may_only_read_is_refused_on_push(cloud: Cloud, person: MakePerson, url: str, session: Any) -> None:
    reader = person(session("git-reader", allow("codecommit:GitPull")))
    folder = reader.clone(url)
    reader.commit(folder, "a", "a")
    pushed = reader.git("push", "origin", "main", folder=folder)
    assert pushed.returncode != 0
    assert FORBIDDEN.search(pushed.stderr)
    denied = [one for one in cloud.identity.decisions() if not one.allowed][-1]
    assert (denied.action, denied.resource) == (
        "codecommit:GitPush",
        f"arn:aws:codecommit:us-east-1:123456789012:{url.rpartition('/')[2]}",
    )


def test_who_may_nothing_cannot_even_look(person: MakePerson, url: str, session: Any) -> None:
    nobody = person(session("git-nobody"))
    looked = nobody.git("ls-remote", url)
    assert looked.returncode != 0
    assert FORBIDDEN.search(looked.stderr)


def test_rights_on_one_repository_do_not_reach_another(person: MakePerson, url: str, session: Any) -> None:
    other = "arn:aws:codecommit:us-east-1:123456789012:another"
    jo = person(session("git-another", allow("codecommit:*", resource=other)))
    assert FORBIDDEN.search(jo.git("ls-remote", url).stderr)


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_the_anonymous_are_refused(person: MakePerson, url: str, service: str) -> None:
    assert status_of(f"{url}/info/refs?service={service}") == 403
    assert status_of(f"{url}/{service}", method="POST", agent="git/2.40") == 403
    assert status_of(f"{url}/info/refs?service={service}", user="", agent="git/2.40") == 403
    stranger = person(None)
    verb = ["push", url, "HEAD"] if service == "git-receive-pack" else ["ls-remote", url]
    stranger.git("init", "--quiet", ".")
    stranger.commit(stranger.home, "a", "a")
    stranger.environment["GIT_ASKPASS"] = "true"  # asked for a name and a password, answers nothing
    tried = stranger.git(*verb)
    assert tried.returncode != 0
    assert "Authentication failed" in tried.stderr
    stranger.environment["GIT_ASKPASS"] = "echo"  # answers something
    tried = stranger.git(*verb)
    assert tried.returncode != 0
    assert FORBIDDEN.search(tried.stderr)


def test_git_is_challenged_once_so_that_it_asks_its_helper(url: str) -> None:
    assert status_of(f"{url}/info/refs?service=git-upload-pack", agent="git/2.40.1") == 401


def test_a_wrong_password_is_refused(cloud: Cloud, url: str) -> None:
    root, host = cloud.identity.root, urlsplit(url).netloc
    path, now = urlsplit(url).path, datetime.now(UTC)
    place = f"{url}/info/refs?service=git-upload-pack"

    def made(**other: Any) -> str:
        values: dict[str, Any] = {
            "secret_access_key": root.secret_access_key,
            "region": "us-east-1",
            "host": host,
            "path": path,
            "moment": now,
            **other,
        }
        return password(**values)

    key = root.access_key_id
    assert status_of(place, user=key, secret=made()) == 200
    assert status_of(place, user=key, secret=made(**{"secret_access_key": "guessed"})) == 403
    assert status_of(place, user=key, secret=made(path="/v1/repos/another")) == 403
    assert status_of(place, user=key, secret=made(region="eu-west-1")) == 403
    assert status_of(place, user=key, secret=made(host="git.example.com")) == 403
    assert status_of(place, user=key, secret=made(moment=now - timedelta(minutes=16))) == 403
    assert status_of(place, user=key, secret="let" + "mein") == 403
    assert status_of(place, user="AKIANOBODYHASTHISONE", secret=made()) == 403
    assert status_of(place, user=f"{key}%sometoken", secret=made()) == 403
    assert status_of(place, user=f"{key}%tökén", secret=made()) == 403


def test_a_policy_can_protect_one_branch(person: MakePerson, url: str, session: Any) -> None:
    """The policy of AWS's user guide, word for word:
    https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html"""
    protects_main = {
        "Effect": "Deny",
        "Action": ["codecommit:GitPush"],
        "Resource": "*",
        "Condition": {
            "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main", "refs/heads/prod"]},
            "Null": {"codecommit:References": "false"},
        },
    }
    jo = person(session("git-careful", allow("codecommit:GitPull", "codecommit:GitPush"), protects_main))
    folder = jo.clone(url)
    jo.commit(folder, "a", "a")
    refused = jo.git("push", "origin", "main", folder=folder)
    assert refused.returncode != 0
    assert FORBIDDEN.search(refused.stderr)
    assert jo.git("push", "origin", "main:feature", folder=folder).returncode == 0


def test_a_large_push_arrives_whole(cloud: Cloud, person: MakePerson, url: str) -> None:
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    content = os.urandom(9 << 20)  # more than git sends in one piece, and more than is kept in memory
    jo.commit(folder, "data.bin", content)
    pushed = jo.git("push", "origin", "main", folder=folder)
    assert pushed.returncode == 0, pushed.stderr
    assert (jo.clone(url, "again") / "data.bin").read_bytes() == content


def test_nobodys_own_git_configuration_matters(
    cloud: Cloud, person: MakePerson, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.write_text("[transfer]\nhideRefs = refs\n[receive]\ndenyCreates = true\n[http]\nreceivepack = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hostile))
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    jo.commit(folder, "a", "a")
    assert jo.git("push", "origin", "main", folder=folder).returncode == 0
    assert "refs/heads/main" in jo.git("ls-remote", url).stdout


def test_a_repository_that_does_not_exist_is_not_found(cloud: Cloud, person: MakePerson, url: str) -> None:
    looked = person(cloud.identity.root).git("ls-remote", f"{url}-missing")
    assert looked.returncode != 0
    assert "not found" in looked.stderr


def test_every_pushed_reference_is_told_once(
    cloud: Cloud, person: MakePerson, url: str, heard: list[Heard], codecommit: Any
) -> None:
    name = url.rpartition("/")[2]
    repository_id = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["repositoryId"]
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    first = jo.commit(folder, "a", "a")
    jo.git("push", "origin", "main", folder=folder)
    second = jo.commit(folder, "a", "b")
    jo.git("tag", "v1", folder=folder)
    jo.git("push", "origin", "main", "v1", folder=folder)
    jo.git("push", "origin", "--delete", "v1", folder=folder)
    jo.git("push", "origin", "main", folder=folder)  # nothing new, nothing to tell
    assert {(one.source, one.kind) for one in heard} == {("aws.codecommit", "CodeCommit Repository State Change")}
    assert {one.resources for one in heard} == {(f"arn:aws:codecommit:us-east-1:123456789012:{name}",)}
    told = [
        (one.detail["event"], one.detail["referenceType"], one.detail["referenceName"], one.detail.get("commitId"))
        for one in heard
    ]
    assert told == [
        ("referenceCreated", "branch", "main", first),
        ("referenceUpdated", "branch", "main", second),
        ("referenceCreated", "tag", "v1", second),
        ("referenceDeleted", "tag", "v1", None),
    ]
    update = heard[1].detail
    assert update == {
        "callerUserArn": "arn:aws:iam::123456789012:root",
        "event": "referenceUpdated",
        "repositoryName": name,
        "repositoryId": repository_id,
        "referenceType": "branch",
        "referenceName": "main",
        "referenceFullName": "refs/heads/main",
        "commitId": second,
        "oldCommitId": first,
        "baseCommitId": first,
    }


def test_the_first_branch_pushed_becomes_the_default(
    cloud: Cloud, person: MakePerson, url: str, codecommit: Any
) -> None:
    name = url.rpartition("/")[2]
    assert "defaultBranch" not in codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    jo = person(cloud.identity.root)
    folder = jo.clone(url)
    jo.commit(folder, "a", "a")
    jo.git("push", "origin", "main:trunk", folder=folder)
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "trunk"


def test_a_rule_on_the_bus_gets_the_push(
    cloud: Cloud, person: MakePerson, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real bus, the pattern that starts a pipeline on AWS:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/triggering.html"""
    monkeypatch.undo()
    name, root = url.rpartition("/")[2], cloud.identity.root
    sqs, events = cloud.client("sqs", root), cloud.client("events", root)
    queue = sqs.create_queue(QueueName="pushes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lets_events_in = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [lets_events_in]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [f"arn:aws:codecommit:us-east-1:123456789012:{name}"],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": ["main"],
        },
    }
    events.put_rule(Name="pushes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="pushes", Targets=[{"Id": "queue", "Arn": arn}])
    jo = person(root)
    folder = jo.clone(url)
    commit = jo.commit(folder, "a", "a")
    jo.git("push", "origin", "main:other", folder=folder)
    jo.git("push", "origin", "main", folder=folder)
    message = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
    event = json.loads(message["Body"])
    assert (event["detail"]["referenceName"], event["detail"]["commitId"]) == ("main", commit)
