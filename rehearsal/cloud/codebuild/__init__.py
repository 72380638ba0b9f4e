"""AWS CodeBuild: projects, builds that really run their buildspec, and test reports."""

from rehearsal.cloud.codebuild.service import CodeBuild

__all__ = ["CodeBuild"]
