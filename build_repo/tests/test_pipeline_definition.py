"""The compiled pipeline: what SageMaker will be asked to do."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator
from conftest import Compilation

from pipelines.definition import COMPILED_FROM, DEFINITION, MANIFEST, hash_of_inputs, input_data, is_compiled_from
from pipelines.knobs import CACHE_EXPIRES_AFTER, GATE
from pipelines.settings import EXAMPLES, Settings
from pipelines.uploads import STEPS, StepCode, Upload, write_manifest

PARAMETERS = [
    "InputDataUrl",
    "ProcessingInstanceType",
    "ProcessingInstanceCount",
    "TrainingInstanceType",
    "TrainingInstanceCount",
    "MaxDepth",
    "LearningRate",
    "NumRound",
    *(threshold.parameter for threshold in GATE),
    "ModelApprovalStatus",
    "SourceCommit",
]
REQUESTS = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "named-by-sagemaker"}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "named-by-sagemaker"}),
    "RegisterModel": ("CreateModelPackage", {}),
}
EXPRESSIONS = ({"Get"}, {"Std:Join"}, {"Std:JsonGet"})
SETTINGS = Settings.read(EXAMPLES)


@pytest.fixture(scope="module")
def sagemaker() -> ServiceModel:
    """SageMaker's API as botocore describes it."""
    return botocore.session.get_session().get_service_model("sagemaker")


def test_steps_come_in_the_order_of_the_drawing(compiled: Compilation) -> None:
    assert {name: step["Type"] for name, step in compiled.steps.items()} == {
        "Preprocess": "Processing",
        "Train": "Training",
        "Evaluate": "Processing",
        "QualityGate": "Condition",
        "RegisterModel": "RegisterModel",
        "QualityGateFailed": "Fail",
    }


def test_parameters_are_the_documented_ones_and_have_defaults(compiled: Compilation) -> None:
    parameters = compiled.document["Parameters"]

    assert [parameter["Name"] for parameter in parameters] == PARAMETERS
    assert all(parameter["DefaultValue"] not in (None, "") for parameter in parameters)


@pytest.mark.parametrize("name", ["Preprocess", "Train", "Evaluate"])
def test_jobs_are_cached_and_retried(compiled: Compilation, name: str) -> None:
    step = compiled.steps[name]

    assert step["CacheConfig"] == {"Enabled": True, "ExpireAfter": CACHE_EXPIRES_AFTER}
    retried = {kind for policy in step["RetryPolicies"] for kind in policy["ExceptionType"]}
    assert {"Step.THROTTLING", "SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"} <= retried


def test_every_job_has_the_key_and_the_network_of_the_project(compiled: Compilation) -> None:
    """In a project that was launched with them, its builds hold them to that; in others, to have none."""
    settings = Settings.read({**EXAMPLES, **os.environ})
    vpc = {"Subnets": list(settings.subnets), "SecurityGroupIds": list(settings.security_groups)}
    network = vpc if settings.subnets else None

    for name in ("Preprocess", "Evaluate"):
        arguments = compiled.steps[name]["Arguments"]
        assert arguments["ProcessingResources"]["ClusterConfig"].get("VolumeKmsKeyId") == settings.kms_key
        assert arguments["ProcessingOutputConfig"].get("KmsKeyId") == settings.kms_key
        assert arguments.get("NetworkConfig", {}).get("VpcConfig") == network
    train = compiled.steps["Train"]["Arguments"]
    assert train["ResourceConfig"].get("VolumeKmsKeyId") == settings.kms_key
    assert train["OutputDataConfig"].get("KmsKeyId") == settings.kms_key
    assert train.get("VpcConfig") == network


