"""Which names of AWS services a policy may have as a principal.

Standard library only: the base's environment reads this, too. AWS publishes no list of its service principals. Known
here are the names that begin like an API endpoint of AWS (botocore's `endpoints.json`) and those that the policies
AWS manages name (`managed_policies.py` says where they are). That knows some names too many rather than too few; a slip
of the pen is among neither.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
"""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
COMMON = frozenset(
    f"{name}.amazonaws.com"
    for name in (
        "apigateway", "cloudformation", "cloudwatch", "codebuild", "codecommit", "codepipeline", "ec2", "events",
        "lambda", "logs", "s3", "sagemaker", "servicecatalog", "sns", "sqs", "ssm", "states",
    )
)  # fmt: skip
"""Those that nearly every account has, known without reading a file."""
ELSEWHERE = frozenset(
    f"{name}.amazonaws.com"
    for name in (
        "airflow-env", "billingreports", "build.apprunner", "chatbot", "costalerts", "edgelambda",
        "logdelivery.elasticloadbalancing", "logging.s3", "monitoring.rds", "ops.apigateway", "replicator.lambda",
        "tasks.apprunner", "vpc-flow-logs",
    )
)  # fmt: skip
"""Those that only the services' own guides name, where they say what to put into a role's or a bucket's policy."""


def is_known(name: str, policies: str) -> bool:
    """Whether a service of this name may be a principal, as far as can be told; `policies` is the file with the
    policies that AWS manages, or nothing."""
    if not NAME.fullmatch(name):
        return False
    first, *rest = name.split(".")
    if rest[0] != "amazonaws" and REGION.fullmatch(rest[0]):  # logs.us-east-1.amazonaws.com
        name = ".".join([first, *rest[1:]])
    name = name.removesuffix(".cn")
    return name in COMMON | ELSEWHERE or name in _published(policies)


@cache
def _published(policies: str) -> frozenset[str]:
    text = Path(policies).read_text(encoding="utf-8") if policies else ""
    return frozenset(NAME.findall(text)) | _of_endpoints()


def _of_endpoints() -> frozenset[str]:
    found = importlib.util.find_spec("botocore")
    if found is None or found.origin is None:
        return frozenset()
    endpoints = json.loads((Path(found.origin).parent / "data" / "endpoints.json").read_text(encoding="utf-8"))
    prefixes = {prefix for partition in endpoints["partitions"] for prefix in partition["services"]}
    return frozenset(f"{prefix.rpartition('.')[2]}.amazonaws.com" for prefix in prefixes)
