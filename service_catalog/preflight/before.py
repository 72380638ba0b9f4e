"""What has to hold before anything is published: who asks, where, and whether the services are there."""

from collections.abc import Iterator

from service_catalog.preflight import Check, Finding
from service_catalog.preflight.asking import Account
from service_catalog.seed_bucket import SeedBucket

LONGEST_BUCKET_NAME = 63  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_ALWAYS = {"servicecatalog": "servicecatalog", "cloudformation": "cloudformation", "sagemaker": "sagemaker"}
_EVERYWHERE = {"iam", "custom"}
"""Namespaces of resource types that no region lacks, or that are no service."""


def caller(account: Account) -> Iterator[Finding]:
    """The credentials are a role's or a user's."""
    if account.target.caller.endswith(":root"):
        yield Finding(
            f"These are the root user's credentials of account {account.target.account}; roles cannot be assumed and "
            "products not launched with them.",
            "Sign in as a role: 'aws sso login', then --profile NAME.",
        )


def services(account: Account) -> Iterator[Finding]:
    """Every service that the project's template uses is offered in the region."""
    target = account.target
    for service in sorted(_services(account)):
        offered = target.session.get_available_regions(service, partition_name=target.partition)
        if offered and target.region not in offered:
            yield Finding(
                f"{service} is not offered in {target.region}; projects are made of it.",
                f"Publish in another region: --region {' or '.join(_near(target.region, offered))}.",
            )


def repositories(account: Account) -> Iterator[Finding]:
    """CodeCommit answers this account. Whether it takes new repositories shows only when one is created.

    It took none of accounts without any from July 2024 to November 2025; reading was never refused:
    https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateRepository.html
    """
    if "codecommit" in _services(account):
        account.ask("codecommit", "list_repositories")
    yield from ()


def names(account: Account) -> Iterator[Finding]:
    """What is named after account and region fits the limits."""
    name = SeedBucket(account.target).name
    if len(name) > LONGEST_BUCKET_NAME:
        yield Finding(
            f"The bucket {name} would have a name of {len(name)} characters; S3 takes {LONGEST_BUCKET_NAME}.",
            f"Publish in a region with a shorter name than {account.target.region}.",
        )


def _services(account: Account) -> set[str]:
    """The services of the project's resources, as boto3 calls them."""
    used = {
        each.type.split("::")[1 if each.type.startswith("AWS::") else 0].lower() for each in account.project.resources
    }
    return (used - _EVERYWHERE) | set(_ALWAYS)


def _near(region: str, offered: list[str]) -> list[str]:
    """Regions on the same continent, else any."""
    return [each for each in offered if each[:3] == region[:3]][:3] or offered[:3]


CHECKS = (
    Check("credentials", caller, before_publishing=True),
    Check("services in the region", services, before_publishing=True),
    Check("CodeCommit answers", repositories, before_publishing=True),
    Check("names within their limits", names, before_publishing=True),
)
