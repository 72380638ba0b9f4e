"""Amazon SageMaker AI: one API, several rooms."""

from rehearsal.cloud.sagemaker.code_repositories import CodeRepositories
from rehearsal.cloud.sagemaker.domains import Domains
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.jobs import Jobs
from rehearsal.cloud.sagemaker.project_updates import ProjectUpdates
from rehearsal.cloud.sagemaker.registry import Registry
from rehearsal.cloud.sagemaker.scheduled_pipelines import ScheduledPipelines
from rehearsal.cloud.sagemaker.transform_jobs import TransformJobs


class SageMaker(
    ProjectUpdates, ScheduledPipelines, Jobs, Endpoints, TransformJobs, Registry, CodeRepositories, Domains
):
    """The `sagemaker` API: each parent answers the operations of one concern and shares this object with the others."""

    name = "sagemaker"


__all__ = ["SageMaker"]
