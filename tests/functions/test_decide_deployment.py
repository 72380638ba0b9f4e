"""Whether a deployment is wanted, and whether a person is asked, is not up to what the build says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from deploying import DEPLOY, LATER, STAGING_STACK, Project
from fake_aws import Document, FakeAws, RefusedError
from scene import (
    APPROVER,
    COMMIT,
    GROUP,
    JOB,
    PRODUCTION,
    CodePipelines,
    Context,
    SageMaker,
    approved,
    decided,
    invocation,
    package_arn,
    recorded,
    resolved,
    running,
    waits_for_approval,
)

import decide_deployment

EVENT = "CloudWatchEvent"
DEPLOYING = running("DeployProduction", provider="CloudFormation")
WAS_LIVE = {
    "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Replaced"},
    "CustomerMetadataProperties": {
        "production.deployed-at": "2026-11-19T10:00:00Z",
        "production.approved-by": APPROVER,
        "production.came-by": "approval",
    },
}


NOBODY_BESIDE = ("none", "none", "none")


def _beside(challenger: tuple[str, str, str]) -> dict[str, str]:
    arn, kind, percent = challenger
    return {"challengerArn": arn, "challengerKind": kind, "challengerPercent": percent}


class Scene(Project):
    """Version 1 was live, 2 is, 3 is new."""

    def __init__(self, account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker) -> None:
        super().__init__(account, pipelines, sagemaker)
        sagemaker.register(1, **WAS_LIVE)
        self.execution(resolved(2), decided(2, "yes"), approved(), DEPLOYING, recorded(), status="Succeeded")

    def decide(
        self,
        version: int | None,
        asked_for: str = "",
        challenger: tuple[str, str, str] = NOBODY_BESIDE,
        **more: Any,
    ) -> tuple[str, Document]:
        """The execution of a version whose build has just ended, and what the action answers."""
        arn = package_arn(version) if version else "none"
        deciding = running("Build", "DecideDeployment", "Lambda")
        execution_id = self.execution(resolved(version or 0), deciding, asked_for=asked_for or arn, **more)
        decide_deployment.handler(
            invocation(modelPackageArn=arn, **_beside(challenger), executionId=execution_id),
            Context(self.pipelines.clock),
        )
        return execution_id, self.pipelines.results[-1]

    def asks(self, version: int | None, asked_for: str = "", **more: Any) -> str:
        """Whether a person is asked: `yes` or `no`."""
        _, result = self.decide(version, asked_for, **more)
        assert result["jobId"] == JOB
        answer: str = result["outputVariables"]["ASK_APPROVAL"]
        return answer


@pytest.fixture
def scene(account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(account, pipelines, sagemaker)
    made.set_variables(monkeypatch)
    monkeypatch.delenv("NOTIFICATION_TOPIC_ARN")
    return made


# ---- the question


def test_an_approved_version_a_push_and_an_empty_project_ask(scene: Scene) -> None:
    assert scene.asks(3, trigger=EVENT) == "yes"
    assert scene.asks(2, "auto", trigger=EVENT) == "yes"
    assert scene.asks(None, "auto") == "yes"


def test_a_version_that_was_in_production_before_asks_unless_it_comes_by_a_rollback(scene: Scene) -> None:
    assert scene.asks(1) == "yes"
    scene.reject(2)
    assert scene.asks(1, "rollback") == "no"


def test_a_rollback_says_whose_approval_it_carries(scene: Scene) -> None:
    scene.reject(2)
    _, result = scene.decide(1, "rollback")
    assert result["executionDetails"]["summary"] == (
        f"Version 1 comes back; {APPROVER} approved it for production before"
    )


def without(member: str, key: str | None = None) -> Document:
    if key is None:
        return {name: value for name, value in WAS_LIVE.items() if name != member}
    return {**WAS_LIVE, member: {name: value for name, value in WAS_LIVE[member].items() if name != key}}


UNKNOWN: dict[str, Document] = {
    "never in production": {},
    "no stage": without("ModelLifeCycle"),
    "another stage": {**WAS_LIVE, "ModelLifeCycle": {"Stage": "Staging", "StageStatus": "Tested"}},
    "no time": without("CustomerMetadataProperties", "production.deployed-at"),
    "no approver": without("CustomerMetadataProperties", "production.approved-by"),
    "nobody was asked": {
        **WAS_LIVE,
        "CustomerMetadataProperties": {
            **WAS_LIVE["CustomerMetadataProperties"],
            "production.approved-by": "nobody",
        },
    },
    "not complete": {**WAS_LIVE, "ModelPackageStatus": "Failed"},
    "another group": {**WAS_LIVE, "ModelPackageGroupName": "somebody-elses"},
    "rejected": {**WAS_LIVE, "approval": "Rejected"},
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_rollback_to_what_nobody_approved_for_production_asks(scene: Scene, case: str) -> None:
    """The build says which version it is, and may say anything."""
    scene.reject(2)
    scene.sagemaker.register(3, **UNKNOWN[case])
    assert scene.asks(3, "rollback") == "yes"


def test_a_build_cannot_pass_another_execution_off_for_its_own(scene: Scene) -> None:
    scene.reject(2)
    rollback = scene.execution(asked_for="rollback", status="Succeeded")
    own = scene.execution(resolved(1), asked_for="auto")
    job = invocation()
    job["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] = (
        f'{{"modelPackageArn": "{package_arn(1)}", "executionId": "{rollback}", "challengerArn": "none", '
        f'"challengerKind": "none", "challengerPercent": "none", "executionId": "{own}"}}'
    )
    decide_deployment.handler(job, Context(scene.pipelines.clock))
    assert scene.pipelines.results[-1]["outputVariables"]["ASK_APPROVAL"] == "yes"


# ---- the challenger


def beside(version: int, kind: str = "variant", percent: str = "20") -> tuple[str, str, str]:
    return package_arn(version), kind, percent


@pytest.mark.parametrize(
    ("kind", "percent", "weight", "words"),
    [
        ("variant", "99", "1", "Challenger: version 3 (variant, answers 99 % of the requests)"),
        ("shadow", "100", "100", "Challenger: version 3 (shadow, copies of 100 % of the requests)"),
    ],
)
def test_what_the_approver_is_told_of_a_challenger_is_what_production_gets(
    scene: Scene, kind: str, percent: str, weight: str, words: str
) -> None:
    _, result = scene.decide(2, "auto", beside(3, kind, percent))
    told = result["outputVariables"]
    assert told["ASK_APPROVAL"] == "yes"
    assert (told["CHALLENGER_MODEL_PACKAGE_ARN"], told["CHALLENGER_TO_CHECK"]) == (package_arn(3), package_arn(3))
    assert (told["CHALLENGER_KIND"], told["CHALLENGER_TRAFFIC_PERCENT"]) == (kind, percent)
    assert told["CHAMPION_WEIGHT"] == weight
    assert told["CHALLENGER_IN_WORDS"] == words
    assert len(words.replace("version 3", "version 99999")) <= 67, "what the message has room for: test_pipelines.py"


def test_without_a_challenger_the_stack_is_told_that_there_is_none(scene: Scene) -> None:
    told = scene.decide(3)[1]["outputVariables"]
    assert {told[f"CHALLENGER_{each}"] for each in ("MODEL_PACKAGE_ARN", "KIND", "TO_CHECK")} == {"none"}
    assert (told["CHALLENGER_TRAFFIC_PERCENT"], told["CHAMPION_WEIGHT"]) == ("1", "1"), "numbers, as the template asks"
    assert told["CHALLENGER_IN_WORDS"] == "Challenger: none"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"approval": "Rejected"}, "Rejected, not Approved"),
        ({"approval": "PendingManualApproval"}, "PendingManualApproval, not Approved"),
        ({"ModelPackageStatus": "Failed"}, "Failed, not Completed"),
    ],
)
def test_a_challenger_that_nobody_approved_ends_the_execution(scene: Scene, more: Document, found: str) -> None:
    scene.sagemaker.register(3, **more)
    message = scene.decide(2, "auto", beside(3))[1]["failureDetails"]["message"]
    assert message.startswith(f"Version 3 of {GROUP}, the challenger, is {found}")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ((package_arn(3).replace(GROUP, "another"), "variant", "20"), "for a challenger, which is no version of"),
        ((package_arn(3) + '", "x": "', "variant", "20"), "for a challenger, which is no version of"),
        (("none", "variant", "20"), "for a challenger, which is no version of"),
        (beside(3, "none"), "as 'none' with '20' % of the requests"),
        (beside(3, "everything"), "as 'everything' with"),
        (beside(3, "variant", "100"), "as 'variant' with '100' %"),
        (beside(3, "shadow", "0"), "as 'shadow' with '0' %"),
        (beside(3, "variant", "many"), "as 'variant' with 'many' %"),
    ],
)
def test_what_a_build_says_of_a_challenger_is_looked_at(scene: Scene, named: tuple[str, str, str], said: str) -> None:
    assert said in scene.decide(2, "auto", named)[1]["failureDetails"]["message"]


def serves_beside(scene: Scene, version: int) -> None:
    champion = {"VariantName": "AllTraffic", "ModelName": "model-2"}
    challenger = {"VariantName": "Challenger", "ModelName": f"model-{version}"}
    scene.sagemaker.besides["ProductionVariants"] = [champion, challenger]


def test_a_rollback_that_would_begin_a_challenger_asks(scene: Scene) -> None:
    scene.reject(2)
    _, result = scene.decide(1, "rollback", beside(3))
    assert result["outputVariables"]["ASK_APPROVAL"] == "yes"
    assert "version 3 would begin as its challenger" in result["executionDetails"]["summary"]


def test_a_rollback_asks_nobody_about_a_challenger_that_stays_and_is_not_held_up_by_it(scene: Scene) -> None:
    serves_beside(scene, 3)
    scene.reject(2)
    scene.sagemaker.register(3, "Rejected")  # after its build left it in
    told = scene.decide(1, "rollback", beside(3))[1]["outputVariables"]
    assert (told["ASK_APPROVAL"], told["CHALLENGER_TO_CHECK"]) == ("no", "none")
    assert told["CHALLENGER_MODEL_PACKAGE_ARN"] == package_arn(3)


# ---- what the repository holds in a rollback

CHANGED, CHANGED_AGAIN = "b0" * 20, "c1" * 20


def test_a_rollback_from_a_repository_that_has_changed_since_production_asks(scene: Scene) -> None:
    scene.reject(2)
    _, result = scene.decide(1, "rollback", commit=CHANGED)
    assert result["outputVariables"]["ASK_APPROVAL"] == "yes"
    why = result["outputVariables"]["WHY_ASKED"]
    assert why == (
        "Version 1 comes back, and a person is asked: the model-deploy repository has changed since production was "
        "last deployed from it (4f7a1c0d9e then, b0b0b0b0b0 now)"
    )
    assert result["executionDetails"]["summary"] == why
    assert len(why) < 175, "the approver's message has this much room for it: see tests/cloudformation"


def test_what_somebody_let_into_production_is_known(scene: Scene) -> None:
    scene.execution(resolved(3), approved(), DEPLOYING, recorded(), status="Succeeded", commit=CHANGED)
    scene.reject(2)
    assert scene.asks(1, "rollback", commit=CHANGED) == "no"
    assert scene.asks(1, "rollback") == "yes", "an older commit is another one, too"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_what_was_let_in_is_known_however_its_execution_ended(scene: Scene, status: str) -> None:
    scene.execution(resolved(3), approved(), DEPLOYING, recorded(), status=status, commit=CHANGED)
    scene.reject(2)
    assert scene.asks(1, "rollback", commit=CHANGED) == "no"


@pytest.mark.parametrize(("commit", "asks"), [(COMMIT, "no"), (CHANGED, "no"), (CHANGED_AGAIN, "yes")])
def test_what_was_let_in_when_the_rollback_began_is_known_though_another_commit_came_after_it(
    scene: Scene, commit: str, asks: str
) -> None:
    """A rejected version may be on its way in: its end is waited for, and counts, too."""
    ended = LATER + timedelta(minutes=5)
    scene.execution(resolved(3), approved(), DEPLOYING, recorded(ended), status="Succeeded", commit=CHANGED)
    scene.reject(2)
    assert scene.asks(1, "rollback", commit=commit) == asks


NOT_LET_IN: dict[str, list[Document]] = {
    "waits for its approval": [resolved(3), waits_for_approval()],
    "was never approved": [resolved(3), running("ApproveProduction", provider="Manual", status="Failed")],
    "did not come into production": [resolved(3), approved(), running("DeployProduction", status="Failed")],
    "deployed something else": [
        resolved(3),
        approved(),
        DEPLOYING,
        running("DeployProduction", "RecordDeployment", "Lambda", status="Failed"),
    ],
}


@pytest.mark.parametrize("case", NOT_LET_IN)
@pytest.mark.parametrize("status", ["InProgress", "Failed"])
def test_what_did_not_come_into_production_is_no_reason_to_ask_nobody(scene: Scene, case: str, status: str) -> None:
    scene.execution(*NOT_LET_IN[case], status=status, commit=CHANGED)
    scene.reject(2)
    assert scene.asks(1, "rollback", commit=CHANGED) == "yes"


def test_without_a_deployment_to_compare_with_a_rollback_asks(scene: Scene) -> None:
    scene.pipelines.executions[DEPLOY].clear()
    scene.reject(2)
    _, result = scene.decide(1, "rollback")
    assert result["outputVariables"]["WHY_ASKED"].endswith(
        "no execution is known that deployed production from this repository"
    )


def asking(scene: Scene, version: int, *more: Document, commit: str = CHANGED) -> str:
    """A rollback that was decided to ask."""
    return scene.execution(resolved(version), decided(version, "yes"), *more, asked_for="rollback", commit=commit)


def test_a_rollback_that_waits_for_its_approver_makes_way_for_the_next(scene: Scene) -> None:
    scene.reject(2)
    waiting = asking(scene, 1, waits_for_approval())
    own, result = scene.decide(1, "rollback")
    assert result["outputVariables"]["ASK_APPROVAL"] == "no"
    assert scene.stopped[waiting]["reason"] == f"Makes way for the rollback {own}"
    assert scene.stopped[waiting]["abandon"] is True, "an approval ends only with its approver"
    assert own not in scene.stopped


def test_a_rollback_that_asks_makes_way_for_one_that_asks_about_something_newer(scene: Scene) -> None:
    scene.reject(2)
    waiting = asking(scene, 1, waits_for_approval())
    _, result = scene.decide(1, "rollback", commit=CHANGED_AGAIN)
    assert result["outputVariables"]["ASK_APPROVAL"] == "yes"
    assert set(scene.stopped) == {waiting}


def test_a_rollback_that_asks_about_the_same_does_so_once(scene: Scene) -> None:
    scene.reject(2)
    waiting = asking(scene, 1, waits_for_approval())
    assert (
        stops(scene, 1, "rollback", commit=CHANGED) == f"Nothing to do: execution {waiting} deploys version 1 already"
    )
    assert waiting not in scene.stopped


def test_a_rollback_that_was_approved_and_is_in_production_is_let_end(scene: Scene) -> None:
    scene.reject(2)
    asking(scene, 3, approved(), DEPLOYING)
    own, _ = scene.decide(1, "rollback", commit=CHANGED_AGAIN)
    assert scene.stopped == {}
    assert scene.pipelines.of(DEPLOY, own)["status"] == "InProgress"


# ---- which version is judged


def test_the_version_that_was_judged_is_handed_on(scene: Scene) -> None:
    _, result = scene.decide(3)
    told = result["outputVariables"]
    assert {name: value for name, value in told.items() if not name.startswith("CHA")} == {
        "ASK_APPROVAL": "yes",
        "MODEL_PACKAGE_ARN": package_arn(3),
        "MODEL_PACKAGE_VERSION": "3",
        "WHY_ASKED": "Version 3 needs the approval of a person before production",
    }


def test_a_build_cannot_put_another_version_in_the_place_of_the_approved_one(scene: Scene) -> None:
    _, result = scene.decide(1, package_arn(3), trigger=EVENT)
    message = result["failureDetails"]["message"]
    assert "outputVariables" not in result
    assert message.startswith(
        "The build names version 1, but this execution was started for version 3: what is approved"
    )
    assert message.endswith("Nothing was deployed.")


FOREIGN = (
    package_arn(3).replace("fraud-p-abc123", "somebody-elses"),
    f"{package_arn(3)}0 ",
    package_arn(3).rpartition("/")[0],
    f'{package_arn(3)}", "Other": "x',
)


@pytest.mark.parametrize("arn", FOREIGN)
def test_what_is_no_version_of_the_project_is_not_judged(scene: Scene, arn: str) -> None:
    execution_id = scene.execution(resolved(3))
    given = {"modelPackageArn": arn, **_beside(NOBODY_BESIDE), "executionId": execution_id}
    decide_deployment.handler(invocation(**given), Context(scene.pipelines.clock))
    (result,) = scene.pipelines.results
    assert f"which is no version of {GROUP}." in result["failureDetails"]["message"]


def test_the_version_is_written_as_one_likes(scene: Scene) -> None:
    """SageMaker writes the name of a group in lower case into some ARNs."""
    execution_id = scene.execution(resolved(3), asked_for=package_arn(3).upper().replace("ARN:", "arn:"))
    given = {"modelPackageArn": package_arn(3), **_beside(NOBODY_BESIDE), "executionId": execution_id}
    decide_deployment.handler(invocation(**given), Context(scene.pipelines.clock))
    assert "outputVariables" in scene.pipelines.results[0]


# ---- when it cannot be decided


def denied(_: Document) -> Document:
    raise RefusedError("AccessDeniedException", "not authorized")


CALLS = [
    ("codepipeline", "ListPipelineExecutions"),
    ("codepipeline", "GetPipelineExecution"),
    ("codepipeline", "ListActionExecutions"),
    ("sagemaker", "DescribeModelPackage"),
]


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_an_error_fails_the_execution_and_skips_nothing(scene: Scene, service: str, operation: str) -> None:
    scene.reject(2)
    scene.account.play(service, **{operation: denied})
    _, result = scene.decide(1, "rollback")
    assert "outputVariables" not in result
    assert result["failureDetails"]["message"].startswith(f"AWS refused {operation}")
    assert result["failureDetails"]["message"].endswith("Nothing was deployed.")


def test_an_execution_that_nobody_knows_fails(scene: Scene) -> None:
    given = {"modelPackageArn": package_arn(1), **_beside(NOBODY_BESIDE), "executionId": "gone"}
    decide_deployment.handler(invocation(**given), Context(scene.pipelines.clock))
    (result,) = scene.pipelines.results
    assert "CodePipeline does not know the execution gone" in result["failureDetails"]["message"]


def test_parameters_that_lack_something_fail(scene: Scene) -> None:
    decide_deployment.handler(invocation(modelPackageArn=package_arn(1)), Context(scene.pipelines.clock))
    (result,) = scene.pipelines.results
    assert (
        "modelPackageArn and challengerArn and challengerKind and challengerPercent and executionId"
        in result["failureDetails"]["message"]
    )


# ---- staging, while it is taken down after the execution before


def test_it_waits_until_staging_is_taken_down(scene: Scene) -> None:
    stack = scene.staging(status="DELETE_IN_PROGRESS")
    scene.stacks.becomes(stack, "DELETE_COMPLETE", 90)
    before = scene.pipelines.clock.now
    assert scene.asks(3) == "yes"
    assert scene.pipelines.clock.now >= before + 90


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "DELETE_FAILED", "UPDATE_IN_PROGRESS"])
def test_it_waits_for_nothing_else_in_staging(scene: Scene, status: str) -> None:
    scene.staging(status=status)
    before = scene.pipelines.clock.now
    assert scene.asks(3) == "yes"
    assert scene.pipelines.clock.now == before


def test_a_deletion_of_staging_that_takes_too_long_is_said(scene: Scene) -> None:
    scene.staging(status="DELETE_IN_PROGRESS")
    _, result = scene.decide(3)
    message = result["failureDetails"]["message"]
    assert message.startswith(f"The stack {STAGING_STACK} of the deployment before is still being deleted.")


# ---- a rollback that has nothing to leave


def test_a_rollback_while_the_live_version_is_approved_is_refused(scene: Scene) -> None:
    _, result = scene.decide(2, "rollback")
    message = result["failureDetails"]["message"]
    assert message.startswith("Version 2 is live and approved: reject it first")
    assert "`make rollback`" in message


def test_a_rollback_from_a_rejected_version_on_its_way_in_is_none_of_these(scene: Scene) -> None:
    scene.sagemaker.register(2, **WAS_LIVE)
    scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.reject(3)
    assert scene.asks(2, "rollback") == "no"


def test_a_rejected_version_that_came_before_the_one_that_serves_is_no_reason(scene: Scene) -> None:
    scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3), status="Succeeded")
    by = scene.execution(resolved(2), approved(), DEPLOYING, status="Succeeded")
    scene.reject(3)
    scene.sagemaker.register(2, CustomerMetadataProperties={"production.execution-id": by})
    _, result = scene.decide(2, "rollback")
    assert "is live and approved" in result["failureDetails"]["message"]


# ---- what comes twice


def stops(scene: Scene, version: int, asked_for: str = "", **more: Any) -> str:
    """The reason for which the execution is stopped after this action, or nothing."""
    execution_id, result = scene.decide(version, asked_for, **more)
    stop = scene.stopped.get(execution_id)
    if stop is None:
        return ""
    assert stop["abandon"] is False, "the action still has to hear its answer"
    assert result["executionDetails"]["summary"] == stop["reason"]
    assert result["outputVariables"] == {"ASK_APPROVAL": "yes"}
    return str(stop["reason"])


def test_an_approval_that_comes_twice_is_deployed_once(scene: Scene) -> None:
    first = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3), trigger=EVENT)
    assert stops(scene, 3, trigger=EVENT) == f"Nothing to do: execution {first} deploys version 3 already"
    assert first not in scene.stopped


def test_an_approval_of_what_is_live_already_deploys_nothing(scene: Scene) -> None:
    assert stops(scene, 2, trigger=EVENT) == "Nothing to do: version 2 is live in production already"


ALREADY: dict[str, Callable[[Scene], object]] = {
    "rejected and approved again": lambda scene: scene.pipelines.of(
        DEPLOY, scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    ).update(status="Stopping"),
    "failed": lambda scene: scene.execution(resolved(3), approved(), asked_for=package_arn(3), status="Failed"),
    "superseded by another version": lambda scene: (
        scene.execution(resolved(3), asked_for=package_arn(3)),
        scene.execution(resolved(1), asked_for=package_arn(1)),
    ),
    "about to leave production": lambda scene: (
        scene.sagemaker.serve(PRODUCTION, 3),
        scene.execution(resolved(1), DEPLOYING, asked_for="rollback"),
    ),
}


@pytest.mark.parametrize("case", ALREADY)
def test_an_approval_that_is_new_is_deployed(scene: Scene, case: str) -> None:
    ALREADY[case](scene)
    assert stops(scene, 3, trigger=EVENT) == ""


def test_a_push_of_the_live_version_is_deployed_with_its_new_configuration(scene: Scene) -> None:
    assert stops(scene, 2, "auto", trigger=EVENT) == ""


def test_what_a_person_starts_by_hand_is_done(scene: Scene) -> None:
    assert stops(scene, 2) == ""


def test_a_second_rollback_to_the_same_version_is_left_to_the_first(scene: Scene) -> None:
    scene.reject(2)
    first = scene.execution(resolved(1), running("DeployStaging", provider="CloudFormation"), asked_for="rollback")
    assert stops(scene, 1, "rollback") == f"Nothing to do: execution {first} deploys version 1 already"


def test_a_rollback_is_not_left_to_an_execution_that_asks_a_person(scene: Scene) -> None:
    scene.reject(2)
    scene.execution(resolved(1), waits_for_approval(), asked_for=package_arn(1))
    assert stops(scene, 1, "rollback") == ""
