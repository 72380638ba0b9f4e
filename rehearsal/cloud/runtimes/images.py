"""Which image URI is played by which prepared environment.

To add a runtime: write `requirements/<name>.in` with the packages that the image holds, lock it, let the set-up build
`<environments>/<name>` from it, and add a `Runtime` here. For another version of an image that is already here that is
one line of `RUNTIMES` (docs/new-image.md has the whole way).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.cloud.errors import NotImplementedHere

ECR_IMAGE = re.compile(
    r"^(?P<registry>\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?)/"
    r"(?P<repository>[a-z0-9._/-]+)(:(?P<tag>[\w.-]+))?(?P<digest>@sha256:[0-9a-f]{64})?$"
)
"""Private ECR images. SageMaker's own images live in a different account in every region; any account will do here.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html"""


@dataclass(frozen=True)
class Runtime:
    """One image and its stand-in. `variables` are the image's own `ENV` lines."""

    name: str
    repository: str
    tags: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def python(self, environments: Path) -> Path:
        """The interpreter that plays the image's `python3`."""
        return environments / self.name / "bin" / "python3"


def xgboost(version: str) -> Runtime:
    """SageMaker's XGBoost image. Its variables: `ENV` in
    https://github.com/aws/deep-learning-containers/blob/main/docker/xgboost/Dockerfile"""
    return Runtime(
        name=f"xgboost-{version}",
        repository="sagemaker-xgboost",
        tags=(version, f"{version}-cpu-py3"),
        variables={
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "SM_INPUT": "/opt/ml/input",
            "SM_INPUT_TRAINING_CONFIG_FILE": "/opt/ml/input/config/hyperparameters.json",
            "SM_INPUT_DATA_CONFIG_FILE": "/opt/ml/input/config/inputdataconfig.json",
            "SM_CHECKPOINT_CONFIG_FILE": "/opt/ml/input/config/checkpointconfig.json",
            "SM_MODEL_DIR": "/opt/ml/model",
            "SAGEMAKER_TRAINING_MODULE": "sagemaker_xgboost_container.training:main",
            "SAGEMAKER_SERVING_MODULE": "sagemaker_xgboost_container.serving:main",
        },
    )


RUNTIMES: tuple[Runtime, ...] = (xgboost("3.2-0"),)
"""Every image that is played."""


def runtime_for(image: str) -> Runtime:
    """The runtime that plays `image`. Raises NotImplementedHere, naming the image, when there is none."""
    match = ECR_IMAGE.match(image)
    if match:
        for runtime in RUNTIMES:
            if match["repository"] == runtime.repository and match["tag"] in runtime.tags:
                return runtime
    known = ", ".join(f"{runtime.repository}:{runtime.tags[0]}" for runtime in RUNTIMES)
    raise NotImplementedHere(
        f"The container image '{image}' (prepared runtimes: {known}; "
        "rehearsal/cloud/runtimes/images.py says how to add one)"
    )
