"""What stands in for each SageMaker image: a prepared Python environment that holds what the image holds."""

from rehearsal.cloud.runtimes.images import RUNTIMES, Runtime, runtime_for

__all__ = ["RUNTIMES", "Runtime", "runtime_for"]
