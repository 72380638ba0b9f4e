"""`make preflight` in the rehearsal's cloud, of the template itself: what was just published is found in order."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.people import settle
from service_catalog import __main__ as command

NOT_PLAYED = {"quotas of instances"}
"""What the rehearsal's cloud does not answer, and so nobody can tell."""


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
        "FIX          product in Service Catalog",
    }

    assert command.main(["publish", "--studio-role-arn", people.studio_role_arn, "--poll-seconds", "0.1"]) == 0
    status, published = preflight()
    assert status == 2
    unchecked = [line for line in published if line.startswith("not checked")]
    assert {line.split("  ", 1)[1].split(":")[0] for line in unchecked} == NOT_PLAYED, published
    assert sum(line.startswith("ok") for line in published) == 13

    iam = cloud.client("iam", cloud.identity.root)
    policy = f"arn:aws:iam::{cloud.account}:policy/MLOpsProjectUser"
    iam.detach_role_policy(RoleName=people.studio_role_arn.rpartition("/")[2], PolicyArn=policy)
    status, broken = preflight()
    assert status == 1
    assert [line for line in broken if line.startswith("FIX")] == ["FIX          rights of the Studio roles"]
