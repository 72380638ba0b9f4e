"""Errors a person can act on, and what to tell them about the errors of boto3."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "403", "Forbidden"}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestExpired",
}

_HOW_TO_SIGN_IN = (
    "Sign in ('aws sso login', 'aws configure') or name a profile that is: --profile NAME. "
    "'aws sts get-caller-identity' shows who you are."
)


class PublishError(Exception):
    """Publishing cannot go on. The message says what, where, and what to do next."""


def explain(error: BotoCoreError | ClientError | HTTPClientError) -> str:
    """One paragraph for a person about an error that boto3 raised."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    if isinstance(error, NoCredentialsError):
        return f"No AWS credentials were found. {_HOW_TO_SIGN_IN}"
    if isinstance(error, NoRegionError):
        return NO_REGION
    if isinstance(error, SSOError | TokenRetrievalError | CredentialRetrievalError | PartialCredentialsError):
        return f"The AWS credentials could not be used: {error} {_HOW_TO_SIGN_IN}"
    if isinstance(error, ConnectionError | HTTPClientError):
        return f"AWS could not be reached: {error} Check the network, and that --region names a region you may use."
    return f"boto3 could not go on: {error}"


NO_REGION = (
    "No AWS region is set. Pass --region REGION, or set AWS_DEFAULT_REGION, or give the profile one "
    "('aws configure set region REGION')."
)


def code_of(error: ClientError) -> str:
    """The error code AWS answered with, e.g. ``AccessDenied``; for a HEAD request the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """The message AWS answered with."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_denied(error: ClientError) -> bool:
    """Whether AWS says that the caller lacks a permission."""
    return code_of(error) in _DENIED


def _explain_answer(error: ClientError) -> str:
    code, said = code_of(error), message_of(error)
    if is_denied(error):
        return (
            f"You are not allowed to call {error.operation_name}. AWS says: {said}. "
            "Ask for that permission, or publish as a role that has it (--profile NAME)."
        )
    if code in _BAD_CREDENTIALS:
        return f"AWS did not accept the credentials ({code}: {said}). {_HOW_TO_SIGN_IN}"
    return f"{error.operation_name} failed. AWS says {code}: {said}"
