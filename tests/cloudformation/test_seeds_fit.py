"""The template and the two seed repositories agree: names, variables, files, and what their stacks need."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

import pytest
import yaml
from handler_calls import caused_calls
from pipeline_stages import actions, references

from checks.statements import Statement, statements
from checks.template_file import ACCOUNT, REGION, ROOT, WORST_CASE, Resource, Template

BUILD_REPO = ROOT / "build_repo"
DEPLOY_REPO = ROOT / "deploy_repo"
# CodeBuild project, its repository, and its report group.
BUILDS = {
    "ModelBuildProject": (BUILD_REPO, "ModelBuildReportGroup"),
    "ModelDeployProject": (DEPLOY_REPO, "ModelDeployReportGroup"),
    "StagingTestProject": (DEPLOY_REPO, "StagingTestReportGroup"),
}
STAGES = ("staging", "prod")
NOT_CHOSEN = {"KmsKeyArn": "", "VpcSubnetIds": "", "VpcSecurityGroupIds": ""}


def buildspec(project: Template, build: str) -> dict[str, Any]:
    repository, _ = BUILDS[build]
    path = repository / project.resource(build).properties["Source"]["BuildSpec"]
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def variables(project: Template, build: str) -> set[str]:
    """The environment variables a build gets, from its project and from the pipeline's action."""
    resource = project.resource(build)
    own = {each["Name"] for each in project.resolve(resource.properties["Environment"]["EnvironmentVariables"])}
    for pipeline in ("BuildPipeline", "DeployPipeline"):
        for action in actions(project, pipeline):
            configuration = action["Configuration"]
            if configuration.get("ProjectName") == project.name(resource):
                own |= {each["name"] for each in yaml.safe_load(configuration.get("EnvironmentVariables", "[]"))}
    return own


