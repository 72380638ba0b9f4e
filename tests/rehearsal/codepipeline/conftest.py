"""The pipelines' cloud, once for all of their tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_lab import Lab, ScriptedBuilds

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.resources.codepipeline import CODEPIPELINE_TYPES
from rehearsal.cloud.settings import CloudSettings

ENVIRONMENTS = Path(__file__).parents[3] / ".venvs"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Real CodeCommit, S3, SNS, CloudFormation and IAM; scripted builds. Tests share it and use names of their own."""
    settings = CloudSettings(tmp_path_factory.mktemp("pipelines"), ENVIRONMENTS)
    with Cloud(settings, [CodeCommit, CodePipeline, ScriptedBuilds], CODEPIPELINE_TYPES) as cloud:
        yield Lab(cloud)
