"""Every known cause is recognised in what AWS and our own tools really say, and says what to do."""

from __future__ import annotations

import pytest
from project_tools.causes import CAUSES, OTHERWISE, recognise
from project_tools.rights import refusal

# Cause, where the failure lies, what is said there, and words of the advice.
SAID = [
    (
        "below the quality gate",
        "step",
        "The model does not pass the quality gate: recall=0.41 (at least 0.6)",
        "pipelines/knobs.py",
    ),
    ("data breaks the contract", "job", "claims.csv breaks the data contract (steps/claims_contract.py).", "DATA="),
    (
        "answers not published",
        "step",
        "Nothing is published. s3://b/claims/batch/prod/unchecked/abc123/ stays for you to look at.\n"
        "0.8000 of the 20 decisions are investigate, and batch-checks.json of the model-deploy repository allows "
        "0.0 to 0.75",
        "s3://b/claims/batch/prod/unchecked/abc123/",
    ),
    (
        "unusable batch input",
        "step",
        "s3://b/input/claims.jsonl, line 3: each line has to be a request as the endpoint takes it",
        "Put the file right",
    ),
    (
        "record refused in a batch run",
        "job",
        "s3://b/input/claims.jsonl: Bad HTTP status received from algorithm: 400",
        "refused a line of this file",
    ),
    (
        "model failed in a batch run",
        "job",
        "s3://b/input/claims.jsonl: Bad HTTP status received from algorithm: 500",
        "`make local` in the model-build repository",
    ),
    (
        "still running",
        "execution",
        "The execution abc123 of the SageMaker pipeline is still running (Stopping)",
        "again when it has ended",
    ),
    ("too few records", "job", "error: only 3 claims have is_fraud=1; at least 20 are needed", "more records"),
    (
        "missing right",
        "resource",
        'Resource handler returned message: "User: arn:aws:sts::123456789012:assumed-role/DeployRole/AWSCloudFormation '
        "is not authorized to perform: sagemaker:CreateModel on resource: arn:aws:sagemaker:eu-west-1:1:model/m "
        'because no identity-based policy allows the sagemaker:CreateModel action"',
        "The role DeployRole lacks sagemaker:CreateModel on arn:aws:sagemaker:eu-west-1:1:model/m.",
    ),
    (
        "role cannot be assumed",
        "resource",
        "Could not assume role arn:aws:iam::1:role/sagemaker-projects/R. Please ensure that the role exists",
        "arn:aws:iam::1:role/sagemaker-projects/R",
    ),
    ("access denied", "job", "ClientError: An error occurred (AccessDenied) when calling GetObject", "CloudTrail"),
    (
        "quota",
        "step",
        "ResourceLimitExceeded: The account-level service limit 'ml.m5.xlarge for endpoint usage' is 0 Instances",
        "0 of `ml.m5.xlarge for endpoint usage`",
    ),
    ("quota", "build", "AccountLimitExceededException: Cannot have more than 1 builds in queue", "Service Quotas"),
    (
        "no capacity",
        "step",
        "CapacityError: Unable to provision requested ML compute capacity.",
        "another instance type",
    ),
    (
        "throttled",
        "build",
        "An error occurred (ThrottlingException) when calling DescribePipeline: Rate exceeded",
        "again",
    ),
    (
        "alarm during the deployment",
        "endpoint",
        "One or more configured alarms tripped during the baking period: claims-prod-errors.",
        "prod-config.json",
    ),
    ("module missing in the container", "job", "ModuleNotFoundError: No module named 'torch'", "`torch`"),
    (
        "health check",
        "endpoint",
        "The primary container for production variant AllTraffic did not pass the ping health check.",
        "/ping",
    ),
    ("model artefact", "endpoint", "Failed to extract model data archive from s3://b/model.tar.gz", "artefact"),
    (
        "image cannot be pulled",
        "endpoint",
        "The role 'arn' does not have permission to pull the image '683.dkr.ecr.us-east-1.amazonaws.com/x:1'",
        "ECR",
    ),
    (
        "image cannot be pulled",
        "build",
        "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. CannotPullContainerError",
        "CodeBuild project",
    ),
    (
        "endpoint is busy",
        "resource",
        'Cannot update in-progress endpoint "arn:aws:sagemaker:eu-west-1:1:endpoint/claims-prod". (Service: SageMaker)',
        "retry the stage",
    ),
    (
        "instance type cannot be changed",
        "endpoint",
        "Cannot update the instance type of a variant that is registered as a scalable target",
        "Push twice",
    ),
    (
        "stack stuck in a rollback",
        "stack",
        "Stack:arn:aws:cloudformation:x is in UPDATE_ROLLBACK_FAILED state and can not be updated.",
        "continue-update-rollback",
    ),
    (
        "stack cannot be updated",
        "stack",
        "Stack:arn:aws:cloudformation:x is in ROLLBACK_COMPLETE state and can not be updated.",
        "The stack is ROLLBACK_COMPLETE",
    ),
    ("stack is busy", "stack", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", "Wait"),
    ("already exists", "resource", "sagemaker-project-x already exists", "left over"),
    ("bucket is not empty", "resource", "The bucket you tried to delete is not empty", "every version"),
    ("launch parameter", "project", "Parameter InputDataUrl failed to satisfy constraint: must be the word", "Launch"),
    (
        "version not approved",
        "command",
        "make build: The model package arn:aws:sagemaker:x/3 is Rejected, not Approved; it may have been rejected",
        "Approve the version",
    ),
    (
        "version gone",
        "command",
        "make build: The model artefact s3://b/m.tar.gz of arn:aws:x does not exist.",
        "another version",
    ),
    (
        "staging endpoint answers otherwise",
        "command",
        "FAILED test/test_golden_records.py::test_record[theft] - AssertionError: pay, not investigate",
        "make test-staging",
    ),
    ("unit test", "command", "FAILED tests/test_model.py::test_learns - assert 1 == 2", "make test"),
    ("format", "command", "Would reformat: steps/train.py", "make format"),
    ("lint", "command", "F401 [*] `os` imported but unused\n--> steps/train.py:3:8", "make lint"),
    ("lint", "command", "steps/train.py:3:8: F401 [*] `os` imported but unused", "make lint"),
    ("module missing in the build", "command", "ModuleNotFoundError: No module named 'torch'", "requirements/build.in"),
    ("syntax error", "command", "SyntaxError: '(' was never closed", "cannot read"),
    ("buildspec", "build", "YAML_FILE_ERROR: mapping values are not allowed in this context at line 12", "buildspec"),
    ("artifact missing", "build", "CLIENT_ERROR: no matching artifact paths found", "artifacts:"),
    (
        "endpoint configuration",
        "command",
        "make build: prod-config.json: CanaryPercent: must be at most 50",
        "Correct what is named",
    ),
    (
        "unknown pipeline parameter",
        "command",
        "make pipeline: the pipeline has no parameter MaxDept; it has MaxDepth",
        "the message lists",
    ),
    (
        "environment variable missing",
        "command",
        "make build: These environment variables must be set:\n  ARTIFACT_BUCKET: bucket",
        "CodeBuild projects set",
    ),
    ("no such make target", "command", "make: *** No rule to make target 'pipelin'.  Stop.", "`pipelin`"),
    ("lock does not match", "command", "error: Hash mismatch for `boto3==1.44.0`", "make lock"),
    ("versions do not fit", "command", "\u00d7 No solution found when resolving dependencies:", "make lock"),
    (
        "Python version",
        "command",
        "python3 is 3.14, but this repository needs 3.11, 3.12 or 3.13: make install PYTHON=python3.12",
        "runtime-versions",
    ),
    ("out of memory", "job", "AlgorithmError: , exit code: 137", "larger instance"),
    ("out of memory", "job", "Please use an instance type with more memory, or reduce the size of job data", "larger"),
    ("disk full", "job", "OSError: [Errno 28] No space left on device", "volume"),
    ("nobody approved", "action", "The approval action timed out: nobody approved it within 10080 minutes", "Retry"),
    ("timed out", "build", "The build was TIMED_OUT after 240 minutes", "raise the limit"),
    ("network", "command", "error: Failed to fetch: `https://packages.example.org/simple/boto3/`", "UV_DEFAULT_INDEX"),
    (
        "object missing in S3",
        "job",
        "An error occurred (NoSuchKey) when calling the GetObject operation",
        "InputDataUrl",
    ),
    (
        "object missing in S3",
        "step",
        "ClientError: No S3 objects found under S3 URL 's3://b/claims.csv'",
        "InputDataUrl",
    ),
    ("bucket missing", "job", "NoSuchBucket: The specified bucket does not exist", "outputs"),
    ("branch missing", "action", "The branch main of repository r does not exist", "`main`"),
    ("rejected before production", "action", "Rejected by assumed-role/Studio/ada: recall is too low", "said no"),
    ("stopped", "pipeline", "The execution was stopped: Version 3 was rejected in the Model Registry", "on purpose"),
    ("way back superseded", "pipeline", "The way back was superseded: execution 7 came after it", "by itself"),
    ("superseded", "pipeline", "The execution was superseded: execution 7 came after it", "newer execution"),
    ("condition of a stage", "condition", "A condition of stage DeployStaging was not met: x", "condition"),
    ("not found", "command", "/bin/sh: 1: ruff: not found", "git ls-files"),
    ("refused by a verb", "command", "make rollback: Which reason? Say REASON=...", "`make rollback`"),
]


@pytest.mark.parametrize(("name", "kind", "text", "words"), SAID, ids=[f"{each[0]}-{each[1]}" for each in SAID])
def test_a_cause_is_recognised_in_what_is_said(name: str, kind: str, text: str, words: str) -> None:
    cause, advice = recognise([text], kind)

    assert cause == name
    assert words in " ".join(advice)


def test_every_cause_has_a_text_it_is_recognised_in() -> None:
    assert {cause.name for cause in CAUSES} == {each[0] for each in SAID}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Nothing is published. s3://b/unchecked/abc123/ stays for you to look at.", "step"),
        ("s3://b/input/claims.jsonl: Bad HTTP status received from algorithm: 500", "job"),
    ],
)
def test_production_is_taken_back_only_for_a_run_of_production(text: str, kind: str) -> None:
    cause, production = recognise([text], kind, "claims-prod")
    same, staging = recognise([text], kind, "claims-staging")

    assert cause == same
    assert "`make rollback`" in " ".join(production)
    assert "production was not touched" in " ".join(staging)
    assert "rollback" not in " ".join(staging)


