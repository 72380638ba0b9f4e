"""What a function sees: Python, the packages of AWS's runtime and nothing else, and its environment variables.

The runtimes `python3.11` to `python3.14` are stood in for by the Python this program runs on. Beside the standard
library they have the AWS SDK and what it needs; these packages are linked, one by one, from the environment of this
program, so that importing anything else fails as it does on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
"""

from __future__ import annotations

import threading
from importlib.metadata import distribution
from pathlib import Path

from rehearsal.cloud.codebuild.python_stand_in import base_interpreter
from rehearsal.cloud.lambda_.records import LATEST, Invocation

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
DISTRIBUTIONS = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "urllib3", "six")
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""Variables that a function cannot set.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

_linking = threading.Lock()


def link_packages(folder: Path) -> Path:
    """The folder of the runtime's packages, made once below `folder`."""
    place = folder / "packages"
    with _linking:
        if place.exists():
            return place
        unfinished = folder / "packages.unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        for name in DISTRIBUTIONS:
            found = distribution(name)
            tops = {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}
            for top in tops:
                link = unfinished / top
                if not link.is_symlink():
                    link.symlink_to(Path(str(found.locate_file(top))).resolve())
        unfinished.rename(place)
    return place


def command(packages: Path, results: int) -> list[str]:
    """The program that runs a function; it answers on the file descriptor `results`.

    `-S`, `-s` and `-P` leave out every package of this machine; unlike `-I` they let the PYTHON... variables of a
    function count. `-u`: what is printed is in the log when the function is ended, as AWS's client sees to.
    """
    return [str(base_interpreter().executable), "-S", "-s", "-P", "-u", str(BOOTSTRAP), str(packages), str(results)]


def variables(
    invocation: Invocation, group: str, stream: str, acting: dict[str, str], outside: dict[str, str], temporary: Path
) -> dict[str, str]:
    """The environment of a function. With the variables `acting` it acts in the cloud; `outside` are those of the way
    out of it, which a function may set itself."""
    settings = invocation.settings
    return {
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin/:/bin",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        **outside,
        **settings.get("Environment", {}).get("Variables", {}),
        **acting,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_NAME": invocation.name,
        "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": str(invocation.code.folder),
        "_HANDLER": settings["Handler"],
    }
