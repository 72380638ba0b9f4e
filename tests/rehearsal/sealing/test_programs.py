"""Programs in the cloud know its keys and its address only: nothing of the owner's, and nothing when they lose them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.egress import HINT
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT, Person
from tests.rehearsal.codebuild.conftest import Lab as BuildLab
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.lambda_.lambda_lab import Lab as FunctionLab
from tests.rehearsal.sagemaker.jobs_lab import Bench
from tests.rehearsal.sealing.traps import KEY, Traps

WHO = "boto3.client('sts', config=Config(retries={'max_attempts': 0})).get_caller_identity()['Arn']"
PROGRAM = f"""\
import json, os, boto3
from botocore.config import Config
def ask():
    boto3.DEFAULT_SESSION = None
    try:
        return {WHO}
    except Exception as problem:
        return f"{{type(problem).__name__}}: {{problem}}"
told = {{"as it is": ask()}}
endpoint = os.environ.pop("AWS_ENDPOINT_URL")
told["without its endpoint"] = ask()
os.environ["AWS_ENDPOINT_URL"] = endpoint
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
    del os.environ[name]
told["without its keys"] = ask()
"""
LOSES_ITS_ENDPOINT = (
    f'unset AWS_ENDPOINT_URL; {sys.executable} -c "import boto3; from botocore.config import Config; print({WHO})"'
)
TOLD = "told: "

Play = Callable[[str], tuple[bool, str]]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the traps are Linux's inotify")


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traps]:
    """The machine's owner is signed in, while the cloud stands and while it is made. Needs inotify."""
    made = Traps(tmp_path_factory.mktemp("owner"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made
    made.clear()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, traps: Traps) -> Iterator[Cloud]:
    assert traps.sprung == []
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS)) as running:
        yield running


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program as a file, on a Python that has the SDK."""
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(f"{PROGRAM}print({TOLD!r} + json.dumps(told))\n")
    return f"{sys.executable} {path}"


@pytest.fixture(scope="module")
def build(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a shell line in a build; whether it succeeded, and its log."""
    lab = BuildLab(cloud)
    project = lab.project("lost")

    def play(shell: str) -> tuple[bool, str]:
        source = tmp_path_factory.mktemp("source")
        phases = {"build": {"commands": [shell]}}
        (source / "buildspec.yml").write_text(json.dumps({"version": 0.2, "phases": phases}))
        ended = lab.play(project, source)
        return ended["buildStatus"] == "SUCCEEDED", lab.log(ended)

    return play


@pytest.fixture(scope="module")
def job(cloud: Cloud) -> Play:
    """Run a shell line in a processing job; whether it succeeded, and its log."""
    bench = Bench(cloud)

    def play(shell: str) -> tuple[bool, str]:
        ended = bench.process(shell)
        lines = bench.lines("/aws/sagemaker/ProcessingJobs", ended["ProcessingJobName"])
        return ended["ProcessingJobStatus"] == "Completed", "\n".join(lines)

    return play


@pytest.fixture(scope="module")
def functions(cloud: Cloud) -> FunctionLab:
    return FunctionLab(cloud)


def told(log: str) -> dict[str, str]:
    line = next(line for line in log.splitlines() if TOLD in line)
    found: dict[str, str] = json.loads(line.partition(TOLD)[2])
    return found


def told_nothing_of_the_owners(found: dict[str, str], role: str) -> None:
    assert f":assumed-role/{role}" in found["as it is"]
    assert HINT in found["without its endpoint"]
    assert found["without its keys"] == "NoCredentialsError: Unable to locate credentials"


@pytest.mark.parametrize(
    ("left_out", "used"),
    [
        ((), "POST /sts"),
        (("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"), "credentials"),
        (("AWS_ACCESS_KEY_ID", "AWS_SHARED_CREDENTIALS_FILE"), "token"),
    ],
)
def test_a_trap_tells_when_it_is_used(tmp_path: Path, left_out: tuple[str, ...], used: str) -> None:
    """Else the other tests here would show nothing."""
    traps = Traps(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in traps.environment.items():
            patch.setenv(name, value)
        for name in (*left_out, "AWS_USE_FIPS_ENDPOINT"):
            patch.delenv(name)
        with contextlib.suppress(BotoCoreError, ClientError):
            boto3.Session().client("sts", region_name="us-east-1").get_caller_identity()
    assert "config" in traps.sprung
    assert used in traps.sprung
    traps.clear()


def test_a_build_knows_its_role_only(build: Play, program: str, traps: Traps) -> None:
    succeeded, log = build(program)
    assert succeeded, log
    told_nothing_of_the_owners(told(log), "lost-1-role/AWSCodeBuild-")
    assert traps.sprung == []


def test_a_job_knows_its_role_only(job: Play, program: str, traps: Traps) -> None:
    succeeded, log = job(program)
    assert succeeded, log
    told_nothing_of_the_owners(told(log), "lab-")
    assert traps.sprung == []


def test_a_function_knows_its_role_only(functions: FunctionLab, traps: Traps) -> None:
    name = functions.create(
        f"def handler(event, context):\n    exec({PROGRAM!r}, found := {{}})\n    return found['told']"
    )
    told_nothing_of_the_owners(functions.invoke(name), "FunctionRole/")
    assert traps.sprung == []


def test_a_build_that_loses_its_endpoint_fails_and_says_why(build: Play, cloud: Cloud) -> None:
    succeeded, log = build(LOSES_ITS_ENDPOINT)
    assert not succeeded
    assert HINT in log
    assert "sts.us-east-1.amazonaws.com" in cloud.egress.refused


def test_a_job_that_loses_its_endpoint_fails_and_says_why(job: Play) -> None:
    succeeded, log = job(LOSES_ITS_ENDPOINT)
    assert not succeeded
    assert HINT in log


def test_a_function_that_loses_its_endpoint_fails_and_says_why(functions: FunctionLab) -> None:
    source = f"""
import os, boto3
from botocore.config import Config
def handler(event, context):
    del os.environ["AWS_ENDPOINT_URL"]
    return {WHO}
"""
    error = functions.error_of(functions.create(source))
    assert error["errorType"] == "ProxyConnectionError"
    assert HINT in error["errorMessage"]


def test_people_publish_with_their_own_keys(cloud: Cloud, traps: Traps) -> None:
    people = settle(cloud)
    engineer = Person("platform-engineer", cloud, people.platform_engineer)
    assert KEY not in engineer.environment().values()
    publish = ("-m", "service_catalog", "publish", "--studio-role-arn", people.studio_role_arn)
    engineer.run(sys.executable, *publish, folder=REPOSITORY_ROOT)
    assert cloud.client("servicecatalog", people.platform_engineer).search_products_as_admin()["ProductViewDetails"]
    assert traps.sprung == []
    assert [host for host in cloud.egress.refused if host != "sts.us-east-1.amazonaws.com"] == []
