"""What the publisher and the templates must agree on, read from both sides."""

from pathlib import Path
from typing import Any

import yaml

from seed_code import SEEDS, SOURCES
from seed_code.archive import Archive
from seed_code.render import render
from service_catalog.package import ACCOUNT_TEMPLATE, PROJECT_TEMPLATE
from service_catalog.publish import LAUNCH_ROLE
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


def test_the_product_template_renders_with_the_archives_that_are_packed() -> None:
    text = (ROOT / PROJECT_TEMPLATE).read_text(encoding="utf-8")
    packed = [Archive(source, "0" * 64, b"", ()) for source in SOURCES]
    rendered = render(text, packed, str(PROJECT_TEMPLATE))

    mappings = yaml.load(rendered, Loader)["Mappings"]  # noqa: S506 a SafeLoader
    named = [archive["Key"] for name in ("SeedArchives", "FunctionArchives") for archive in mappings[name].values()]
    assert sorted(named) == sorted(archive.key for archive in packed)


def test_repositories_and_functions_are_made_from_the_bucket_that_is_uploaded_to(aws: None) -> None:
    target = find_target()
    bucket = (
        SeedBucket(target).name.replace(target.account, "${AWS::AccountId}").replace(target.region, "${AWS::Region}")
    )

    resources = list(read(PROJECT_TEMPLATE)["Resources"].values())
    repositories = [each for each in resources if each["Type"] == "AWS::CodeCommit::Repository"]
    functions = [each for each in resources if each["Type"] == "AWS::Lambda::Function"]
    buckets = [each["Properties"]["Code"]["S3"]["Bucket"] for each in repositories]
    buckets += [each["Properties"]["Code"]["S3Bucket"] for each in functions]
    assert buckets == [{"Sub": bucket}] * (len(SEEDS) + len(functions))
    assert len(repositories) == len(SEEDS)
    assert {each["Properties"]["Code"]["S3Key"]["FindInMap"][0] for each in functions} == {"FunctionArchives"}


def test_the_launch_role_has_the_name_that_the_launch_constraint_gives() -> None:
    roles = [item for item in read(ACCOUNT_TEMPLATE)["Resources"].values() if item["Type"] == "AWS::IAM::Role"]
    assert LAUNCH_ROLE in [role["Properties"].get("RoleName") for role in roles]
    assert all("Path" not in role["Properties"] for role in roles if role["Properties"].get("RoleName") == LAUNCH_ROLE)


def test_the_account_setup_takes_the_names_of_several_studio_roles() -> None:
    parameter = read(ACCOUNT_TEMPLATE)["Parameters"]["StudioRoleName"]
    assert parameter["Type"] == "CommaDelimitedList"
