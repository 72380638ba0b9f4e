"""The artifact store: a bucket that the pipeline reaches with its own role."""

from __future__ import annotations

import io
import zipfile
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud.codepipeline.records import Artifact
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document
from rehearsal.cloud.service_calls import CODEPIPELINE_ARTIFACT_VERSION, ServiceCalls

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

S3_MANAGED_KEY = "alias/aws/s3"


class StoreProblem(Exception):
    """The store refused, or holds something else than was expected. `code` is a failure type of the API."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ArtifactStore:
    """Puts and gets artifacts as the pipeline's role; the bucket's own policy decides too.

    Objects are encrypted with the store's key, or with the key AWS manages for S3 when it names none:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/S3-artifact-encryption.html
    """

    def __init__(self, cloud: Cloud, store: Document, role_arn: str, credentials: Credentials) -> None:
        self.bucket = str(store["location"])
        self.role_arn = role_arn
        self.encryption_key = str(store["encryptionKey"]["id"]) if "encryptionKey" in store else ""
        self._encryption = {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": self.encryption_key or S3_MANAGED_KEY,
        }
        self._cloud = cloud
        self._credentials = credentials

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        return self._cloud.client("s3", self._credentials)

    def put(self, artifact: Artifact, content: bytes) -> None:
        """Upload a zip file. Raises StoreProblem with S3's reason."""
        try:
            self._client.put_object(
                Bucket=artifact.bucket,
                Key=artifact.key,
                Body=content,
                ContentType="application/zip",
                **self._encryption,
            )
        except ClientError as problem:
            raise self._reason(problem, artifact) from problem

    def get(self, artifact: Artifact) -> bytes:
        """Download a whole artifact. Raises StoreProblem with S3's reason."""
        self._require(artifact, CODEPIPELINE_ARTIFACT_VERSION, f"arn:aws:s3:::{artifact.bucket}/{artifact.key}")
        try:
            return bytes(self._client.get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read())
        except ClientError as problem:
            raise self._reason(problem, artifact) from problem

    def read(self, artifact: Artifact, path: str) -> str:
        """One text file out of an artifact. Raises StoreProblem when the artifact does not hold it."""
        try:
            with zipfile.ZipFile(io.BytesIO(self.get(artifact))) as archive:
                return archive.read(path).decode()
        except KeyError:
            raise StoreProblem(
                f"File [{path}] does not exist in artifact [{artifact.name}]", "ConfigurationError"
            ) from None
        except zipfile.BadZipFile:
            raise StoreProblem(f"Artifact [{artifact.name}] is not a zip file", "ConfigurationError") from None
        except UnicodeDecodeError:
            raise StoreProblem(
                f"File [{path}] in artifact [{artifact.name}] is not UTF-8 text", "ConfigurationError"
            ) from None

    def _require(self, artifact: Artifact, calls: ServiceCalls, resource: str) -> None:
        try:
            self._cloud.identity.require_service_calls(self._credentials, calls, resource)
        except AwsError as problem:
            raise self._denied(problem.message, artifact) from problem

    def _reason(self, problem: ClientError, artifact: Artifact) -> StoreProblem:
        error = problem.response["Error"]
        if error["Code"] in ("AccessDenied", "403"):
            return self._denied(error.get("Message") or "Access Denied", artifact)
        return StoreProblem(
            f"Artifact [{artifact.name}] at s3://{artifact.bucket}/{artifact.key}: "
            f"{error['Code']}: {error.get('Message', '')}",
            "JobFailed",
        )

    def _denied(self, why: str, artifact: Artifact) -> StoreProblem:
        return StoreProblem(
            f'CodePipeline service role "{self.role_arn}" is getting S3 access denied for the S3 bucket '
            f'"{artifact.bucket}": {why} (key {artifact.key})',
            "PermissionError",
        )


def zipped(files: dict[str, str]) -> bytes:
    """A zip file of text files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
