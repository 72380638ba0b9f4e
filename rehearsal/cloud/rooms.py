"""The rooms of the cloud: which services and resource types stand here. Of the base's, `relied_on.py` lists some."""

from __future__ import annotations

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.resources.autoscaling import AUTOSCALING_TYPES
from rehearsal.cloud.resources.codebuild import CODEBUILD_TYPES
from rehearsal.cloud.resources.codecommit import CODECOMMIT_TYPES
from rehearsal.cloud.resources.codepipeline import CODEPIPELINE_TYPES
from rehearsal.cloud.resources.lambda_ import LAMBDA_TYPES
from rehearsal.cloud.resources.provider import ResourceProvider
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.resources.sagemaker_pipelines import Pipeline
from rehearsal.cloud.resources.servicecatalog import SERVICECATALOG_TYPES
from rehearsal.cloud.sagemaker.api import SageMaker
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from rehearsal.cloud.service import Service
from rehearsal.cloud.servicecatalog import ServiceCatalog
from rehearsal.cloud.settings import CloudSettings

SERVICES: tuple[type[Service], ...] = (
    ApplicationAutoScaling,
    CodeBuild,
    CodeCommit,
    CodePipeline,
    Lambda,
    SageMaker,
    SageMakerRuntime,
    ServiceCatalog,
)

PROVIDERS: tuple[type[ResourceProvider], ...] = (
    *CODECOMMIT_TYPES,
    *CODEBUILD_TYPES,
    *CODEPIPELINE_TYPES,
    *LAMBDA_TYPES,
    *SAGEMAKER_TYPES,
    Pipeline,
    *AUTOSCALING_TYPES,
    *SERVICECATALOG_TYPES,
)


def new_cloud(settings: CloudSettings) -> Cloud:
    """A cloud with every room, not yet started."""
    return Cloud(settings, SERVICES, PROVIDERS)
