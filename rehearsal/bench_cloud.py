"""What the cloud itself costs, for `make bench`: launching projects one after the other, and calling each of its rooms.

Both are measured on the same cloud: the calls find twenty projects there. A launch lasts from CreateProject until the
project is CreateCompleted; the builds that a launched project starts wait in their queue meanwhile, so that what is
measured is the launch and not twenty builds beside it.

A call is measured twice. *Through the front door*: the bytes of one signed request, sent on an open connection until
the whole answer is there; that is the cloud's own time. *Through boto3*: the same call as programs make it, with what
boto3 takes to put the request together, sign it and read the answer.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT, Person

Row = tuple[str, float, str, float | None]
"""What was measured, its value, its unit, and the highest value that meets the target, if there is one."""

LAUNCHES = 20
TOLD = (1, 5, 10, 20)
LAUNCH_SECONDS, TWENTY_SECONDS, TWENTY_MIB = 3.0, 60.0, 1024.0
SOME = 5
GROWTH = 1.5
"""How much longer a launch may take beside nineteen projects than beside few: the cost of projects grows linearly."""
CALLS = 200
CALL_MS = 5.0
KIB_PER_MIB = 1024
LOOK_AGAIN = 0.05

OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Application Auto Scaling": (
        "application-autoscaling",
        "describe_scalable_targets",
        {"ServiceNamespace": "sagemaker"},
    ),
    "CodeBuild": ("codebuild", "batch_get_projects", {"names": ["sagemaker-{}-modelbuild"]}),
    "CodeCommit": ("codecommit", "get_repository", {"repositoryName": "sagemaker-{}-modelbuild"}),
    "CodePipeline": ("codepipeline", "get_pipeline_state", {"name": "sagemaker-{}-modeldeploy"}),
    "Lambda": ("lambda", "list_functions", {}),
    "SageMaker": ("sagemaker", "describe_model_package_group", {"ModelPackageGroupName": "{}"}),
    "Service Catalog": ("servicecatalog", "search_products_as_admin", {}),
}
"""One of the calls that people and programs make often, for each room; `{}` is a project's name and id."""


def cloud_rows(scratch: Path) -> list[Row]:
    """Measure."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        settings = CloudSettings(Path(folder), REPOSITORY_ROOT / ".venvs", cache=scratch / "cache", builds=0)
        with new_cloud(settings) as cloud:
            people = settle(cloud)
            engineer = Person("platform-engineer", cloud, people.platform_engineer)
            scientist = Person("data-scientist", cloud, people.data_scientist)
            publish = ("-m", "service_catalog", "publish", "--studio-role-arn", people.studio_role_arn)
            engineer.run(sys.executable, *publish, folder=REPOSITORY_ROOT)
            return [*launch_rows(cloud, scientist), *call_rows(engineer)]


# ---- launches


def launch_rows(cloud: Cloud, scientist: Person) -> list[Row]:
    """Twenty launches, one after the other."""
    print(f"{LAUNCHES} launches into one cloud ...", flush=True)
    before, began = memory_of(cloud), time.monotonic()
    ended: list[float] = []
    for number in range(1, LAUNCHES + 1):
        launch(scientist, f"bench-{number}")
        ended.append(time.monotonic() - began)
    each = [later - earlier for earlier, later in zip([0.0, *ended], ended, strict=False)]
    after = memory_of(cloud)
    return [
        *((f"launches: {number}, one after the other", ended[number - 1], "s", _limit(number)) for number in TOLD),
        ("the slowest launch of twenty", max(each), "s", LAUNCH_SECONDS),
        ("the last five launches over the second to the sixth", growth(each), "times", GROWTH),
        (
            "memory of the cloud with twenty projects (cloud, base, idle functions)",
            after + memory_of_idle_functions(cloud),
            "MiB",
            TWENTY_MIB,
        ),
        ("memory that one project adds to cloud and base", (after - before) / LAUNCHES, "MiB", None),
    ]


def growth(each: list[float]) -> float:
    """What the last launches took over what the first took, but for the very first, which finds everything cold."""
    return sum(each[-SOME:]) / sum(each[1 : SOME + 1])


def _limit(number: int) -> float | None:
    return TWENTY_SECONDS if number == LAUNCHES else None


def launch(scientist: Person, name: str) -> None:
    """Create a project, and return when it is there. Raises SystemExit when it fails."""
    catalog, sagemaker = scientist.client("servicecatalog"), scientist.client("sagemaker")
    product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
    version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
    details = {"ProductId": product, "ProvisioningArtifactId": version}
    sagemaker.create_project(ProjectName=name, ServiceCatalogProvisioningDetails=details)
    while True:
        project = sagemaker.describe_project(ProjectName=name)
        if project["ProjectStatus"] == "CreateCompleted":
            return
        if project["ProjectStatus"] == "CreateFailed":
            raise SystemExit(f"the launch of {name} failed: {project['ServiceCatalogProvisionedProductDetails']}")
        time.sleep(LOOK_AGAIN)


def memory_of(cloud: Cloud) -> float:
    """MiB that the cloud's own two processes hold now; 0 where there is no /proc."""
    return sum(_resident(each) for each in (os.getpid(), cloud.base.pid))


