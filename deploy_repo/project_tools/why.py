"""Why did it fail? `make why`: the newest failure of this project, where it happened, and what to try.

Reads with your own AWS credentials and changes nothing. The exit status is 0 when nothing failed or the failure is
explained, 2 when it was not possible to look.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from project_tools import render
from project_tools.aws import Aws, CannotLookError
from project_tools.explain import look
from project_tools.project import Project, ProjectNotFoundError, find

CANNOT_LOOK = 2
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})


def main(given: list[str], environment: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="make why", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON, for tools")
    parser.add_argument("--execution", default="", metavar="ID", help="explain this execution of a pipeline instead")
    chosen = parser.parse_args(given)
    try:
        project = find(Path.cwd(), environment)
        answer = look(connect(project), project, chosen.execution)
    except (ProjectNotFoundError, CannotLookError) as problem:
        if chosen.json:
            print(json.dumps({"cannot_look": str(problem)}))
        else:
            print(f"make why: {problem}", file=sys.stderr)
        return CANNOT_LOOK
    if chosen.json:
        print(json.dumps(answer.document(), indent=2))
    else:
        width = shutil.get_terminal_size((100, 24)).columns
        print(render.text(answer, datetime.now(UTC), width, bold=sys.stdout.isatty()))
    return 0


def connect(project: Project) -> Aws:
    """AWS as the person who asks, in the region of their settings or else of the clone's address."""
    try:
        session: Any = boto3.Session()
        region = session.region_name or project.region
        if not region:
            raise CannotLookError("Which region? Set AWS_DEFAULT_REGION to the region of the project.")
        partition = session.get_partition_for_region(region)
    except BotoCoreError as error:  # for example a profile that is not there
        raise CannotLookError(f"The AWS settings of this machine cannot be used: {error}") from error
    return Aws(lambda service: session.client(service, region_name=region, config=CONFIG), region, partition)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
