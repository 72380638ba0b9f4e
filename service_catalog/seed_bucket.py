"""The bucket that keeps everything published: archives and templates, each under the hash of its content.

Nothing in it is ever overwritten, because launched projects and published versions refer to its keys for good.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from service_catalog.errors import PublishError, code_of, message_of
from service_catalog.target import Target

CHANGED = "does not hold what its name says"

# The rule of AWS's own samples. It gives no right: it lets a browser use the rights that its user has.
# https://github.com/aws-samples/sagemaker-custom-project-templates/tree/main/s3_templates
STUDIO_PAGE = {
    "ID": "SageMakerStudio",
    "AllowedHeaders": ["*"],
    "AllowedMethods": ["POST", "PUT", "GET", "HEAD", "DELETE"],
    "AllowedOrigins": ["https://*.sagemaker.aws"],
    "ExposeHeaders": [
        "ETag",
        "x-amz-delete-marker",
        "x-amz-id-2",
        "x-amz-request-id",
        "x-amz-server-side-encryption",
        "x-amz-version-id",
    ],
}
_TLS_ONLY = "RefuseUnencryptedConnections"
_ALL_PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class SeedBucket:
    """The seed bucket of one account and region. Its name is a contract: the product template composes it too."""

    def __init__(self, target: Target) -> None:
        """Nothing is created yet: see ``ensure``."""
        self._target = target
        self._s3 = target.client("s3")
        self.name = f"sagemaker-mlops-catalog-{target.account}-{target.region}"

    def url(self, key: str) -> str:
        """The https address CloudFormation and Service Catalog read a template from."""
        return f"https://{self.name}.s3.{self._target.region}.{self._target.dns_suffix}/{key}"

    def ensure(self) -> bool:
        """Create the bucket unless it is there, and make it private, versioned, encrypted and TLS-only.

        Settings that are as wanted are left alone, and so are further statements in its policy. Returns whether the
        bucket was created. Raises PublishError when somebody else owns the name.
        """
        created = not self._exists()
        if created:
            self._create()
        self._make_private()
        self._make_versioned()
        self._make_encrypted()
        self._make_tls_only()
        return created

    def put_once(self, key: str, body: bytes, content_type: str, tags: Mapping[str, str] | None = None) -> bool:
        """Store ``body`` under ``key`` unless the key is taken. Returns whether it was stored now.

        ``key`` must be made from the hash of ``body``. Raises PublishError when the key holds something else.
        """
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if self._holds(key, body, checksum):
            return False
        try:
            self._s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=checksum,
                Tagging=urlencode(tags or {}),
                IfNoneMatch="*",
                ExpectedBucketOwner=self._target.account,
            )
        except ClientError as error:
            # Another publish put it there between our look and our write.
            if code_of(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
                return False
            raise
        return True

    def answer_studio(self) -> bool:
        """Let Studio's web page read the bucket, besides whatever pages may already. Returns whether that was new."""
        rules = self._setting("get_bucket_cors", "NoSuchCORSConfiguration").get("CORSRules", [])
        if any(each.get("ID") == STUDIO_PAGE["ID"] for each in rules):
            return False
        self._s3.put_bucket_cors(**self._mine, CORSConfiguration={"CORSRules": [*rules, STUDIO_PAGE]})
        return True

    def _holds(self, key: str, body: bytes, checksum: str) -> bool:
        try:
            found = self._s3.head_object(
                Bucket=self.name, Key=key, ChecksumMode="ENABLED", ExpectedBucketOwner=self._target.account
            )
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        if found["ContentLength"] != len(body) or found.get("ChecksumSHA256", checksum) != checksum:
            raise PublishError(
                f"s3://{self.name}/{key} {CHANGED}: somebody changed it. Its earlier versions "
                "are kept; restore the right one or delete the key, then publish again."
            )
        return True

    def _exists(self) -> bool:
        try:
            self._s3.head_bucket(Bucket=self.name, ExpectedBucketOwner=self._target.account)
        except ClientError as error:
            if code_of(error) in {"404", "NoSuchBucket", "NotFound"}:
                return False
            if code_of(error) in {"403", "AccessDenied", "Forbidden"}:
                raise PublishError(
                    f"The bucket {self.name} exists, but it belongs to another account, or you lack s3:ListBucket on "
                    "it. Nothing was written to it. If it is not yours, have AWS Support look into who took the name."
                ) from error
            raise
        return True

    def _create(self) -> None:
        request: dict[str, Any] = {"Bucket": self.name, "ObjectOwnership": "BucketOwnerEnforced"}
        if self._target.region != "us-east-1":  # S3 refuses its default region as a constraint
            request["CreateBucketConfiguration"] = {"LocationConstraint": self._target.region}
        try:
            self._s3.create_bucket(**request)
        except ClientError as error:
            if code_of(error) == "BucketAlreadyOwnedByYou":
                return
            if code_of(error) == "BucketAlreadyExists":
                raise PublishError(
                    f"The bucket name {self.name} is taken by another AWS account. Nothing was written to it. "
                    f"AWS says: {message_of(error)}"
                ) from error
            raise

    def _make_private(self) -> None:
        answer = self._setting("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        if answer.get("PublicAccessBlockConfiguration") != _ALL_PRIVATE:
            self._s3.put_public_access_block(**self._mine, PublicAccessBlockConfiguration=_ALL_PRIVATE)

    def _make_versioned(self) -> None:
        if self._setting("get_bucket_versioning").get("Status") != "Enabled":
            self._s3.put_bucket_versioning(**self._mine, VersioningConfiguration={"Status": "Enabled"})

    def _make_encrypted(self) -> None:
        # Whatever encryption the bucket has is kept: it may be the account's own key.
        answer = self._setting("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        if not answer.get("ServerSideEncryptionConfiguration"):
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            self._s3.put_bucket_encryption(**self._mine, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _make_tls_only(self) -> None:
        policy = json.loads(self._setting("get_bucket_policy", "NoSuchBucketPolicy").get("Policy", "{}"))
        wanted = self._tls_statement()
        statements = policy.get("Statement", [])
        if wanted in statements:
            return
        others = [statement for statement in statements if statement.get("Sid") != _TLS_ONLY]
        policy = {"Version": "2012-10-17", **policy, "Statement": [*others, wanted]}
        self._s3.put_bucket_policy(**self._mine, Policy=json.dumps(policy))

    def _tls_statement(self) -> dict[str, Any]:
        arn = f"arn:{self._target.partition}:s3:::{self.name}"
        return {
            "Sid": _TLS_ONLY,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }

    @property
    def _mine(self) -> dict[str, str]:
        return {"Bucket": self.name, "ExpectedBucketOwner": self._target.account}

    def _setting(self, operation: str, absent: str = "") -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._s3, operation)(**self._mine)
        except ClientError as error:
            if absent and code_of(error) == absent:
                return {}
            raise
        return answer