def memory_of_idle_functions(cloud: Cloud) -> float:
    """MiB that the functions hold which wait for their next invocation: a few, however many there are."""
    functions = cloud.services["lambda"]
    assert isinstance(functions, Lambda)  # noqa: S101 - no other room has that name
    return sum(_resident(each) for each in functions.idle.processes)


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / KIB_PER_MIB


# ---- calls


def call_rows(engineer: Person) -> list[Row]:
    """The median of many calls of each room."""
    print(f"{CALLS} calls of each room ...", flush=True)
    newest = engineer.client("sagemaker").list_projects()["ProjectSummaryList"][0]
    named = f"{newest['ProjectName']}-{newest['ProjectId']}"
    rows: list[Row] = []
    for room, (service, operation, request) in OPERATIONS.items():
        client, given = engineer.client(service), _filled(request, named)
        call = getattr(client, operation)
        sent, _ = sent_by(client, lambda c=call, g=given: c(**g))  # type: ignore[misc]
        what = f"{room}: {''.join(word.title() for word in operation.split('_'))}"
        rows.append((f"{what}, through the front door, median", median_ms(replay(sent)), "ms", CALL_MS))
        rows.append((f"{what}, through boto3, median", median_ms(lambda c=call, g=given: c(**g)), "ms", None))  # type: ignore[misc]
    return rows


def sent_by(client: Any, call: Callable[[], Any]) -> tuple[Any, Any]:  # noqa: ANN401 - botocore is untyped
    """Make a call with a client: the request that it sent, signed, and what it answered."""
    sent: list[Any] = []

    def keep(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore is untyped
        sent.append(request)

    client.meta.events.register_first("before-send", keep)
    answer = call()
    client.meta.events.unregister("before-send", keep)
    return sent[-1], answer


def _filled(request: dict[str, Any], named: str) -> dict[str, Any]:
    def fill(value: Any) -> Any:  # noqa: ANN401 - a request's value
        if isinstance(value, list):
            return [fill(each) for each in value]
        return value.format(named) if isinstance(value, str) else value

    return {member: fill(value) for member, value in request.items()}


def replay(request: Any) -> Callable[[], None]:  # noqa: ANN401 - botocore is untyped
    """What sends a signed request again, on one connection. Raises SystemExit for any answer but 200."""
    where = urlsplit(request.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    path = f"{where.path or '/'}{f'?{where.query}' if where.query else ''}"
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}

    def send() -> None:
        connection.request(request.method, path, request.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{request.url} answered {answer.status}: {body[:300]!r}")

    return send


def median_ms(call: Callable[[], object]) -> float:
    """Milliseconds of the median of many calls, after a few that warm up."""
    return statistics.median(list(_timed(call))[CALLS // 10 :])


def _timed(call: Callable[[], object]) -> Iterator[float]:
    for _ in range(CALLS + CALLS // 10):
        began = time.perf_counter()
        call()
        yield (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    for row in cloud_rows(REPOSITORY_ROOT / ".rehearsal"):
        print(*row)
