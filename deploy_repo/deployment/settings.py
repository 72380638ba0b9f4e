"""The environment variables this repository reads. CodeBuild sets them; on your own machine you do."""

from collections.abc import Mapping
from dataclasses import dataclass

from deployment.errors import RefusedError

AUTO = "auto"
ROLLBACK = "rollback"


@dataclass(frozen=True)
class Variable:
    """One environment variable; without a default it must be set and not empty."""

    name: str
    meaning: str
    default: str | None = None


BUILD_VARIABLES = (
    Variable("SAGEMAKER_PROJECT_NAME", "name of the SageMaker project"),
    Variable("SAGEMAKER_PROJECT_ID", "id of the SageMaker project"),
    Variable("MODEL_PACKAGE_GROUP_NAME", "model package group the deployed package must belong to"),
    Variable("MODEL_EXECUTION_ROLE_ARN", "role the deployed model runs as"),
    Variable("ARTIFACT_BUCKET", "bucket that takes captured data (data-capture/) and files of requests (async/)"),
    Variable("STAGING_ENDPOINT_NAME", "name of the staging endpoint"),
    Variable("PRODUCTION_ENDPOINT_NAME", "name of the production endpoint"),
    Variable(
        "MODEL_PACKAGE_ARN",
        "the package to deploy; or `auto`: the live one, else the newest approved; or `rollback`: the one before",
        AUTO,
    ),
    Variable("KMS_KEY_ARN", "KMS key for instance volumes and captured data, if the project was launched with one", ""),
    Variable("BATCH_ROLE_ARN", "role of batch runs; without it no stage can have that mode", ""),
    Variable("CHECK_BATCH_FUNCTION_ARN", "function that checks what batch runs answer, likewise", ""),
    Variable("VPC_SUBNET_IDS", "subnets of both endpoints, if the project was launched with any", ""),
    Variable("VPC_SECURITY_GROUP_IDS", "security groups of both endpoints, likewise", ""),
)

STAGING_TEST_VARIABLES = (
    Variable("SAGEMAKER_PROJECT_NAME", "name of the SageMaker project"),
    Variable("SAGEMAKER_PROJECT_ID", "id of the SageMaker project"),
    Variable("STAGING_ENDPOINT_NAME", "name of the endpoint to test"),
    Variable("MODEL_PACKAGE_ARN", "the package the endpoint must serve, or `auto`: whichever it serves", AUTO),
    Variable("PRODUCTION_ENDPOINT_NAME", "the endpoint whose model is compared; left out, none is", ""),
    Variable("APPROVAL_PAGE", "where the page for the approver goes, s3://...; left out, none is written", ""),
)


@dataclass(frozen=True)
class BuildSettings:
    """What `make build` is told from outside."""

    project_name: str
    project_id: str
    model_package_group_name: str
    model_execution_role_arn: str
    artifact_bucket: str
    staging_endpoint_name: str
    production_endpoint_name: str
    model_package_arn: str
    kms_key_arn: str
    batch_role_arn: str
    check_batch_function_arn: str
    vpc_subnet_ids: str
    vpc_security_group_ids: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "BuildSettings":
        """Read BUILD_VARIABLES, in that order; raise RefusedError naming every one that is missing."""
        found = cls(*_values(BUILD_VARIABLES, environment))
        if bool(found.vpc_subnet_ids) != bool(found.vpc_security_group_ids):
            raise RefusedError("VPC_SUBNET_IDS and VPC_SECURITY_GROUP_IDS: set both or none; SageMaker takes no less.")
        return found


@dataclass(frozen=True)
class StagingTestSettings:
    """What `make test-staging` is told from outside."""

    project_name: str
    project_id: str
    endpoint_name: str
    model_package_arn: str
    production_endpoint_name: str
    approval_page: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StagingTestSettings":
        """Read STAGING_TEST_VARIABLES, in that order; raise RefusedError naming every one that is missing."""
        return cls(*_values(STAGING_TEST_VARIABLES, environment))


def _values(variables: tuple[Variable, ...], environment: Mapping[str, str]) -> list[str]:
    values = [environment.get(variable.name, "").strip() or variable.default for variable in variables]
    missing = [variable for variable, value in zip(variables, values, strict=True) if value is None]
    if missing:
        lines = "\n".join(f"  {variable.name}: {variable.meaning}" for variable in missing)
        raise RefusedError(f"These environment variables must be set:\n{lines}")
    return [value for value in values if value is not None]
