"""What a request to an endpoint takes besides the model itself, for `make bench`.

The same request is measured twice: through the front door, as the bytes of one signed InvokeEndpoint on an open
connection until the whole answer is there; and in process, where the functions of the project's own inference.py are
called with the same body in the interpreter that plays the image, on one thread as there. The difference is what the
front door (identity, rights, validation, metrics, data capture) and the stand-in of the serving container add.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rehearsal.bench_cloud import CALLS, Row, median_ms, replay, sent_by
from rehearsal.bench_projects import BenchProject
from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.runtimes import runtime_for
from rehearsal.scene import must
from rehearsal.watch import StoryError

IN_PROCESS = Path(__file__).with_name("in_process.py")
RECORDS = (1, 100)
"""How many records a request holds."""
JSON = "application/json"
WARM_UP = CALLS // 10


def body_of(records: int) -> str:
    """A request about so many claims."""
    claims = [HARMLESS if number % 2 == 0 else SUSPICIOUS for number in range(records)]
    return json.dumps({"records": claims})


def serving_rows(cloud: Cloud, project: BenchProject) -> list[Row]:
    """Measure on the project's production endpoint, which is in service."""
    scene = project.scene
    scene.progress.say(f"{CALLS} requests of {' and '.join(map(str, RECORDS))} records, through the front door ...")
    runtime = scene.scientist.client("sagemaker-runtime")
    endpoint = scene.project.endpoint("prod")
    package = scene.describe_package(scene.served_package("prod"))
    container = package["InferenceSpecification"]["Containers"][0]
    bodies = [body_of(records) for records in RECORDS]
    asked, answers = [], []
    for body in bodies:
        given = {"EndpointName": endpoint, "Body": body, "ContentType": JSON, "Accept": JSON}
        request, answer = sent_by(runtime, lambda g=given: runtime.invoke_endpoint(**g))  # type: ignore[misc]
        answers.append(answer["Body"].read().decode())
        asked.append(median_ms(replay(request)))
    scene.progress.say("the same in process ...")
    called = in_process(cloud, scene.engineer.client("s3"), container, bodies)
    for body, answer, (_, alone) in zip(bodies, answers, called, strict=True):
        must(json.loads(alone) == json.loads(answer), f"the endpoint and the model in process must answer {body} alike")
    return [
        row
        for records, front, (milliseconds, _) in zip(RECORDS, asked, called, strict=True)
        for row in latency_rows(records, front, statistics.median(milliseconds[WARM_UP:]))
    ]


def latency_rows(records: int, front: float, alone: float) -> list[Row]:
    """Both medians of a request, and their difference; milliseconds."""
    what = f"InvokeEndpoint with {records} record{'s' if records > 1 else ''}"
    return [
        (f"{what}, through the front door, median", front, "ms", None),
        (f"{what}, the same inference code in process, median", alone, "ms", None),
        (f"{what}, added by the front door and the serving stand-in", front - alone, "ms", None),
    ]


def in_process(
    cloud: Cloud,
    s3: Any,  # noqa: ANN401 - boto3 is untyped
    container: dict[str, Any],
    bodies: Sequence[str],
) -> list[tuple[list[float], str]]:
    """The milliseconds of each call, and the answer, for each body. Raises StoryError when the model's code fails."""
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    with tempfile.TemporaryDirectory(dir=cloud.settings.folder) as folder:
        model = Path(folder)
        packed = io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            archive.extractall(model, filter="data")
        runtime = runtime_for(container["Image"])
        done = subprocess.run(
            [str(runtime.python(cloud.settings.environments)), str(IN_PROCESS), str(model), str(CALLS + WARM_UP)],
            input=json.dumps({"bodies": list(bodies), "content_type": JSON}),
            env={
                **runtime.variables,
                **container.get("Environment", {}),
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(model / "code"),
                "OMP_NUM_THREADS": "1",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise StoryError(f"the model's own code failed when it was called in process:\n{done.stderr[-3000:]}")
    return [(each["milliseconds"], each["answer"]) for each in json.loads(done.stdout)]
