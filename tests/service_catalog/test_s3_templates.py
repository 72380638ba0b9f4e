"""The template is offered from S3: shown by Studio's domain, readable at launch, and never changed."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from service_catalog.errors import PublishError
from service_catalog.package import pack_all
from service_catalog.publish import S3, SERVICE_CATALOG, Settings, publish, where_to_click
from service_catalog.s3_templates import S3Templates
from service_catalog.seed_bucket import SeedBucket
from service_catalog.target import Target

STUDIO = "arn:aws:iam::123456789012:role/service-role/StudioExecution"
BUCKET = "sagemaker-mlops-catalog-123456789012-eu-west-1"
LOCATION = f"s3://{BUCKET}/studio/"
TAG = "sagemaker:projectS3TemplatesLocation"


@pytest.fixture
def settings(repository: Path) -> Settings:
    return Settings(root=repository, publishers=(S3,), studio_role_arns=(STUDIO,), poll_seconds=0)


def domain(name: str = "studio", **tags: str) -> str:
    """A Studio domain's ARN."""
    sagemaker = boto3.client("sagemaker")
    made = sagemaker.create_domain(
        DomainName=name,
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": STUDIO},
        SubnetIds=["subnet-1"],
        VpcId="vpc-1",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return str(made["DomainArn"])


def tags_of(arn: str) -> dict[str, str]:
    found = boto3.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def shown() -> dict[str, bytes]:
    """The templates below the location that carry the tag Studio looks for."""
    s3, found = boto3.client("s3"), {}
    for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="studio/").get("Contents", []):
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=BUCKET, Key=each["Key"])["TagSet"]}
        if tags == {"sagemaker:studio-visibility": "true", "servicecatalog:provisioning": "true"}:
            found[each["Key"]] = s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
    return found


def test_studio_shows_the_very_template_that_service_catalog_would_launch(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    arn = domain()

    published = publish(target, settings, lambda _: None)

    package = pack_all(settings.root, lambda _: None)
    assert shown() == {f"studio/mlops-project-{package.version}.yaml": package.template}
    assert tags_of(arn) == {TAG: LOCATION}
    [rule] = boto3.client("s3").get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    assert rule["AllowedOrigins"] == ["https://*.sagemaker.aws"]
    assert cloudformation.executed == ["mlops-account-setup"]
    assert cloudformation.stacks["mlops-account-setup"].parameters == {
        "StudioRoleName": "StudioExecution",
        "AllowS3Templates": "yes",
    }
    where = "\n".join(where_to_click(published, target))
    assert f"template https://{BUCKET}.s3.eu-west-1.amazonaws.com/studio/mlops-project-" in where
    assert "role arn:aws:iam::123456789012:role/MLOpsProjectLaunchRole" in where
    assert "portfolio" not in where


def test_both_offer_the_same_bytes_and_service_catalog_alone_later_leaves_s3_as_it_is(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    domain()
    both = replace(settings, publishers=(SERVICE_CATALOG, S3))

    published = publish(target, both, lambda _: None)

    assert published.new
    assert published.product_id == "the-ProductId"
    assert cloudformation.executed == ["mlops-account-setup", "mlops-catalog"]
    [in_catalog] = re.findall(r"template/project-\w+\.yaml", cloudformation.stacks["mlops-catalog"].template)
    in_catalog_body = boto3.client("s3").get_object(Bucket=BUCKET, Key=in_catalog)["Body"].read()
    assert list(shown().values()) == [in_catalog_body]


def test_publishing_the_same_again_changes_nothing_and_knows_the_studio_roles(
    target: Target, settings: Settings, cloudformation: Any
) -> None:
    domain()
    publish(target, settings, lambda _: None)
    before = shown()

    again = publish(target, replace(settings, studio_role_arns=()), lambda _: None)

    assert not again.new
    assert shown() == before
    assert cloudformation.executed == ["mlops-account-setup"]
    assert len(boto3.client("s3").get_bucket_cors(Bucket=BUCKET)["CORSRules"]) == 1


def test_a_version_that_is_shown_with_other_content_is_refused(target: Target, settings: Settings) -> None:
    domain()
    bucket = SeedBucket(target)
    bucket.ensure()
    package = pack_all(settings.root, lambda _: None)
    templates = S3Templates(target, bucket)
    templates.offer(package, [], lambda _: None)

    with pytest.raises(PublishError, match=r"is already published with another template.*make release"):
        templates.offer(replace(package, template=b"other"), [], lambda _: None)

    assert list(shown().values()) == [package.template]


def test_rules_of_other_pages_stay(target: Target) -> None:
    bucket = SeedBucket(target)
    bucket.ensure()
    other = {"ID": "other", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    boto3.client("s3").put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [other]})

    assert bucket.answer_studio()
    assert not bucket.answer_studio()

    rules = boto3.client("s3").get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    assert [each["ID"] for each in rules] == ["other", "SageMakerStudio"]


def test_without_a_domain_it_is_published_with_a_warning(target: Target, settings: Settings, said: list[str]) -> None:
    assert publish(target, settings, said.append).new

    assert any(line.strip().startswith("WARNING no Studio domain here") and LOCATION in line for line in said)


def test_which_of_several_domains_has_to_be_said(target: Target, settings: Settings) -> None:
    first, second = domain("first"), domain("second")
    with pytest.raises(PublishError, match=r"Which Studio domain .*--domain-id ID"):
        publish(target, settings, lambda _: None)
    assert boto3.client("s3").list_buckets()["Buckets"] == []

    publish(target, replace(settings, domain_ids=(second.rpartition("/")[2],)), lambda _: None)

    assert (tags_of(first), tags_of(second)) == ({}, {TAG: LOCATION})


def test_a_domain_that_is_not_there_is_named(target: Target, settings: Settings) -> None:
    arn = domain()
    with pytest.raises(PublishError, match=f"no Studio domain d-nowhere here. There are: {arn.rpartition('/')[2]}"):
        publish(target, replace(settings, domain_ids=("d-nowhere",)), lambda _: None)


def test_a_domain_that_shows_another_place_is_left_alone_and_nothing_is_made(
    target: Target, settings: Settings
) -> None:
    arn = domain(**{TAG: "s3://the-company/templates/"})

    with pytest.raises(PublishError, match=r"templates of s3://the-company/templates/.*Nothing was published"):
        publish(target, settings, lambda _: None)

    assert tags_of(arn) == {TAG: "s3://the-company/templates/"}
    assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_what_is_hidden_again_leaves_domains_that_show_another_place_alone(target: Target) -> None:
    templates = S3Templates(target, SeedBucket(target))
    mine, other = domain("mine", **{TAG: LOCATION, "team": "ml"}), domain("other", **{TAG: "s3://other/"})

    assert templates.hide() == [mine]

    assert (tags_of(mine), tags_of(other)) == ({"team": "ml"}, {TAG: "s3://other/"})
    assert templates.hide() == []
