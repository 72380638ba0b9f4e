"""AWS CodeCommit: real bare git repositories, the API over them, and git over HTTP."""

from rehearsal.cloud.codecommit.service import CodeCommit

__all__ = ["CodeCommit"]
