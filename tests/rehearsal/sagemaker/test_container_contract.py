"""A program sees its job's folder as /opt/ml and nothing of this machine's environment, whichever way that is done."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.container import OPT_ML_PATH, REWRITTEN_PATHS, Containers, Way, possible_way
from rehearsal.cloud.egress import HINT
from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.processes import Processes
from rehearsal.cloud.runtimes import RUNTIMES, runtime_for
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.images import IMAGE
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def bare_cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """What containers use of a cloud, without starting one."""
    settings = CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS)
    return Cloud(settings, (), ())


@pytest.fixture(params=["as this machine allows", "rewritten paths"])
def containers(request: pytest.FixtureRequest, bare_cloud: Cloud) -> Containers:
    way: Way | None = REWRITTEN_PATHS if request.param == "rewritten paths" else None
    return Containers(bare_cloud, way)


def run(containers: Containers, folder: Path, *command: str, **environment: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    status = containers.run(IMAGE, folder, command, environment, lines.append, timeout=PATIENCE)
    return status, lines


def test_the_folder_is_seen_as_opt_ml(containers: Containers, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "question").write_text("six times nine")

    status, lines = run(containers, tmp_path, "cp", "/opt/ml/input/question", "/opt/ml/answer")

    assert (status, lines) == (0, [])
    assert (tmp_path / "answer").read_text() == "six times nine"


def test_the_host_keeps_its_own_opt(containers: Containers, tmp_path: Path) -> None:
    before = sorted(path.name for path in Path("/opt").iterdir())

    run(containers, tmp_path, "touch", "/opt/ml/mark")

    assert sorted(path.name for path in Path("/opt").iterdir()) == before
    assert (tmp_path / "mark").exists()


def test_what_else_lies_in_opt_stays_visible(containers: Containers, tmp_path: Path) -> None:
    _, lines = run(containers, tmp_path, "ls", "-A", "/opt")

    assert {path.name for path in Path("/opt").iterdir()} <= set(lines)


def test_the_environment_is_what_the_job_is_given_and_the_image_brings(
    containers: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the host's own")
    monkeypatch.setenv("SOME_SETTING", "of the host")

    _, lines = run(containers, tmp_path, "env", GIVEN="/opt/ml/model")

    seen = dict(line.split("=", 1) for line in lines)
    assert seen["GIVEN"] == containers.as_seen(tmp_path, "/opt/ml/model")
    assert seen["PYTHONUNBUFFERED"] == "1"
    assert seen["HOME"].startswith(containers.as_seen(tmp_path, "/opt/ml"))
    assert not {"AWS_SECRET_ACCESS_KEY", "SOME_SETTING", "VIRTUAL_ENV", "USER"} & set(seen)


def test_a_program_without_credentials_finds_none_of_the_machines(containers: Containers, tmp_path: Path) -> None:
    """Servers of models have none."""
    _, lines = run(containers, tmp_path, "env")

    seen = dict(line.split("=", 1) for line in lines)
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert HINT in seen["http_proxy"], "metadata addresses are asked over http"


def test_rewritten_paths_name_the_base_directory_as_sagemakers_toolkits_do(bare_cloud: Cloud, tmp_path: Path) -> None:
    _, lines = run(Containers(bare_cloud, REWRITTEN_PATHS), tmp_path, "sh", "-c", 'echo "$SAGEMAKER_BASE_DIR"')

    assert lines == [str(tmp_path)]


def test_python_is_the_images_with_the_images_packages_and_no_others(containers: Containers, tmp_path: Path) -> None:
    program = (
        "import json, numpy, pandas, sklearn, xgboost, sys; "
        "print(json.dumps([sys.executable, numpy.__version__, pandas.__version__, xgboost.__version__]))"
    )

    _, lines = run(containers, tmp_path, "python3", "-c", program)

    executable, *versions = json.loads(lines[-1])
    assert executable == str(RUNTIMES[0].python(ENVIRONMENTS))
    pins = (ENVIRONMENTS.parent / "requirements" / f"{RUNTIMES[0].name}.in").read_text(encoding="utf-8").split()
    named = zip(("numpy", "pandas", "xgboost-cpu"), versions, strict=True)
    assert {f"{name}=={version}" for name, version in named} <= set(pins)

    status, lines = run(containers, tmp_path, "python3", "-c", "import sagemaker")
    assert (status, lines[-1]) == (1, "ModuleNotFoundError: No module named 'sagemaker'")


@pytest.mark.parametrize(
    ("command", "status"),
    [(["sh", "-c", "exit 3"], 3), (["no-such-program"], 127), (["sh", "-c", "kill -9 $$"], 137)],
)
def test_the_exit_status_is_the_programs(
    containers: Containers, tmp_path: Path, command: list[str], status: int
) -> None:
    assert run(containers, tmp_path, *command)[0] == status


def test_lines_arrive_while_the_program_runs(containers: Containers, tmp_path: Path) -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        (tmp_path / "go on").write_text("")

    wait = "while [ ! -e '/opt/ml/go on' ]; do sleep 0.01; done"
    folder = containers.as_seen(tmp_path, "/opt/ml")
    script = f"echo first; {wait.replace('/opt/ml', folder)}; echo second"

    assert containers.run(IMAGE, tmp_path, ["sh", "-c", script], {}, on_line, timeout=PATIENCE) == 0
    assert lines == ["first", "second"]


def test_nothing_that_a_program_started_outlives_it(containers: Containers, tmp_path: Path) -> None:
    marker = f"61{os.getpid()}"

    status, lines = run(containers, tmp_path, "sh", "-c", f"sleep {marker} & echo left it running")

    assert (status, lines) == (0, ["left it running"])
    assert subprocess.run(["pgrep", "-f", f"^sleep {marker}$"], capture_output=True, check=False).stdout == b""


def test_a_program_that_takes_too_long_is_ended(containers: Containers, tmp_path: Path) -> None:
    begun = time.monotonic()

    with pytest.raises(subprocess.TimeoutExpired):
        containers.run(IMAGE, tmp_path, ["sleep", "3600"], {}, print, timeout=0.2)

    assert time.monotonic() - begun < PATIENCE


def test_a_server_is_left_running_until_it_is_stopped(containers: Containers, tmp_path: Path) -> None:
    log = tmp_path / "log"

    server = containers.start(IMAGE, tmp_path, ["sh", "-c", "echo up; exec sleep 600"], {}, log)
    while "up" not in log.read_text():
        assert server.poll() is None
    containers.stop(server)

    assert server.poll() is not None


def test_only_whole_paths_are_rewritten() -> None:
    text = "/opt/ml /opt/ml/model s3://bucket/opt/ml/x /opt/mlflow '/opt/ml'"

    assert OPT_ML_PATH.sub("/jobs/1", text) == "/jobs/1 /jobs/1/model s3://bucket/opt/ml/x /opt/mlflow '/jobs/1'"


def test_a_machine_without_unshare_rewrites_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert possible_way(tmp_path) == REWRITTEN_PATHS


def test_every_regions_xgboost_image_has_the_same_runtime() -> None:
    assert runtime_for(IMAGE.replace("683313688378", "141502667606").replace("us-east-1", "eu-west-1")) == RUNTIMES[0]


def test_an_image_without_a_runtime_is_named_with_the_way_to_add_one() -> None:
    with pytest.raises(NotImplementedHere, match=r"sagemaker-xgboost:1\.7-1.*images\.py says how to add one"):
        runtime_for("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1")


def test_a_missing_environment_is_named_with_its_lock(tmp_path: Path) -> None:
    settings = CloudSettings(tmp_path, tmp_path / "nothing here")
    cloud = Cloud(settings, (), ())
    assert isinstance(cloud.processes, Processes)

    with pytest.raises(NotImplementedHere, match=re.escape(f"requirements/{RUNTIMES[0].name}.lock")):
        Containers(cloud).run(IMAGE, tmp_path, ["true"], {}, print)
