"""What the publisher and the templates must agree on, read from both sides."""

from pathlib import Path
from typing import Any

import yaml

from seed_code import SEEDS
from seed_code.render import render
from service_catalog.publish import ACCOUNT_TEMPLATE, LAUNCH_ROLE, PROJECT_TEMPLATE
from service_catalog.seed_bucket import SeedBucket
from service_catalog.target import find_target

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as {tag: value}."""


Loader.add_multi_constructor(
    "!",
    lambda loader, tag, node: {
        tag: loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node, deep=True)
    },
)


def read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load((ROOT / path).read_text(encoding="utf-8"), Loader)  # noqa: S506 a SafeLoader
    return template


def test_the_product_template_renders_with_the_seeds_that_are_packed() -> None:
    text = (ROOT / PROJECT_TEMPLATE).read_text(encoding="utf-8")
    rendered = render(text, dict.fromkeys(SEEDS, "0" * 64), str(PROJECT_TEMPLATE))

    archives = yaml.load(rendered, Loader)["Mappings"]["SeedArchives"]  # noqa: S506 a SafeLoader
    assert {archive["Key"] for archive in archives.values()} == {f"seed/{name}-{'0' * 64}.zip" for name in SEEDS}


def test_repositories_are_seeded_from_the_bucket_that_is_uploaded_to(aws: None) -> None:
    target = find_target()
    bucket = (
        SeedBucket(target).name.replace(target.account, "${AWS::AccountId}").replace(target.region, "${AWS::Region}")
    )

    resources = read(PROJECT_TEMPLATE)["Resources"].values()
    buckets = [
        resource["Properties"]["Code"]["S3"]["Bucket"]
        for resource in resources
        if resource["Type"] == "AWS::CodeCommit::Repository"
    ]
    assert buckets == [{"Sub": bucket}] * len(SEEDS)


def test_the_launch_role_has_the_name_that_the_launch_constraint_gives() -> None:
    roles = [item for item in read(ACCOUNT_TEMPLATE)["Resources"].values() if item["Type"] == "AWS::IAM::Role"]
    assert LAUNCH_ROLE in [role["Properties"].get("RoleName") for role in roles]
    assert all("Path" not in role["Properties"] for role in roles if role["Properties"].get("RoleName") == LAUNCH_ROLE)


def test_the_account_setup_takes_the_names_of_several_studio_roles() -> None:
    parameter = read(ACCOUNT_TEMPLATE)["Parameters"]["StudioRoleName"]
    assert parameter["Type"] == "CommaDelimitedList"
