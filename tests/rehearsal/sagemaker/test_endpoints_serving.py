"""An endpoint is a real HTTP server that runs the model's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.hosting import GRANTS, Hosting, Stage, until


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime])).set()


@pytest.fixture(scope="module")
def endpoint(stage: Stage) -> Iterator[str]:
    name = stage.endpoint(stage.config(stage.model("yes")))
    yield name
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_an_endpoint_answers_with_what_the_models_own_code_says(stage: Stage, endpoint: str) -> None:
    answer = stage.invoke(endpoint)
    assert json.loads(answer["Body"]) == {"predictions": ["yes"]}
    assert answer["InvokedProductionVariant"] == "AllTraffic"
