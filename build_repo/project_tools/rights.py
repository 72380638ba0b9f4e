"""What a refusal of IAM says: who lacks which right on what, and why.

    User: arn:aws:sts::1:assumed-role/R/s is not authorized to perform: s3:GetObject on resource: "arn:…" because no
    identity-based policy allows the s3:GetObject action

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import re
from dataclasses import dataclass

REFUSAL = re.compile(
    r"(?:User: )?(?P<who>arn:[\w-]+:(?:sts|iam)::\d*:\S+) is not authorized to perform: (?P<action>[\w-]+:\*?\w+)"
    r"(?: on (?:the )?resource: \"?(?P<resource>[^\s\"]+)\"?)?"
    r"(?:[\s,]*(?P<because>because [^.;(\n]+|with an explicit deny[^.;(\n]*))?"
)

# Which members of a request a project's roles are held to, where the launch form names subnets or a key.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
CHOSEN_AT_LAUNCH = {
    "sagemaker:CreateEndpointConfig": "KmsKeyId",
    "sagemaker:CreateModel": "VpcConfig",
    "sagemaker:CreateProcessingJob": (
        "NetworkConfig.VpcConfig, ProcessingResources.ClusterConfig.VolumeKmsKeyId and ProcessingOutputConfig.KmsKeyId"
    ),
    "sagemaker:CreateTrainingJob": "VpcConfig, ResourceConfig.VolumeKmsKeyId and OutputDataConfig.KmsKeyId",
    "sagemaker:CreateTransformJob": "TransformResources.VolumeKmsKeyId and TransformOutput.KmsKeyId",
}


@dataclass(frozen=True)
class Refusal:
    """One refused call. `role` is a role's or user's name."""

    role: str
    action: str
    resource: str
    because: str

    @property
    def by_boundary(self) -> bool:
        """Whether it was a permissions boundary, and the message does not say which."""
        return "boundary" in self.because and ":policy/" not in self.because

    @property
    def advice(self) -> str:
        on = f" on {self.resource}" if self.resource else ""
        return f"The role {self.role} lacks {self.action}{on}.{self._how()}"

    def _how(self) -> str:
        if "explicit deny" in self.because:
            return (
                " A statement denies it explicitly, so granting it does not help: have your platform team find the "
                f"denial ({self.because})."
            )
        if "boundary" in self.because:
            return (
                " The role's own policy may grant it, but its permissions boundary does not: MLOpsProjectBoundary of "
                "cloudformation/account-setup.yaml, unless the project was launched with another. The platform team "
                "decides on that."
            )
        if "service control policy" in self.because:
            return " The organisation's service control policy does not allow it: ask your platform team."
        if "session policy" in self.because:
            return (
                " The role's own policy may grant it, but the session was begun with a policy that does not: whoever "
                "gave out these credentials decides on that."
            )
        if "resource-based policy" in self.because:
            return (
                " What is asked for has a policy of its own that does not let the role in: have the owner of that KMS "
                "key or bucket allow it there. Granting the role more does not help."
            )
        if self.action in CHOSEN_AT_LAUNCH:
            return (
                " A project's roles may do it only with the project's tags, and only with what the launch form names: "
                "subnets and security groups (VPC_SUBNET_IDS, VPC_SECURITY_GROUP_IDS) and KMS key (KMS_KEY_ARN), each "
                f"where it names any. See that the request has them: {CHOSEN_AT_LAUNCH[self.action]}."
            )
        return (
            " Have your platform team add it to that role, in the project template if it is a role of the project, so "
            "that the next project has it too."
        )


def refusal(text: str) -> Refusal | None:
    """The first refusal in a text; None when there is none."""
    found = REFUSAL.search(text)
    if found is None:
        return None
    return Refusal(
        _name(found["who"]), found["action"], (found["resource"] or "").rstrip(".,;)"), (found["because"] or "").strip()
    )


def missing_right(message: str, service: str, operation: str) -> str:
    """`that takes logs:GetLogEvents on arn:…`, from the message or, where it says nothing, from the call."""
    found = refusal(message)
    if found is None:
        return f"that takes {service}:{operation}"
    return f"that takes {found.action}{f' on {found.resource}' if found.resource else ''}"


def _name(principal: str) -> str:
    """The role of an assumed role's session, else the last part of the ARN."""
    parts = principal.rstrip(".,").split("/")
    return parts[1] if ":assumed-role/" in principal and len(parts) > 2 else parts[-1]