@pytest.mark.parametrize("name", ["Preprocess", "Train", "Evaluate", "RegisterModel"])
def test_step_arguments_are_requests_the_api_accepts(compiled: Compilation, sagemaker: ServiceModel, name: str) -> None:
    step = compiled.steps[name]
    operation, extra = REQUESTS[step["Type"]]
    shape = sagemaker.operation_model(operation).input_shape
    defaults = {parameter["Name"]: parameter["DefaultValue"] for parameter in compiled.document["Parameters"]}

    request = filled(step["Arguments"], shape, defaults) | extra

    assert unknown_members(request, shape) == []
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


def test_every_expression_refers_to_a_step_and_a_parameter_that_exist(compiled: Compilation) -> None:
    for reference in references(compiled.document["Steps"]):
        kind, name, *_ = reference.split(".")
        known = {"Parameters": PARAMETERS, "Steps": compiled.steps, "Execution": [name]}[kind]
        assert name in known, reference


def test_every_job_runs_a_script_that_is_uploaded(compiled: Compilation) -> None:
    uploaded = {f"s3://{each['bucket']}/{each['key']}" for each in compiled.uploads}

    for name in ("Preprocess", "Evaluate"):
        arguments = compiled.steps[name]["Arguments"]
        script = Path(arguments["AppSpecification"]["ContainerEntrypoint"][1]).name
        code = next(each for each in arguments["ProcessingInputs"] if each["InputName"] == "code")
        assert f"{code['S3Input']['S3Uri']}/{script}" in uploaded

    arguments = compiled.steps["Train"]["Arguments"]
    assert arguments["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python3", "/opt/ml/input/data/code/train.py"]
    code = next(each for each in arguments["InputDataConfig"] if each["ChannelName"] == "code")
    assert f"{code['DataSource']['S3DataSource']['S3Uri']}/train.py" in uploaded


def test_the_default_input_is_uploaded_or_the_one_the_settings_name(compiled: Compilation) -> None:
    defaults = {parameter["Name"]: parameter["DefaultValue"] for parameter in compiled.document["Parameters"]}
    uploaded = {f"s3://{each['bucket']}/{each['key']}" for each in compiled.uploads}

    assert defaults["InputDataUrl"] in {*uploaded, os.environ.get("INPUT_DATA_URL")}


def test_synthetic_claims_are_uploaded_and_claims_in_s3_are_left_there(tmp_path: Path) -> None:
    in_s3 = replace(SETTINGS, input_data_url="s3://bucket/claims.csv")

    url, uploads = input_data(SETTINGS, tmp_path / "claims.csv")

    assert [upload.url for upload in uploads] == [url]
    assert (tmp_path / "claims.csv").is_file()
    assert input_data(in_s3, tmp_path / "unused.csv") == ("s3://bucket/claims.csv", [])


@pytest.mark.parametrize("edited", ["pipelines/knobs.py", "steps/features.py", "requirements/build.lock"])
def test_an_edit_makes_the_compiled_definition_out_of_date(tmp_path: Path, edited: str) -> None:
    for name in ("pipelines/knobs.py", "steps/features.py", "requirements/build.lock"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("before")
    before = hash_of_inputs(SETTINGS, tmp_path)

    assert hash_of_inputs(SETTINGS, tmp_path) == before
    (tmp_path / edited).write_text("after")
    assert hash_of_inputs(SETTINGS, tmp_path) != before


def test_other_settings_make_the_compiled_definition_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "build.lock").touch()

    assert hash_of_inputs(SETTINGS, tmp_path) != hash_of_inputs(replace(SETTINGS, bucket="another"), tmp_path)


def test_a_definition_is_compiled_anew_when_a_file_to_upload_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    claims = tmp_path / "build" / "synthetic-claims.csv"
    for file, content in ((DEFINITION, "{}"), (COMPILED_FROM, "these inputs"), (claims, "")):
        file.write_text(content)
    write_manifest([Upload(str(claims), "bucket", "claims.csv")], MANIFEST)

    assert is_compiled_from("these inputs")
    assert not is_compiled_from("other inputs")
    claims.unlink()
    assert not is_compiled_from("these inputs")


