"""`make preflight` in the rehearsal's cloud, of the template itself: what was just published is found in order."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import settle
from service_catalog import __main__ as command

NOT_PLAYED = {"quotas of instances"}
"""What the rehearsal's cloud does not answer, and so nobody can tell."""


def people_s_own_boundary(cloud: Cloud) -> str:
    """A policy of the company that launches may choose."""
    nothing = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
    made = cloud.client("iam", cloud.identity.root).create_policy(PolicyName="Theirs", PolicyDocument=nothing)
    return str(made["Policy"]["Arn"])


def test_what_was_published_is_in_order_until_somebody_breaks_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    people = settle(cloud)
    for name, value in cloud.environment(people.platform_engineer).items():
        monkeypatch.setenv(name, value)

    cloud.client("sagemaker", cloud.identity.root).create_domain(
        DomainName="company",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": people.studio_role_arn},
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
    )

    def preflight() -> tuple[int, list[str]]:
        capsys.readouterr()
        status = command.main(["preflight", "--studio-role-arn", people.studio_role_arn])
        return status, capsys.readouterr().out.splitlines()

    status, before = preflight()
    assert status == 1
    assert {line for line in before if line.startswith("FIX")} == {
        "FIX          launch role",
        "FIX          permissions boundary",
        "FIX          rights of the Studio roles",
        "FIX          somebody who approves",
        "FIX          product in Service Catalog",
    }

    publish = ["publish", "--studio-role-arn", people.studio_role_arn, "--poll-seconds", "0.1"]
    assert command.main(publish) == 0
    status, unapproved = preflight()
    assert [line for line in unapproved if line.startswith("FIX")] == ["FIX          somebody who approves"]
    boundary = people_s_own_boundary(cloud)
    more = ["--approver-role-arn", people.approver_role_arn, "--allowed-boundary-arn", boundary]
    assert command.main([*publish, *more]) == 0
    status, published = preflight()
    assert status == 2
    unchecked = [line for line in published if line.startswith("not checked")]
    assert {line.split("  ", 1)[1].split(":")[0] for line in unchecked} == NOT_PLAYED, published
    assert sum(line.startswith("ok") for line in published) == 14

    iam = cloud.client("iam", cloud.identity.root)
    iam.delete_policy(PolicyArn=boundary)
    status, gone = preflight()
    assert status == 1
    assert [line for line in gone if line.startswith("FIX")] == ["FIX          permissions boundary"]
    assert any(f"{boundary}, which launches may choose, is missing" in line for line in gone)
    assert command.main([*publish, "--allowed-boundary-arn", boundary]) == 1
    assert f"There is no policy {boundary} in the account" in capsys.readouterr().err
    assert command.main([*publish, "--no-allowed-boundaries"]) == 0
    assert f"WARNING {boundary} is no longer allowed as a boundary" in capsys.readouterr().out
    assert preflight()[0] == 2

    policy = f"arn:aws:iam::{cloud.account}:policy/MLOpsProjectUser"
    iam.detach_role_policy(RoleName=people.studio_role_arn.rpartition("/")[2], PolicyArn=policy)
    status, broken = preflight()
    assert status == 1
    assert [line for line in broken if line.startswith("FIX")] == ["FIX          rights of the Studio roles"]
