"""Every number a data scientist turns, in one place: the pipeline's parameter defaults and `make local` read them here.

Edit, run `make local` to see what it does in seconds, push to train on SageMaker. Values marked (parameter) can also be
changed for one execution without a commit, in Studio or with `make pipeline PARAMETERS="MaxDepth=5 MinRecall=0.7"`.
"""

from dataclasses import dataclass

# --- data -----------------------------------------------------------------------------------------------------------
SYNTHETIC_ROWS = 20_000
SYNTHETIC_SEED = 7
SYNTHETIC_DRIFT = 0.0
VALIDATION_SHARE = 0.15
TEST_SHARE = 0.20
SPLIT_SEED = 7

# --- model ----------------------------------------------------------------------------------------------------------
MAX_DEPTH = 4  # (parameter MaxDepth)
LEARNING_RATE = 0.1  # (parameter LearningRate)
NUM_ROUND = 300  # (parameter NumRound) at most; training stops when the validation loss no longer falls
EARLY_STOPPING_ROUNDS = 20
RECALL_WEIGHT = 1.5  # how much more a missed fraud hurts than a claim investigated in vain
TRAINING_SEED = 7

# --- machines -------------------------------------------------------------------------------------------------------
IMAGE_VERSION = "3.2-0"  # SageMaker's XGBoost image, for every step and for the endpoint (README: another image)
PROCESSING_INSTANCE_TYPE = "ml.m5.large"  # (parameter ProcessingInstanceType)
PROCESSING_INSTANCE_COUNT = 1  # (parameter ProcessingInstanceCount) the scripts here do not share work: leave it at 1
TRAINING_INSTANCE_TYPE = "ml.m5.large"  # (parameter TrainingInstanceType)
TRAINING_INSTANCE_COUNT = 1  # (parameter TrainingInstanceCount) as above
VOLUME_SIZE_GB = 30
MAX_RUNTIME_SECONDS = 3600
# The registered model may be deployed on these.
SERVING_INSTANCE_TYPES = (
    "ml.t2.medium",
    "ml.t2.large",
    "ml.m5.large",
    "ml.m5.xlarge",
    "ml.m5.2xlarge",
    "ml.c5.large",
    "ml.c5.xlarge",
    "ml.c5.2xlarge",
)
# And score whole files on these; batch transform knows fewer types.
TRANSFORM_INSTANCE_TYPES = ("ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge")

# --- caching --------------------------------------------------------------------------------------------------------
CACHE_EXPIRES_AFTER = "P30D"  # a step whose code and inputs did not change is not run again for this long


# --- quality gate ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Threshold:
    """The least a metric of evaluation.json may be; `parameter` is the pipeline parameter that carries it."""

    metric: str
    parameter: str
    minimum: float


GATE = (
    Threshold("accuracy", "MinAccuracy", 0.85),
    Threshold("recall", "MinRecall", 0.60),
    Threshold("top_decile_lift", "MinTopDecileLift", 4.0),
)
APPROVAL_STATUS = "PendingManualApproval"  # (parameter ModelApprovalStatus)


def hyperparameters() -> dict[str, str]:
    """What train.py reads; SageMaker hands hyperparameters over as strings."""
    return {
        "max_depth": str(MAX_DEPTH),
        "learning_rate": str(LEARNING_RATE),
        "num_round": str(NUM_ROUND),
        "early_stopping_rounds": str(EARLY_STOPPING_ROUNDS),
        "recall_weight": str(RECALL_WEIGHT),
        "seed": str(TRAINING_SEED),
    }


def split_arguments() -> list[str]:
    """What preprocess.py is called with."""
    return [
        *("--validation-share", str(VALIDATION_SHARE)),
        *("--test-share", str(TEST_SHARE)),
        *("--seed", str(SPLIT_SEED)),
    ]
