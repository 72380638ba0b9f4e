"""Conditions at the doors of a stage."""

from __future__ import annotations

from pipeline_lab import Lab, approve, build, only_when, stage


def deploying(lab: Lab, stem: str, answer: str, **condition: str) -> str:
    """A pipeline whose stages after the build depend on what the build said; answers its name, finished."""
    lab.builds.script(f"{stem}-builder", variables={"DEPLOY": answer})
    when = only_when("#{BuildVariables.DEPLOY}", "yes", **condition)
    declaration = lab.declaration(
        stem,
        stage("Build", build(project=f"{stem}-builder", namespace="BuildVariables")),
        stage("Staging", build("Deploy", f"{stem}-deployer", namespace="Test"), beforeEntry=when),
        stage("Approve", approve(CustomData="#{Test.SUMMARY}"), beforeEntry=when),
        stage("Production", build("Ship", f"{stem}-shipper"), beforeEntry=when),
    )
    lab.finished(declaration["name"], lab.create(declaration))
    return str(declaration["name"])


def test_a_condition_that_is_not_met_skips_the_stage_and_the_execution_goes_on(lab: Lab) -> None:
    name = deploying(lab, "skipped", "no")
    assert lab.executions(name)[0]["status"] == "Succeeded"
    for skipped, inside in (("Staging", "Deploy"), ("Approve", "Approve"), ("Production", "Ship")):
        shown = lab.stage(name, skipped)
        assert shown["latestExecution"]["status"] == "Skipped"
        assert "latestExecution" not in next(each for each in shown["actionStates"] if each["actionName"] == inside)
        condition = shown["beforeEntryConditionState"]
        assert condition["latestExecution"]["status"] == "Failed"
        [state] = condition["conditionStates"][0]["ruleStates"]
        assert (state["ruleName"], state["latestExecution"]["status"]) == ("Check", "Failed")
        assert "Variable value 'no' EQ 'yes' is false" in state["latestExecution"]["summary"]
    assert not [each for each in lab.builds.requests if each["projectName"] == "skipped-deployer"]


def test_a_condition_that_is_met_lets_the_execution_in(lab: Lab) -> None:
    declaration = lab.declaration(
        "met", stage("Build", build(), beforeEntry=only_when("#{SourceVariables.BranchName}", "main"))
    )
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Succeeded"
    assert lab.stage(name, "Build")["beforeEntryConditionState"]["latestExecution"]["status"] == "Succeeded"


def test_a_condition_can_fail_the_stage_instead(lab: Lab) -> None:
    name = deploying(lab, "refused", "no", result="FAIL")
    assert lab.executions(name)[0]["status"] == "Failed"
    assert lab.stage(name, "Staging")["latestExecution"]["status"] == "Failed"
    assert "latestExecution" not in lab.stage(name, "Production")


def test_a_condition_on_a_variable_nobody_produced_fails_rather_than_skips(lab: Lab) -> None:
    declaration = lab.declaration(
        "mistyped",
        stage("Build", build(namespace="BuildVariables")),
        stage("Next", build("Again"), beforeEntry=only_when("#{BuildVariables.DEPLYO}", "yes")),
    )
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    shown = lab.stage(name, "Next")
    assert shown["latestExecution"]["status"] == "Failed"
    assert shown["beforeEntryConditionState"]["latestExecution"]["status"] == "Errored"
    assert "BuildVariables.DEPLYO" in shown["beforeEntryConditionState"]["latestExecution"]["summary"]


def test_a_condition_on_success_can_fail_a_stage_that_ran(lab: Lab) -> None:
    lab.builds.script("measuring", variables={"LATENCY": "slow"})
    declaration = lab.declaration(
        "exit",
        stage(
            "Test",
            build("Measure", "measuring", namespace="Test"),
            onSuccess=only_when("#{Test.LATENCY}", "fast", result="FAIL"),
        ),
    )
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    shown = lab.stage(name, "Test")
    assert shown["latestExecution"]["status"] == "Failed"
    assert shown["actionStates"][0]["latestExecution"]["status"] == "Succeeded"
    assert shown["onSuccessConditionState"]["latestExecution"]["status"] == "Failed"


def test_rule_executions_are_listed(lab: Lab) -> None:
    name = deploying(lab, "rules", "no")
    details = lab.pipelines.list_rule_executions(pipelineName=name)["ruleExecutionDetails"]
    assert {each["stageName"] for each in details} == {"Staging", "Approve", "Production"}
    assert details[0]["input"]["resolvedConfiguration"]["Variable"] == "no"
