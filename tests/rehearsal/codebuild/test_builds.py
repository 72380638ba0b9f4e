"""What a build hands on, what it may do, and how it is told of, stopped and timed out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.codebuild import CodeBuild, runner
from rehearsal.cloud.resources.codebuild import CODEBUILD_TYPES
from tests.rehearsal.codebuild.conftest import BUCKET, RIGHTS, Lab, failed_phase
from tests.rehearsal.conftest import StartCloud
from tests.waiting import until

TESTDATA = Path(__file__).parent / "testdata"


def source(folder: Path, *commands: str, more: str = "") -> Path:
    """A source whose build phase runs these commands."""
    folder.mkdir(exist_ok=True)
    lines = "".join(f"      - {command}\n" for command in commands)
    (folder / "buildspec.yml").write_text(f"version: 0.2\nphases:\n  build:\n    commands:\n{lines}{more}")
    return folder


def test_variables_and_artifacts_are_handed_on(lab: Lab) -> None:
    project = lab.project("hands-on")
    build = lab.play(project, TESTDATA / "succeeds", ["Built"])
    exported = {one["name"]: one["value"] for one in build["exportedEnvironmentVariables"]}
    assert exported == {"GREETING": "hello world", "WHERE": "src", "NEVER_SET": ""}
    assert lab.artifact(project, "Built") == {"deep/a.txt": "made\n", "b.txt": "made\n"}
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{BUCKET}/out/{project}/Built"
    stored = lab.s3.head_object(Bucket=BUCKET, Key=f"out/{project}/Built")
    assert stored["Metadata"]["codebuild-buildarn"] == build["arn"]
    assert stored["Metadata"]["codebuild-content-sha256"] == build["artifacts"]["sha256sum"]


def test_secrets_are_not_exported(lab: Lab) -> None:
    ssm = lab.cloud.client("ssm", lab.cloud.identity.root)
    ssm.put_parameter(Name="/lab/token", Value="sesame-street", Type="SecureString", Overwrite=True)
    build = lab.play(lab.project("no-secrets"), TESTDATA / "keeps_secrets")
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["exportedEnvironmentVariables"] == []


def test_a_build_knows_itself_and_nothing_of_this_machine(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOMETHING_OF_THIS_MACHINE", "private")
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.example.com/simple")
    project = lab.project("knows", environment={"environmentVariables": [{"name": "STAGE", "value": "staging"}]})
    build = lab.play(
        project,
        TESTDATA / "nothing_leaks",
        ["Environment"],
        request={"environmentVariablesOverride": [{"name": "EXTRA", "value": "a b", "type": "PLAINTEXT"}]},
        pipeline="the-pipeline",
        revision="c0ffee",
    )
    lines = lab.artifact(project, "Environment")["environment.txt"].splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    folder = str(lab.cloud.cache_for("builds"))
    assert seen["CODEBUILD_BUILD_ID"] == build["id"]
    assert seen["CODEBUILD_BUILD_ARN"] == build["arn"]
    assert seen["CODEBUILD_BUILD_NUMBER"] == "1"
    assert seen["CODEBUILD_INITIATOR"] == build["initiator"] == "codepipeline/the-pipeline"
    assert seen["CODEBUILD_RESOLVED_SOURCE_VERSION"] == build["resolvedSourceVersion"] == "c0ffee"
    assert seen["CODEBUILD_SOURCE_VERSION"] == build["sourceVersion"]
    assert seen["CODEBUILD_BUILD_IMAGE"] == "aws/codebuild/amazonlinux-x86_64-standard:6.0"
    assert seen["CODEBUILD_LOG_PATH"] == build["logs"]["streamName"]
    assert seen["CODEBUILD_SRC_DIR"] == seen["PWD"]
    assert (seen["AWS_REGION"], seen["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
    assert (seen["STAGE"], seen["EXTRA"]) == ("staging", "a b")
    for name in ("HOME", "TMPDIR", "CODEBUILD_SRC_DIR"):
        assert seen[name].startswith(folder)
    assert seen["PIP_INDEX_URL"] == "https://pypi.example.com/simple"
    assert seen["PATH"].split(":")[2:] == ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    assert not {"SOMETHING_OF_THIS_MACHINE", "VIRTUAL_ENV"} & set(seen)


def test_what_a_build_installs_stays_in_the_build(lab: Lab, tmp_path: Path) -> None:
    wheelhouse = source(
        tmp_path / "installs",
        "python make_wheel.py",
        "pip install --quiet --no-index --disable-pip-version-check ./rehearsed-1.0-py3-none-any.whl",
        "python -c 'import rehearsed, sys; assert sys.prefix in rehearsed.__file__'",
        "python -c 'import sys; assert sys.prefix == sys.base_prefix'  # a system's Python to whoever looks for one",
        "python -m venv --without-pip .venv && .venv/bin/python -c 'import sys; print(sys.version_info[:2])'",
    )
    (wheelhouse / "make_wheel.py").write_text(
        "import zipfile\n"
        "with zipfile.ZipFile('rehearsed-1.0-py3-none-any.whl', 'w') as wheel:\n"
        "    info = 'rehearsed-1.0.dist-info/'\n"
        "    wheel.writestr('rehearsed.py', '')\n"
        "    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: rehearsed\\nVersion: 1.0\\n')\n"
        "    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "    wheel.writestr(info + 'RECORD', '')\n"
    )
    build = lab.play(lab.project("installs"), wheelhouse)
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)


def test_a_report_holds_every_test_case(lab: Lab) -> None:
    project = lab.project("reports")
    build = lab.play(project, TESTDATA / "report_with_failures")
    report = lab.client.batch_get_reports(reportArns=build["reportArns"])["reports"][0]
    group = f"arn:aws:codebuild:us-east-1:123456789012:report-group/{project}-unit-tests"
    assert (report["reportGroupArn"], report["status"], report["executionId"]) == (group, "FAILED", build["arn"])
    summary = report["testSummary"]
    assert summary["total"] == 4
    assert summary["statusCounts"] == {"SUCCEEDED": 1, "FAILED": 1, "ERROR": 1, "SKIPPED": 1, "UNKNOWN": 0}
    assert summary["durationInNanoSeconds"] == 1_750_000_000
    cases = lab.client.describe_test_cases(reportArn=report["arn"], filter={"status": "FAILED"})["testCases"]
    assert [(one["name"], one["prefix"], one["message"], one["testRawDataPath"]) for one in cases] == [
        ("test_generalises", "tests.test_model", "assert 0.7 >= 0.85\nthe whole traceback", "junit.xml")
    ]
    listed = lab.client.list_reports_for_report_group(reportGroupArn=group)["reports"]
    assert listed == build["reportArns"]
    assert group in lab.client.list_report_groups()["reportGroups"]


@pytest.mark.parametrize(
    ("missing", "phase", "code", "message"),
    [
        (
            "logs:CreateLogStream",
            "PROVISIONING",
            "ACCESS_DENIED",
            "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build",
        ),
        ("logs:PutLogEvents", "PROVISIONING", "ACCESS_DENIED", "logs:PutLogEvents"),
        ("s3:GetBucketAcl", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "s3:GetBucketAcl"),
        ("s3:GetBucketLocation", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "s3:GetBucketLocation"),
        ("s3:GetObject", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "s3:GetObject"),
        ("s3:GetObjectVersion", "DOWNLOAD_SOURCE", "CLIENT_ERROR", "s3:GetObjectVersion"),
        ("ssm:GetParameters", "DOWNLOAD_SOURCE", "Decrypted Variables Error", "ssm:GetParameters"),
        ("s3:PutObject", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "s3:PutObject"),
        ("codebuild:CreateReportGroup", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "codebuild:CreateReportGroup"),
        ("codebuild:CreateReport", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "codebuild:CreateReport"),
        ("codebuild:UpdateReport", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "codebuild:UpdateReport"),
        ("codebuild:BatchPutTestCases", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "codebuild:BatchPutTestCases"),
    ],
)
def test_every_grant_of_the_service_role_is_needed(
    lab: Lab, tmp_path: Path, missing: str, phase: str, code: str, message: str
) -> None:
    ssm = lab.cloud.client("ssm", lab.cloud.identity.root)
    ssm.put_parameter(Name="/lab/region", Value="north", Type="String", Overwrite=True)
    role = lab.role(lab.name("without"), [action for action in RIGHTS if action != missing])
    variables = [{"name": "WHERE", "value": "/lab/region", "type": "PARAMETER_STORE"}]
    project = lab.project("without", serviceRole=role, environment={"environmentVariables": variables})
    folder = source(
        tmp_path / "src",
        "test $WHERE = north && echo '<testsuite/>' > tests.xml",
        more="artifacts:\n  files: [tests.xml]\nreports:\n  unit:\n    files: [tests.xml]\n",
    )
    build = lab.play(project, folder, ["Tests"])
    assert build["buildStatus"] == "FAILED"
    assert failed_phase(build)[:2] == (phase, code)
    assert message in failed_phase(build)[2]


def test_a_log_group_that_exists_need_not_be_made(lab: Lab, tmp_path: Path) -> None:
    group = lab.name("/own/group")
    lab.logs.create_log_group(logGroupName=group)
    role = lab.role(lab.name("no-new-groups"), [right for right in RIGHTS if right != "logs:CreateLogGroup"])
    settings = {"cloudWatchLogs": {"status": "ENABLED", "groupName": group, "streamName": "builds"}}
    project = lab.project("own-group", serviceRole=role, logsConfig=settings)
    build = lab.play(project, source(tmp_path / "src", "echo logged"))
    assert build["buildStatus"] == "SUCCEEDED", failed_phase(build)
    assert build["logs"]["groupName"] == group
    assert build["logs"]["streamName"].startswith("builds/")
    assert "\nlogged\n" in lab.log(build)


def test_the_log_can_be_read_while_the_build_runs(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    project = lab.project("streams")
    build_id = lab.start(project, source(tmp_path / "src", "echo halfway", f"until [ -e {flag} ]; do sleep 0.05; done"))

    def halfway() -> bool:
        build = lab.client.batch_get_builds(ids=[build_id])["builds"][0]
        assert build["buildStatus"] == "IN_PROGRESS"
        return build["currentPhase"] == "BUILD" and "\nhalfway\n" in lab.log(build)

    until(halfway, "the line in the log")
    flag.touch()
    assert lab.ended(build_id)["buildStatus"] == "SUCCEEDED"


def test_a_stopped_build_ends_with_all_its_processes(lab: Lab, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    build_id = lab.start(
        lab.project("stopped"), source(tmp_path / "src", f"sleep 300 & echo $! > {pid}.new; mv {pid}.new {pid}; wait")
    )
    until(pid.exists, "the command's start")
    assert lab.client.stop_build(id=build_id)["build"]["id"] == build_id
    build = lab.ended(build_id)
    assert build["buildStatus"] == "STOPPED"
    assert failed_phase(build)[0] == "BUILD"
    assert not runs(pid)


def test_no_process_outlives_the_cloud(start_cloud: StartCloud, tmp_path: Path) -> None:
    short_lived = Lab(start_cloud([CodeBuild], CODEBUILD_TYPES))
    pid = tmp_path / "pid"
    project = short_lived.project("left")
    short_lived.start(project, source(tmp_path / "src", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 300"))
    until(pid.exists, "the command's start")
    short_lived.cloud.stop()
    assert not runs(pid)


def runs(pid: Path) -> bool:
    """Whether the process whose id a file holds is alive."""
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid.read_text().strip()}/status")
    return not status.exists() or "Z (zombie)" not in status.read_text()


class Alarm:
    """Stands in for a build's timers: goes off when the test says so, not when time has passed."""

    waiting: list[Alarm]

    def __init__(self, seconds: float, what: Callable[[str], None], arguments: list[str]) -> None:
        self.seconds, self.go_off, self.daemon = seconds, partial(what, *arguments), False

    def start(self) -> None:
        self.waiting.append(self)

    def cancel(self) -> None:
        self.waiting.remove(self)


