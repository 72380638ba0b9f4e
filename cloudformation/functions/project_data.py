"""What outlives a project: repositories, model versions, the bucket, logs. Named when kept, deleted when asked for."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from aws import Client, code, explained, is_missing
from patience import Patience

log = logging.getLogger(__name__)


class NotDeletedError(Exception):
    """Something of the user's cannot be deleted. The message says what, why, and what to do."""


class Repository:
    """A CodeCommit repository."""

    def __init__(self, codecommit: Client, name: str) -> None:
        self._codecommit = codecommit
        self._name = name

    def kept(self) -> str | None:
        """What is kept and the command that deletes it; None when there is no such repository."""
        try:
            self._codecommit.get_repository(repositoryName=self._name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return f"the repository {self._name}\n    aws codecommit delete-repository --repository-name {self._name}"

    def delete(self, patience: Patience) -> str | None:
        """Delete it; answers what was deleted, None when there was nothing."""
        patience.check(f"the repository {self._name} to be deleted")
        # DeleteRepository succeeds without an id when there is no such repository.
        # https://docs.aws.amazon.com/codecommit/latest/APIReference/API_DeleteRepository.html
        deleted = self._codecommit.delete_repository(repositoryName=self._name)
        return f"the repository {self._name}" if deleted.get("repositoryId") else None


class ModelVersions:
    """A model package group with its versions."""

    def __init__(self, sagemaker: Client, group: str) -> None:
        self._sagemaker = sagemaker
        self._group = group

    def kept(self) -> str | None:
        """What is kept and the commands that delete it; None when there is no such group."""
        if not self._exists():
            return None
        name, count = self._group, sum(1 for _ in self._versions())
        versions = "1 version" if count == 1 else f"{count} versions"
        return (
            f"the model group {name} with {versions}\n"
            f"    aws sagemaker list-model-packages --model-package-group-name {name} "
            "--query 'ModelPackageSummaryList[].[ModelPackageArn]' --output text"
            " | xargs -n 1 aws sagemaker delete-model-package --model-package-name\n"
            f"    aws sagemaker delete-model-package-group --model-package-group-name {name}"
        )

    def delete(self, patience: Patience) -> str | None:
        """Delete the versions, then the group; answers what was deleted, None when there was nothing."""
        if not self._exists():
            return None
        count = 0
        # Collected first: a list that shrinks while it is read may skip some.
        for arn in list(self._versions()):
            patience.check(f"the versions of the model group {self._group} to be deleted")
            self._unless_missing(self._sagemaker.delete_model_package, ModelPackageName=arn)
            count += 1
        self._unless_missing(self._sagemaker.delete_model_package_group, ModelPackageGroupName=self._group)
        return f"the model group {self._group} with {count} version{'' if count == 1 else 's'}"

    def _exists(self) -> bool:
        try:
            self._sagemaker.describe_model_package_group(ModelPackageGroupName=self._group)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return True

    def _versions(self) -> Iterator[str]:
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self._group)
        for page in pages:
            for package in page["ModelPackageSummaryList"]:
                yield package["ModelPackageArn"]

    @staticmethod
    def _unless_missing(call: Any, **arguments: str) -> None:  # noqa: ANN401 - a method of a client
        try:
            call(**arguments)
        except ClientError as error:
            if not is_missing(error):
                raise


class Bucket:
    """The project's bucket, with every version of every object."""

    def __init__(self, s3: Client, name: str) -> None:
        self._s3 = s3
        self._name = name

    def kept(self) -> str | None:
        """What is kept and the command that deletes it; None when there is no such bucket."""
        if not self._exists():
            return None
        # `aws s3 rb --force` leaves old versions behind, and so the bucket.
        return (
            f"data, models and evaluations in s3://{self._name}\n"
            f"    python3 -c \"import boto3; b = boto3.resource('s3').Bucket('{self._name}'); "
            'b.object_versions.delete(); b.delete()"'
        )

    def delete(self, patience: Patience) -> str | None:
        """Empty it and delete it; answers what was deleted, None when there was nothing."""
        if not self._exists():
            return None
        try:
            count = self._delete_versions(patience)
            self._abort_uploads(patience)
            self._s3.delete_bucket(Bucket=self._name)
        except ClientError as error:
            if code(error) == "NoSuchBucket":
                return None
            if code(error) == "BucketNotEmpty":
                raise NotDeletedError(
                    f"Something still writes to the bucket {self._name}: it was emptied and is not empty. "
                    "Stop what writes there, then delete the project once more."
                ) from error
            raise
        return f"the bucket {self._name} with {count} object version{'' if count == 1 else 's'}"

    def _exists(self) -> bool:
        try:
            self._s3.head_bucket(Bucket=self._name)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return True

    def _delete_versions(self, patience: Patience) -> int:
        """S3 lists and deletes at most a thousand at a time; delete markers are versions too.

        The list is begun anew each time, so that what is written meanwhile is found.
        """
        count = 0
        while True:
            patience.check(f"the bucket {self._name} to be emptied")
            page = self._s3.list_object_versions(Bucket=self._name)
            found = [
                {"Key": each["Key"], "VersionId": each["VersionId"]}
                for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            if not found:
                return count
            answer = self._s3.delete_objects(Bucket=self._name, Delete={"Objects": found, "Quiet": True})
            errors = answer.get("Errors", [])
            if errors:
                first = errors[0]
                raise NotDeletedError(
                    f"{len(errors)} objects of the bucket {self._name} cannot be deleted, first {first.get('Key')}: "
                    f"{first.get('Code')}: {first.get('Message')}. Put that right, then delete the project once more."
                )
            count += len(found)
            log.info("Deleted %d object versions of the bucket %s", count, self._name)

    def _abort_uploads(self, patience: Patience) -> None:
        for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._name):
            for upload in page.get("Uploads", []):
                patience.check(f"the uploads to the bucket {self._name} to be aborted")
                try:
                    self._s3.abort_multipart_upload(Bucket=self._name, Key=upload["Key"], UploadId=upload["UploadId"])
                except ClientError as error:
                    if code(error) != "NoSuchUpload":
                        raise


class EndpointLog:
    """The log group of an endpoint. SageMaker makes it, so that no stack deletes it."""

    def __init__(self, logs: Client, name: str) -> None:
        self._logs = logs
        self._name = name

    def kept(self) -> str | None:
        """What is kept and the command that deletes it; None when there is no such log group."""
        try:
            self._logs.describe_log_streams(logGroupName=self._name, limit=1)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return f"the log of the endpoint, {self._name}\n    {command_to_delete_log(self._name)}"

    def delete(self, patience: Patience) -> str | None:
        """Delete it; answers what was deleted, None when there was nothing."""
        patience.check(f"the log group {self._name} to be deleted")
        try:
            self._logs.delete_log_group(logGroupName=self._name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return f"the log of the endpoint, {self._name}"


def command_to_delete_log(group: str) -> str:
    return f"aws logs delete-log-group --log-group-name {group}"


Keepsake = Repository | ModelVersions | Bucket | EndpointLog


def kept(keepsakes: Sequence[Keepsake]) -> list[str]:
    """What is there, each with the command that deletes it. What cannot be looked at is said to be there."""
    found = []
    for each in keepsakes:
        try:
            what = each.kept()
        except ClientError as error:
            what = f"something that could not be looked at: {explained(error)}"
        if what:
            found.append(what)
    return found