def module_of(repository: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a seed repository, imported the way its own code imports it."""
    monkeypatch.syspath_prepend(str(ROOT / repository))
    return importlib.import_module(name)


# ---- variables


def test_the_model_build_gets_exactly_the_variables_it_reads(
    project: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = module_of("build_repo", "pipelines.settings", monkeypatch)
    assert variables(project, "ModelBuildProject") == set(settings.REQUIRED) | set(settings.OPTIONAL)
    plain = Template(project.path, {**project.parameters, **NOT_CHOSEN}, project.document)
    assert variables(plain, "ModelBuildProject") == set(settings.REQUIRED)


@pytest.mark.parametrize(
    ("build", "listed"), [("ModelDeployProject", "BUILD_VARIABLES"), ("StagingTestProject", "STAGING_TEST_VARIABLES")]
)
def test_the_model_deploy_builds_get_exactly_the_variables_they_read(
    project: Template, monkeypatch: pytest.MonkeyPatch, build: str, listed: str
) -> None:
    settings = module_of("deploy_repo", "deployment.settings", monkeypatch)
    assert variables(project, build) == {variable.name for variable in getattr(settings, listed)}


@pytest.mark.parametrize(
    ("build", "action"), [("ModelDeployProject", "ResolvePackage"), ("StagingTestProject", "TestStaging")]
)
def test_a_buildspec_exports_every_variable_the_pipeline_reads(project: Template, build: str, action: str) -> None:
    (namespace,) = (each["Namespace"] for each in actions(project, "DeployPipeline") if each["Name"] == action)
    read = {name for where, name in references(project, "DeployPipeline") if where == namespace}
    assert read
    assert read <= set(buildspec(project, build)["env"]["exported-variables"])


@pytest.mark.parametrize("name", ["KmsKeyArn", "VpcSubnetIds", "VpcSecurityGroupIds"])
def test_what_the_launch_form_takes_the_endpoints_take(project: Template, name: str) -> None:
    endpoint = Template(DEPLOY_REPO / "endpoint-config-template.yml", {}).document["Parameters"][name]
    form = project.document["Parameters"][name]
    for limit in ("Type", "AllowedPattern", "MaxLength"):
        assert endpoint[limit] == form[limit]


# ---- files


@pytest.mark.parametrize("build", BUILDS)
def test_a_buildspec_reports_into_the_group_made_for_it(project: Template, build: str) -> None:
    _, group = BUILDS[build]
    # https://docs.aws.amazon.com/codebuild/latest/userguide/report-group-naming.html
    reports = [f"{project.name(project.resource(build))}-{key}" for key in buildspec(project, build)["reports"]]
    assert reports == [project.name(project.resource(group))]


def test_the_files_that_stacks_are_made_from_are_in_the_build_s_artifact(project: Template) -> None:
    files = buildspec(project, "ModelDeployProject")["artifacts"]["files"]
    for action in actions(project, "DeployPipeline"):
        for key in ("TemplatePath", "TemplateConfiguration"):
            if key in action["Configuration"]:
                wanted = action["Configuration"][key].split("::")[1]
                assert any(fnmatchcase(wanted, pattern) for pattern in files), f"{action['Name']}: {wanted}"


# ---- places in the bucket


def _granted(project: Template, role: str, action: str) -> list[str]:
    return [
        resource
        for each in statements(project)
        if each.owner.logical_id == role and action in each.actions
        for resource in each.resources
    ]


def test_the_build_writes_where_its_roles_may_write(project: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = module_of("build_repo", "pipelines.uploads", monkeypatch)
    bucket = project.name(project.resource("ArtifactBucket"))
    pipeline = f"{WORST_CASE['SageMakerProjectName']}-{WORST_CASE['SageMakerProjectId']}"
    key = uploads.StepCode(()).prefix(pipeline) + "/train.py"
    for role in ("ModelBuildRole", "PipelineExecutionRole"):
        written = _granted(project, role, "s3:PutObject")
        assert written == [f"arn:aws:s3:::{bucket}/{pipeline}/*"]
        assert fnmatchcase(f"arn:aws:s3:::{bucket}/{key}", written[0])


def test_requests_are_captured_where_the_model_s_role_may_write(
    project: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = module_of("deploy_repo", "deployment.stage", monkeypatch)
    registry = importlib.import_module("deployment.registry")
    settings = importlib.import_module("deployment.settings")
    bucket = project.name(project.resource("ArtifactBucket"))
    environment = {variable.name: "x" for variable in settings.BUILD_VARIABLES} | {"ARTIFACT_BUCKET": bucket}
    exported = stage.export(
        stage.StageConfig({}, {}),
        "prod",
        "fraud-prod",
        registry.Chosen("arn", 1, "because"),
        settings.BuildSettings.from_environment(environment),
    )
    captured = exported["Parameters"]["DataCaptureS3Uri"].removeprefix("s3://") + "/fraud-prod/AllTraffic/x.jsonl"
    assert any(
        fnmatchcase(f"arn:aws:s3:::{captured}", own) for own in _granted(project, "ModelExecutionRole", "s3:PutObject")
    )


# ---- what the endpoint stacks need


def endpoint_stacks(project: Template) -> Iterator[Template]:
    """deploy_repo's template, as each stage deploys it."""
    name, project_id = WORST_CASE["SageMakerProjectName"], WORST_CASE["SageMakerProjectId"]
    path = DEPLOY_REPO / "endpoint-config-template.yml"
    for stage in STAGES:
        given = {"SageMakerProjectName": name, "SageMakerProjectId": project_id, "StageName": stage}
        batch = {"BatchRoleArn": project.arn(project.resource("BatchRole"))}
        yield Template(path, {**given, **batch, "EndpointName": f"{name}-{stage}"})


def arns(stack: Template, resource: Resource, action: str) -> list[str]:
    """The ARNs an action on a resource of an endpoint stack is checked on, all of which have to be allowed."""
    here, endpoint = f"{REGION}:{ACCOUNT}", stack.parameters["EndpointName"]
    stack_name = "sagemaker-{SageMakerProjectName}-{SageMakerProjectId}-deploy-{StageName}".format(**stack.parameters)
    endpoint_arn = f"arn:aws:sagemaker:{here}:endpoint/{endpoint}"
    config_arn = f"arn:aws:sagemaker:{here}:endpoint-config/endpointconfig-x0x0"
    match resource.type, action:
        case _, "iam:CreateServiceLinkedRole":
            service = "sagemaker.application-autoscaling.amazonaws.com"
            role = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
            return [f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/{role}"]
        case "AWS::SageMaker::Model", _:
            return [f"arn:aws:sagemaker:{here}:model/model-x0x0"]
        case _, _ if action.startswith("kms:"):
            return [WORST_CASE["KmsKeyArn"]]
        case "AWS::SageMaker::EndpointConfig", _:
            return [config_arn]
        case "AWS::SageMaker::Endpoint", "sagemaker:CreateEndpoint" | "sagemaker:UpdateEndpoint":
            return [endpoint_arn, config_arn]
        case "AWS::SageMaker::Endpoint", _:
            return [endpoint_arn]
        case "AWS::SageMaker::Pipeline", "s3:GetObject":
            return []  # the definition stands in the template
        case "AWS::SageMaker::Pipeline", _:
            return [f"arn:aws:sagemaker:{here}:pipeline/{endpoint}"]
        case "AWS::Events::Rule", _:
            return [f"arn:aws:events:{here}:rule/{stack.resolve(resource.properties['Name'])}"]
        case "AWS::CloudWatch::Alarm", _:
            return [f"arn:aws:cloudwatch:{here}:alarm:{stack_name}-{resource.logical_id}-X0X0"]
        case _, "cloudwatch:GetMetricData":
            return ["*"]
        case _, _ if action.startswith("cloudwatch:"):
            return [
                f"arn:aws:cloudwatch:{here}:alarm:TargetTracking-endpoint/{endpoint}/variant/AllTraffic-AlarmHigh-x"
            ]
        case _:
            return [f"arn:aws:application-autoscaling:{here}:scalable-target/1234abcd"]


def test_the_deployment_role_may_make_every_call_that_the_endpoint_stacks_cause(project: Template) -> None:
    granted = [each for each in statements(project) if each.owner.logical_id == "EndpointDeploymentRole"]
    passed = {
        resource_type: project.arn(project.resource(role))
        for resource_type, role in (
            ("AWS::SageMaker::Model", "ModelExecutionRole"),
            ("AWS::SageMaker::Pipeline", "BatchRole"),
            ("AWS::Events::Rule", "BatchRole"),
        )
    }
    missing = [
        f"{stack.at(resource.line)}: {resource.logical_id} needs {action} on {arn}"
        for stack in endpoint_stacks(project)
        for resource in stack.resources
        for action in sorted(caused_calls(resource.type))
        for arn in ([passed[resource.type]] if action == "iam:PassRole" else arns(stack, resource, action))
        if not any(each.covers(action, arn) for each in granted)
    ]
    assert missing == []


def test_the_deployment_role_grants_nothing_that_no_endpoint_stack_needs(project: Template) -> None:
    stack = next(endpoint_stacks(project))
    caused = set().union(*(caused_calls(resource.type) for resource in stack.resources))
    # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html
    caused.add("sagemaker:UpdateEndpointWeightsAndCapacities")
    # https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html (CreateEndpoint, with a key)
    caused.add("kms:CreateGrant")
    granted = [each for each in statements(project) if each.owner.logical_id == "EndpointDeploymentRole"]
    assert {action for each in granted for action in each.actions} - caused == set()


def test_what_the_deployment_role_may_create_without_a_name_carries_the_tag_it_is_limited_by(project: Template) -> None:
    for stack in endpoint_stacks(project):
        for kind in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
            for resource in stack.of_type(kind):
                tags = {tag["Key"]: tag["Value"] for tag in stack.resolve(resource.properties["Tags"])}
                assert tags["sagemaker:project-id"] == WORST_CASE["SageMakerProjectId"]
                assert tags["sagemaker:deployment-stage"] == stack.parameters["StageName"]


def test_the_staging_tests_may_read_evaluations_and_nothing_else_of_the_model_build(project: Template) -> None:
    granted = [each for each in statements(project) if each.owner.logical_id == "StagingTestRole"]
    variables_of_build = project.resolve(
        project.resource("ModelBuildProject").properties["Environment"]["EnvironmentVariables"]
    )
    (prefix,) = (each["Value"] for each in variables_of_build if each["Name"] == "SAGEMAKER_PIPELINE_NAME")
    run = f"{project.arn(project.resource('ArtifactBucket'))}/{prefix}/executions/h6hn8rc0qhb0"
    reads = ("Evaluate/evaluation/held_out.json", "Train/output/model.tar.gz", "Preprocess/test/claims.csv")
    assert [any(each.covers("s3:GetObject", f"{run}/{key}") for each in granted) for key in reads] == [
        True,
        False,
        False,
    ]


def test_the_staging_tests_compute_the_metrics_that_the_evaluation_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ast.parse((BUILD_REPO / "steps" / "held_out.py").read_text(encoding="utf-8"))
    (left,) = (
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "COMPARED"
    )
    measures = module_of("deploy_repo", "deployment.measures", monkeypatch)
    assert set(left) == measures.measure([1, 0], [0.9, 0.1], [True, False]).keys()
    assert set(left) == set(module_of("deploy_repo", "deployment.comparison", monkeypatch).NAMES)
    named_by = module_of("deploy_repo", "deployment.held_out", monkeypatch).NAMED_BY
    assert f'"{named_by}": ' in (BUILD_REPO / "pipelines" / "pipeline.py").read_text(encoding="utf-8")


def test_stage_names_in_conditions_are_those_of_the_stages(project: Template) -> None:
    """Builds and functions may look at models by stage tag; a renamed stage would blind them."""

    def stage_of(statement: Statement) -> Any:
        return statement.condition.get("StringEquals", {}).get("aws:ResourceTag/sagemaker:deployment-stage")

    found = {each.owner.logical_id: stage_of(each) for each in statements(project) if stage_of(each)}
    assert found == {
        "ModelDeployRole": ["prod", "staging"],
        "StagingTestRole": ["prod", "staging"],
        "DecideDeploymentRole": "prod",
        "FollowDeploymentsRole": "prod",
        "FollowRejectionRole": "prod",
        "RecordDeploymentRole": "prod",
    }
    stack = next(endpoint_stacks(project))
    named = {stage for stages in found.values() for stage in ([stages] if isinstance(stages, str) else stages)}
    assert set(stack.document["Parameters"]["StageName"]["AllowedValues"]) == named