def test_a_build_that_takes_too_long_times_out(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Alarm, "waiting", [], raising=False)
    monkeypatch.setattr(runner, "Timer", Alarm)
    begun = tmp_path / "begun"
    build_id = lab.start(lab.project("slow", timeoutInMinutes=5), source(tmp_path / "src", f"touch {begun}; sleep 300"))
    until(begun.exists, "the command's start")
    (timer,) = Alarm.waiting
    assert timer.seconds == 5 * 60
    timer.go_off()
    build = lab.ended(build_id)
    assert build["buildStatus"] == "TIMED_OUT"
    assert failed_phase(build)[0] == "BUILD"
    assert not Alarm.waiting


def heard(lab: Lab, build: dict[str, Any], kind: str, times: int) -> list[dict[str, Any]]:
    """The events of a kind that a build sent, once there are so many."""

    def all_told() -> list[dict[str, Any]] | None:
        found = [one for one in lab.events if one["detail-type"] == kind and one["resources"] == [build["arn"]]]
        return found if len(found) >= times else None

    found = until(all_told, f"event {times} of the build")
    assert {one["source"] for one in found} == {"aws.codebuild"}
    assert len(found) == times
    return found


def test_the_bus_hears_of_every_phase_that_is_completed(lab: Lab) -> None:
    build = lab.play(lab.project("phases-heard"), TESTDATA / "command_fails")
    details = [one["detail"] for one in heard(lab, build, "CodeBuild Build Phase Change", 10)]
    completed = [phase for phase in build["phases"] if "phaseStatus" in phase]
    assert [(one["completed-phase"], one["completed-phase-status"]) for one in details] == [
        (phase["phaseType"], phase["phaseStatus"]) for phase in completed
    ]
    failed = next(one for one in details if one["completed-phase"] == "BUILD")
    assert failed["completed-phase-context"].startswith("['COMMAND_EXECUTION_ERROR: Error while executing command")
    assert failed["completed-phase-duration-seconds"] >= 0
    assert failed["additional-information"]["build-complete"] is False
    assert re.fullmatch(r"\w{3} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M", failed["completed-phase-end"])


