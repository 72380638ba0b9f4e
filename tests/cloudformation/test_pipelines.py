"""The two pipelines: stages in order, safe skipping, and nothing referred to that does not exist."""

from __future__ import annotations

import json

import pytest
from pipeline_stages import REFERENCE, actions, references, stages

from checks.template_file import ROOT, Template

PIPELINES = ("BuildPipeline", "DeployPipeline")
SKIPPED_UNLESS_DEPLOYED = ("DeployStaging", "ApproveProduction", "DeployProduction")
GIVEN_BY_CODEPIPELINE = {"variables", "codepipeline"}
# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineVariableDeclaration.html
LONGEST_VARIABLE_DESCRIPTION = 200
JUDGED = "#{Decision.MODEL_PACKAGE_ARN}"
BESIDE = "#{Decision.CHALLENGER_MODEL_PACKAGE_ARN}"
LONGEST_ARN = "arn:aws:sagemaker:ap-northeast-1:123456789012:model-package/" + "n" * 53 + "/99999"
# https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
LONGEST_OVERRIDES = 1000
LONGEST_CUSTOM_DATA = 1000  # https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html


def test_both_pipelines_state_their_type_and_how_executions_meet(project: Template) -> None:
    for name in PIPELINES:
        properties = project.resource(name).properties
        assert (properties["PipelineType"], properties["ExecutionMode"]) == ("V2", "SUPERSEDED"), name


def test_the_build_pipeline_fetches_and_builds(project: Template) -> None:
    assert list(stages(project, "BuildPipeline")) == ["Source", "Build"]