def test_what_is_said_nearest_to_the_cause_counts_first() -> None:
    texts = ["Build terminated: No space left on device", "FAILED tests/test_model.py::test_learns - assert 1 == 2"]

    assert recognise(texts, "command")[0] == "unit test"


def test_what_nothing_recognises_is_told_so_with_what_helps_at_that_place() -> None:
    cause, advice = recognise(["an entirely new misfortune"], "job")

    assert cause == ""
    assert advice[0].startswith("This is no cause known to this tool.")
    assert advice[1] == OTHERWISE["job"]


@pytest.mark.parametrize(
    ("because", "words"),
    [
        ("because no identity-based policy allows the s3:GetObject action", "Have your platform team add it"),
        ("because no permissions boundary allows the s3:GetObject action", "MLOpsProjectBoundary of"),
        (
            "with an explicit deny in a permissions boundary: arn:aws:iam::1:policy/company/Theirs",
            "the denial (with an explicit deny in a permissions boundary: arn:aws:iam::1:policy/company/Theirs)",
        ),
        ("with an explicit deny in a resource-based policy", "denies it explicitly"),
        ("because no session policy allows the s3:GetObject action", "gave out these credentials"),
        ("because no resource-based policy allows the s3:GetObject action", "a policy of its own"),
        ("because no service control policy allows the s3:GetObject action", "service control policy"),
        ("", "Have your platform team add it"),
    ],
)
def test_a_missing_right_says_who_could_grant_it(because: str, words: str) -> None:
    text = (
        "An error occurred (AccessDenied): User: arn:aws:sts::123456789012:assumed-role/R/session is not authorized to "
        f'perform: s3:GetObject on resource: "arn:aws:s3:::b/k.csv" {because}'
    )

    found = refusal(text)

    assert found is not None
    assert (found.role, found.action, found.resource) == ("R", "s3:GetObject", "arn:aws:s3:::b/k.csv")
    assert words in found.advice


