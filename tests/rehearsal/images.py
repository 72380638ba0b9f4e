"""The image that tests name when any image that is played will do."""

from rehearsal.cloud.runtimes import RUNTIMES

IMAGE = f"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:{RUNTIMES[0].tags[0]}"
