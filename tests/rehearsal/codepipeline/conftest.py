"""The pipelines' cloud, once for each module of tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pipeline_lab import Lab, ScriptedBuilds

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.resources.codepipeline import CODEPIPELINE_TYPES


@pytest.fixture(scope="module")
def lab(start_cloud: Callable[..., Cloud]) -> Lab:
    """Real CodeCommit, S3, SNS, CloudFormation and IAM; scripted builds."""
    return Lab(start_cloud([CodeCommit, CodePipeline, ScriptedBuilds], CODEPIPELINE_TYPES))
