"""Where this repository runs: everything it is told from outside, and nothing else.

The project's CodeBuild environment sets these variables; on your own machine export them, or use the verbs that need
none (`make local`, `make test`, `make definition`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Every environment variable this repository reads, with its meaning.
REQUIRED = {
    "SAGEMAKER_PROJECT_NAME": "the SageMaker project's name",
    "SAGEMAKER_PROJECT_ID": "the SageMaker project's id, p- and a dozen characters",
    "SAGEMAKER_PROJECT_ARN": "the SageMaker project's ARN, whose tags the pipeline takes over",
    "SAGEMAKER_PIPELINE_NAME": "the SageMaker pipeline to create or update",
    "SAGEMAKER_PIPELINE_ROLE_ARN": "the role the pipeline and its jobs run with",
    "MODEL_PACKAGE_GROUP_NAME": "the Model Registry group that receives the models",
    "ARTIFACT_BUCKET": "the S3 bucket for code, data and results (a name, not a URL)",
    "INPUT_DATA_URL": "the raw claims: s3://bucket/key.csv, s3://bucket/folder/ with one such file, or synthetic",
}
# Set only where the project was launched with them.
OPTIONAL = {
    "KMS_KEY_ARN": "the KMS key for the volumes and results of jobs; without it AWS manages the keys",
    "VPC_SUBNET_IDS": "the subnets that jobs run in, separated by commas",
    "VPC_SECURITY_GROUP_IDS": "the security groups of these jobs, separated by commas",
}
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")  # the first one set counts
COMMIT_VARIABLE = "CODEBUILD_RESOLVED_SOURCE_VERSION"  # optional; recorded on the registered model
SYNTHETIC = "synthetic"
UNKNOWN_COMMIT = "unknown"

# Stand-ins for looking at the definition without a project. None of them exists.
EXAMPLES = {
    "SAGEMAKER_PROJECT_NAME": "example",
    "SAGEMAKER_PROJECT_ID": "p-example",
    "SAGEMAKER_PROJECT_ARN": "arn:aws:sagemaker:eu-west-1:111122223333:project/example",
    "SAGEMAKER_PIPELINE_NAME": "example-p-example",
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/sagemaker-projects/example",
    "MODEL_PACKAGE_GROUP_NAME": "example-p-example",
    "ARTIFACT_BUCKET": "sagemaker-project-p-example-111122223333",
    "INPUT_DATA_URL": SYNTHETIC,
    "AWS_DEFAULT_REGION": "eu-west-1",
}


class SettingsError(Exception):
    """The environment is incomplete or wrong; the message names every variable concerned."""


@dataclass(frozen=True)
class Settings:
    """The environment, checked."""

    project_name: str
    project_id: str
    project_arn: str
    pipeline_name: str
    role_arn: str
    model_package_group: str
    bucket: str
    input_data_url: str
    region: str
    commit: str
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises SettingsError naming everything that is missing, not only the first."""
        missing = [f"  {name}: {meaning}" for name, meaning in REQUIRED.items() if not environment.get(name)]
        region = next((environment[name] for name in REGION_VARIABLES if environment.get(name)), "")
        if not region:
            missing.append(f"  {' or '.join(REGION_VARIABLES)}: the AWS Region")
        if missing:
            raise SettingsError("these environment variables are not set:\n" + "\n".join(missing))
        url = environment["INPUT_DATA_URL"]
        if url != SYNTHETIC and not re.fullmatch(r"s3://[^/]+/.+(\.csv|/)", url):
            raise SettingsError(
                f"INPUT_DATA_URL is {url!r}: expected s3://bucket/key.csv, s3://bucket/folder/, or the word {SYNTHETIC}"
            )
        subnets, groups = (_listed(environment, name) for name in ("VPC_SUBNET_IDS", "VPC_SECURITY_GROUP_IDS"))
        if bool(subnets) != bool(groups):
            raise SettingsError("VPC_SUBNET_IDS and VPC_SECURITY_GROUP_IDS: set both or none; SageMaker takes no less")
        return cls(
            project_name=environment["SAGEMAKER_PROJECT_NAME"],
            project_id=environment["SAGEMAKER_PROJECT_ID"],
            project_arn=environment["SAGEMAKER_PROJECT_ARN"],
            pipeline_name=environment["SAGEMAKER_PIPELINE_NAME"],
            role_arn=environment["SAGEMAKER_PIPELINE_ROLE_ARN"],
            model_package_group=environment["MODEL_PACKAGE_GROUP_NAME"],
            bucket=environment["ARTIFACT_BUCKET"],
            input_data_url=url,
            region=region,
            commit=environment.get(COMMIT_VARIABLE) or UNKNOWN_COMMIT,
            kms_key=environment.get("KMS_KEY_ARN") or None,
            subnets=subnets,
            security_groups=groups,
        )

    @property
    def tags(self) -> list[dict[str, str]]:
        """What everything this repository creates is tagged with."""
        return [
            {"Key": "sagemaker:project-name", "Value": self.project_name},
            {"Key": "sagemaker:project-id", "Value": self.project_id},
        ]


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, environment.get(name, "").split(",")))
