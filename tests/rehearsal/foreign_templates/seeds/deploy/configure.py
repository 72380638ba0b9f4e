"""The template configuration of one stage."""

import json
import os
import sys
from pathlib import Path

stage, target = sys.argv[1:]
parameters = {
    "StageName": stage,
    "ProjectName": os.environ["PROJECT_NAME"],
    "ModelPackageName": os.environ["MODEL_PACKAGE_ARN"],
    "ModelExecutionRoleArn": os.environ["MODEL_ROLE"],
}
tags = {"sagemaker:project-name": os.environ["PROJECT_NAME"], "sagemaker:deployment-stage": stage}
Path(target).write_text(json.dumps({"Parameters": parameters, "Tags": tags}))