def test_the_bus_hears_when_a_build_starts_and_how_it_ends(lab: Lab) -> None:
    build = lab.play(lab.project("heard"), TESTDATA / "command_fails")
    started, ended = heard(lab, build, "CodeBuild Build State Change", 2)
    assert started["detail"]["build-status"] == "IN_PROGRESS"
    assert ended["resources"] == [build["arn"]]
    detail = ended["detail"]
    assert (detail["build-status"], detail["build-id"]) == ("FAILED", build["arn"])
    information = detail["additional-information"]
    assert information["build-complete"] is True
    assert information["logs"]["group-name"] == build["logs"]["groupName"]
    phase = next(one for one in information["phases"] if one["phase-type"] == "BUILD")
    assert phase["phase-status"] == "FAILED"
    assert phase["phase-context"][0].startswith("COMMAND_EXECUTION_ERROR: Error while executing command: exit 3")


def test_several_sources_and_artifacts_go_by_their_names(lab: Lab, tmp_path: Path) -> None:
    project = lab.project("several")
    more = (
        "artifacts:\n  secondary-artifacts:\n    One:\n      files: [one.txt]\n"
        "    Two:\n      files: ['*.txt']\n      discard-paths: yes\n      base-directory: nested\n"
    )
    first = source(
        tmp_path / "first",
        "cp $CODEBUILD_SRC_DIR_Second/second.txt one.txt",
        "mkdir nested; cp one.txt nested",
        more=more,
    )
    second = tmp_path / "second"
    second.mkdir()
    (second / "second.txt").write_text("from the second source")
    build = lab.room.start_build_for_pipeline(
        {"projectName": project},
        inputs={"First": (BUCKET, lab.upload(first)), "Second": (BUCKET, lab.upload(second))},
        outputs={name: (BUCKET, f"out/{project}/{name}") for name in ("One", "Two")},
        caller=lab.cloud.identity.root,
    )
    ended = lab.ended(str(build["id"]))
    assert ended["buildStatus"] == "SUCCEEDED", lab.log(ended)
    assert lab.artifact(project, "One") == lab.artifact(project, "Two") == {"one.txt": "from the second source"}