def test_the_registered_model_is_served_by_its_own_code_and_carries_its_reports(compiled: Compilation) -> None:
    arguments = compiled.steps["RegisterModel"]["Arguments"]

    environment = arguments["InferenceSpecification"]["Containers"][0]["Environment"]
    assert environment["SAGEMAKER_PROGRAM"] == "inference.py"
    assert environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert arguments["InferenceSpecification"]["SupportedContentTypes"] == ["application/json", "text/csv"]
    assert set(arguments["ModelMetrics"]) == {"ModelQuality", "Bias", "Explainability"}
    assert set(arguments["DriftCheckBaselines"]["ModelDataQuality"]) == {"Statistics", "Constraints"}
    assert set(arguments["CustomerMetadataProperties"]) == {
        "EvaluationReports",
        "HeldOutSample",
        "PipelineExecutionArn",
        "SourceCommit",
    }


def test_reports_are_looked_up_where_a_cached_step_wrote_them(compiled: Compilation) -> None:
    arguments = compiled.steps["RegisterModel"]["Arguments"]
    reports = [arguments["ModelMetrics"], arguments["DriftCheckBaselines"]]

    assert "Execution.PipelineExecutionId" not in set(references(reports))


def test_a_step_ships_only_the_modules_it_imports() -> None:
    shared = {"claims_contract.py", "failure.py", "fields.py", "records.py"}
    shipped = {
        script: {file.name for file in StepCode.of(script).files}
        for script in ("preprocess.py", "train.py", "evaluate.py")
    }

    assert shipped == {
        "preprocess.py": {"baseline.py", "preprocess.py"} | shared,
        "train.py": {"features.py", "inference.py", "train.py"} | shared,
        "evaluate.py": {"charts.py", "evaluate.py", "fairness.py", "held_out.py", "measures.py"} | shared,
    }


def test_editing_a_module_changes_the_hash_of_the_steps_that_import_it(tmp_path: Path) -> None:
    for file in STEPS.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = {script: StepCode.of(script, tmp_path).digest for script in ("preprocess.py", "train.py", "evaluate.py")}

    (tmp_path / "features.py").write_text((STEPS / "features.py").read_text() + "\nNEW = 1\n")

    after = {script: StepCode.of(script, tmp_path).digest for script in before}
    assert [script for script in before if before[script] != after[script]] == ["train.py"]


def references(value: Any) -> list[str]:
    """Every `Get` in a definition."""
    if isinstance(value, dict):
        own = [value["Get"]] if set(value) == {"Get"} else []
        return own + [each for child in value.values() for each in references(child)]
    if isinstance(value, list):
        return [each for child in value for each in references(child)]
    return []


def filled(value: Any, shape: Shape | None, defaults: dict[str, Any]) -> Any:
    """Replace pipeline expressions by values of the type that the request wants there."""
    if isinstance(value, dict):
        if set(value) in EXPRESSIONS:
            parameter = str(value.get("Get", "")).removeprefix("Parameters.")
            return defaults.get(parameter, "s3://bucket/placeholder")
        return {name: filled(child, member(shape, name), defaults) for name, child in value.items()}
    if isinstance(value, list):
        return [filled(child, getattr(shape, "member", None), defaults) for child in value]
    return value


def member(shape: Shape | None, name: str) -> Shape | None:
    if shape is not None and shape.type_name == "map":
        found: Shape = shape.value
        return found
    return getattr(shape, "members", {}).get(name)


def unknown_members(value: Any, shape: Shape | None, path: str = "") -> list[str]:
    """Members of a request that the API does not have; botocore's validator overlooks them."""
    if shape is None:
        return [path]
    if isinstance(value, dict):
        children = [(f"{path}.{name}", child, member(shape, name)) for name, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child, shape.member) for index, child in enumerate(value)]
    else:
        return []
    return [each for where, child, kind in children for each in unknown_members(child, kind, where)]