@pytest.mark.parametrize(
    ("action", "member"),
    [
        ("CreateTrainingJob", "OutputDataConfig.KmsKeyId"),
        ("CreateProcessingJob", "ProcessingOutputConfig.KmsKeyId"),
        ("CreateTransformJob", "TransformOutput.KmsKeyId"),
        ("CreateModel", "VpcConfig"),
        ("CreateEndpointConfig", "KmsKeyId"),
    ],
)
def test_what_has_to_be_as_the_launch_form_says_is_told_with_the_request_s_own_words(action: str, member: str) -> None:
    found = refusal(
        f"User: arn:aws:sts::1:assumed-role/R/s is not authorized to perform: sagemaker:{action} on resource: "
        f"arn:aws:sagemaker:eu-west-1:1:x/y because no identity-based policy allows the sagemaker:{action} action"
    )

    assert found is not None
    assert "VPC_SUBNET_IDS" in found.advice
    assert "KMS_KEY_ARN" in found.advice
    assert found.advice.endswith(f"{member}.")


def test_the_gates_own_message_is_understood() -> None:
    """Both sides of the contract: what the model-build pipeline says, and what is read out of it."""
    from pipelines import quality_gate
    from pipelines.knobs import GATE
    from project_tools.training import missed

    parts = quality_gate.message_parts(
        GATE, {each.metric: 0.01 for each in GATE}, {each.parameter: 0.5 for each in GATE}
    )
    message = "".join(map(str, parts))

    assert recognise([message], "step")[0] == "below the quality gate"
    assert [each.partition(" is ")[0] for each in missed(message)] == [each.metric for each in GATE]