def test_a_pipelines_role_must_be_allowed_to_start_builds(lab: Lab, tmp_path: Path) -> None:
    project = lab.project("guarded")
    weak = lab.cloud.identity.session_of(lab.role(lab.name("weak"), ["codebuild:BatchGetBuilds"]), "pipeline")
    with pytest.raises(Exception, match=f"codebuild:StartBuild on resource: .*project/{project}"):
        lab.room.start_build_for_pipeline({"projectName": project}, inputs={}, outputs={}, caller=weak)


def test_a_person_builds_from_s3_into_s3(lab: Lab, tmp_path: Path) -> None:
    key = lab.upload(source(tmp_path / "src", "echo out > out.txt", more="artifacts:\n  files: [out.txt]\n"))
    project = lab.project(
        "by-hand",
        source={"type": "S3", "location": f"{BUCKET}/{key}"},
        artifacts={"type": "S3", "location": BUCKET, "path": "by-hand", "name": "result.zip", "packaging": "ZIP"},
    )
    build = lab.ended(lab.client.start_build(projectName=project)["build"]["id"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    assert lab.s3.head_object(Bucket=BUCKET, Key="by-hand/result.zip")["ContentLength"] > 0
    assert lab.client.list_builds_for_project(projectName=project)["ids"] == [build["id"]]


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        call(**request)
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_pipelines_project_cannot_be_built_by_hand(lab: Lab) -> None:
    code, message = refused(lab.client.start_build, projectName=lab.project("pipelines-own"))
    assert code == "InvalidInputException"
    assert "builds are started by a pipeline" in message


def test_unknown_builds_and_projects_are_not_found(lab: Lab) -> None:
    assert refused(lab.client.start_build, projectName="nothing")[0] == "ResourceNotFoundException"
    assert refused(lab.client.stop_build, id="nothing:1")[0] == "ResourceNotFoundException"
    assert lab.client.batch_get_builds(ids=["nothing:1"])["buildsNotFound"] == ["nothing:1"]