def test_the_deploy_pipeline_asks_a_person_in_a_stage_of_its_own(project: Template) -> None:
    found = stages(project, "DeployPipeline")
    assert list(found) == ["Source", "Build", "DeployStaging", "ApproveProduction", "DeployProduction"]
    assert [action["Name"] for action in found["DeployStaging"]["Actions"]] == ["DeployStaging", "TestStaging"]
    assert [action["RunOrder"] for action in found["DeployStaging"]["Actions"]] == [1, 2]
    (approval,) = found["ApproveProduction"]["Actions"]
    assert approval["ActionTypeId"] == {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"}
    assert approval["Configuration"]["NotificationArn"] == project.arn(project.resource("NotificationTopic"))


INVOKE = {"Category": "Invoke", "Owner": "AWS", "Provider": "Lambda", "Version": "1"}


def test_production_checks_makes_room_deploys_and_records_in_this_order(project: Template) -> None:
    found = stages(project, "DeployPipeline")["DeployProduction"]["Actions"]
    assert [(each["RunOrder"], each["Name"]) for each in found] == [
        (1, "CheckVersion"),
        (1, "DiscardFailedCreation"),
        (2, "DeployProduction"),
        (3, "RecordDeployment"),
    ]
    for each in (found[0], found[1], found[3]):
        assert each["ActionTypeId"] == INVOKE
        function = project.resource(f"{each['Name']}Function")
        assert each["Configuration"]["FunctionName"] == project.name(function)


def test_the_recorder_is_told_what_was_deployed(project: Template) -> None:
    record = stages(project, "DeployPipeline")["DeployProduction"]["Actions"][3]
    assert json.loads(record["Configuration"]["UserParameters"]) == {
        "modelPackageArn": JUDGED,
        "challengerArn": BESIDE,
        "executionId": "#{codepipeline.PipelineExecutionId}",
    }


def test_what_was_judged_is_what_both_stacks_get_whatever_the_build_wrote(project: Template) -> None:
    """Nothing after the decision goes by the version that the build names."""
    found = {each["Name"]: each["Configuration"] for each in actions(project, "DeployPipeline")}
    template = Template(ROOT / "deploy_repo" / "endpoint-config-template.yml", {})
    for name in ("DeployStaging", "DeployProduction"):
        overrides = json.loads(found[name]["ParameterOverrides"])
        beside = {
            "Challenger": "#{Decision.CHALLENGER_KIND}",
            "ChallengerModelPackageName": BESIDE,
            "ChallengerTrafficPercent": "#{Decision.CHALLENGER_TRAFFIC_PERCENT}",
            "ChampionWeight": "#{Decision.CHAMPION_WEIGHT}",
        }
        assert overrides == {"ModelPackageName": JUDGED} | (beside if name == "DeployProduction" else {})
        assert set(overrides) <= set(template.document["Parameters"]), (
            "CloudFormation refuses what the template does not have"
        )
        assert len(REFERENCE.sub(LONGEST_ARN, found[name]["ParameterOverrides"])) <= LONGEST_OVERRIDES
    assert json.loads(found["CheckVersion"]["UserParameters"]) == {
        "modelPackageArn": JUDGED,
        "challengerArn": "#{Decision.CHALLENGER_TO_CHECK}",
    }
    order = list(found)
    after = json.dumps([found[name] for name in order[order.index("DecideDeployment") + 1 :]])
    assert {key for namespace, key in REFERENCE.findall(after) if namespace == "BuildVariables"} == set()


def test_it_is_decided_right_after_the_build_and_in_our_own_function(project: Template) -> None:
    building, deciding = stages(project, "DeployPipeline")["Build"]["Actions"]
    assert (building["Name"], building["RunOrder"]) == ("ResolvePackage", 1)
    assert (deciding["Name"], deciding["RunOrder"], deciding["Namespace"]) == ("DecideDeployment", 2, "Decision")
    assert deciding["ActionTypeId"] == INVOKE
    parameters = json.loads(deciding["Configuration"]["UserParameters"], object_pairs_hook=list)
    assert parameters == [
        ("modelPackageArn", "#{BuildVariables.MODEL_PACKAGE_ARN_RESOLVED}"),
        ("challengerArn", "#{BuildVariables.CHALLENGER_MODEL_PACKAGE_ARN}"),
        ("challengerKind", "#{BuildVariables.CHALLENGER_KIND}"),
        ("challengerPercent", "#{BuildVariables.CHALLENGER_TRAFFIC_PERCENT}"),
        ("executionId", "#{codepipeline.PipelineExecutionId}"),  # last, so that no build can bring another one
    ]


VARIABLE_CHECK = {"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"}
SOMETHING_TO_DEPLOY = {"Variable": "#{BuildVariables.DEPLOY}", "Operator": "EQ", "Value": "yes"}
SOMEBODY_TO_ASK = {"Variable": "#{Decision.ASK_APPROVAL}", "Operator": "NE", "Value": "no"}


@pytest.mark.parametrize("stage", SKIPPED_UNLESS_DEPLOYED)
def test_a_stage_is_skipped_when_it_has_nothing_to_do(project: Template, stage: str) -> None:
    (condition,) = stages(project, "DeployPipeline")[stage]["BeforeEntry"]["Conditions"]
    assert condition["Result"] == "SKIP"
    assert all(rule["RuleTypeId"] == VARIABLE_CHECK for rule in condition["Rules"])
    checks = [rule["Configuration"] for rule in condition["Rules"]]
    # What a build says can skip the question only together with production; and only an explicit "no" of ours else.
    asked = [SOMETHING_TO_DEPLOY, SOMEBODY_TO_ASK]
    assert checks == (asked if stage == "ApproveProduction" else [SOMETHING_TO_DEPLOY])


def test_source_actions_wait_for_their_rule_instead_of_polling(project: Template) -> None:
    for name, repository in zip(PIPELINES, ("ModelBuildRepository", "ModelDeployRepository"), strict=True):
        (source,) = stages(project, name)["Source"]["Actions"]
        assert source["Configuration"] == {
            "RepositoryName": project.name(project.resource(repository)),
            "BranchName": "main",
            "PollForSourceChanges": False,
        }


def test_namespaces_are_those_that_variables_are_read_from(project: Template) -> None:
    for name in PIPELINES:
        namespaces = {action["Namespace"] for action in actions(project, name) if "Namespace" in action}
        read = {namespace for namespace, _ in references(project, name)} - GIVEN_BY_CODEPIPELINE
        assert read <= namespaces, name


def test_a_variable_is_read_only_after_the_action_that_sets_it(project: Template) -> None:
    for name in PIPELINES:
        set_so_far: set[str] = set(GIVEN_BY_CODEPIPELINE)
        for stage in stages(project, name).values():
            condition = json.dumps(stage.get("BeforeEntry", {}))
            assert {found[1] for found in REFERENCE.finditer(condition)} <= set_so_far, f"{name}, {stage['Name']}"
            for action in sorted(stage["Actions"], key=lambda each: each.get("RunOrder", 1)):
                read = {found[1] for found in REFERENCE.finditer(json.dumps(action["Configuration"]))}
                assert read <= set_so_far, f"{name}, {action['Name']}"
                set_so_far |= {action["Namespace"]} if "Namespace" in action else set()


def test_pipeline_variables_exist_and_have_a_default(project: Template) -> None:
    declared = {
        each["Name"]: each["DefaultValue"] for each in project.resource("DeployPipeline").properties["Variables"]
    }
    assert declared == {"MODEL_PACKAGE_ARN": "auto"}
    for variable in project.resource("DeployPipeline").properties["Variables"]:
        assert len(variable["Description"]) <= LONGEST_VARIABLE_DESCRIPTION, variable["Name"]
    assert {each for namespace, each in references(project, "DeployPipeline") if namespace == "variables"} == set(
        declared
    )


def test_artifacts_are_made_before_they_are_used(project: Template) -> None:
    for name in PIPELINES:
        made: set[str] = set()
        for action in actions(project, name):
            used = {each["Name"] for each in action.get("InputArtifacts", [])}
            assert used <= made, f"{name}, {action['Name']}"
            for path in ("TemplatePath", "TemplateConfiguration"):
                if path in action["Configuration"]:
                    assert action["Configuration"][path].split("::")[0] in used, f"{name}, {action['Name']}"
            made |= {each["Name"] for each in action.get("OutputArtifacts", [])}


def test_environment_variables_of_actions_are_lists_that_codepipeline_can_read(project: Template) -> None:
    found = {
        action["Name"]: json.loads(action["Configuration"]["EnvironmentVariables"])
        for action in actions(project, "DeployPipeline")
        if "EnvironmentVariables" in action["Configuration"]
    }
    assert found == {
        "ResolvePackage": [
            {"name": "MODEL_PACKAGE_ARN", "value": "#{variables.MODEL_PACKAGE_ARN}", "type": "PLAINTEXT"}
        ],
        "TestStaging": [
            {"name": "MODEL_PACKAGE_ARN", "value": JUDGED, "type": "PLAINTEXT"},
            {"name": "APPROVAL_PAGE", "value": f"s3://{approval_page(project)}", "type": "PLAINTEXT"},
        ],
    }


def approval_page(project: Template) -> str:
    """Bucket and key of the page for the approver."""
    prefix = project.resolve({"Fn::Sub": "${SageMakerProjectName}-${SageMakerProjectId}"})
    bucket = project.name(project.resource("ArtifactBucket"))
    return f"{bucket}/{prefix}/approvals/#{{codepipeline.PipelineExecutionId}}.html"


def test_the_approval_links_to_the_page_that_the_staging_tests_write(project: Template) -> None:
    (approval,) = stages(project, "DeployPipeline")["ApproveProduction"]["Actions"]
    link = approval["Configuration"]["ExternalEntityLink"]
    assert link.startswith("https://ap-northeast-1.console.aws.amazon.com/s3/object/")
    assert link.replace("?region=ap-northeast-1&prefix=", "/").endswith(f"/s3/object/{approval_page(project)}")


# What DecideDeployment says of a rollback from a repository that has changed, for version 99999.
LONGEST_WHY = 180
# What is said of a challenger with copies of all requests, for version 99999; a test of the functions holds it.
LONGEST_CHALLENGER = 67
# What the staging tests say at most: a test of the model-deploy repository holds it.
LONGEST_SUMMARY = 440


def test_the_approver_s_message_stays_within_its_limit(project: Template) -> None:
    (approval,) = stages(project, "DeployPipeline")["ApproveProduction"]["Actions"]
    message = approval["Configuration"]["CustomData"]
    longest = {
        "MODEL_PACKAGE_ARN": LONGEST_ARN,
        "STAGING_SUMMARY": "x" * LONGEST_SUMMARY,
        "WHY_ASKED": "x" * LONGEST_WHY,
        "CHALLENGER_IN_WORDS": "x" * LONGEST_CHALLENGER,
    }
    filled = REFERENCE.sub(lambda found: longest.get(found[2], "99999 of 99999"), message)
    assert len(filled) <= LONGEST_CUSTOM_DATA, len(filled)


def test_an_approval_expires_and_its_message_says_when_and_what_leads_back(project: Template) -> None:
    (approval,) = stages(project, "DeployPipeline")["ApproveProduction"]["Actions"]
    message = approval["Configuration"]["CustomData"]
    assert f"expires after {approval['TimeoutInMinutes'] // (24 * 60)} days" in message
    assert 'make rollback REASON="..."' in message


def test_stacks_get_the_role_made_for_them(project: Template) -> None:
    deployments = [each for each in actions(project, "DeployPipeline") if "StackName" in each["Configuration"]]
    role = project.arn(project.resource("EndpointDeploymentRole"))
    assert [each["Configuration"]["RoleArn"] for each in deployments] == [role, role]
    modes = {each["Name"]: each["Configuration"]["ActionMode"] for each in deployments}
    assert modes == {"DeployStaging": "REPLACE_ON_FAILURE", "DeployProduction": "CREATE_UPDATE"}


def test_nothing_runs_before_what_its_first_execution_needs(project: Template) -> None:
    """Creating a pipeline starts it; what it uses without naming it has to be created before."""
    needed = {
        "BuildPipeline": {"ArtifactBucketPolicy", "ModelBuildReportGroup", "PipelineExecutionRolePassesItself"},
        "DeployPipeline": {"ArtifactBucketPolicy", "ModelDeployReportGroup", "StagingTestReportGroup"},
    }
    for name, resources in needed.items():
        assert resources <= set(project.resource(name).body["DependsOn"]), name
    for build in project.of_type("AWS::CodeBuild::Project"):
        group = build.properties["LogsConfig"]["CloudWatchLogs"]["GroupName"]["Ref"]
        assert project.name(project.resource(group)) == f"/aws/codebuild/{project.name(build)}"
