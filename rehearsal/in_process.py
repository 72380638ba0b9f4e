"""Calls a model's own functions as its serving container would, without one, and says how long each call took.

Run by `bench_serving.py` in the environment that plays the image, with the model's code on the path and the variables
of its container: `python in_process.py MODEL_DIR CALLS`. Standard input has `{"bodies", "content_type"}`; the output
has for each body `{"milliseconds": [...], "answer"}`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def answering(module: Any, model: Any, content_type: str) -> Callable[[str], Any]:  # noqa: ANN401 - the user's own
    """What answers a request: `transform_fn`, or the three functions in its place, as the image has it."""
    if hasattr(module, "transform_fn"):
        return lambda body: module.transform_fn(model, body, content_type, content_type)
    return lambda body: module.output_fn(module.predict_fn(module.input_fn(body, content_type), model), content_type)


def main(model_dir: str, calls: int) -> None:
    """Read what is to be asked, ask it, and print what came of it."""
    asked = json.load(sys.stdin)
    module = importlib.import_module(Path(os.environ["SAGEMAKER_PROGRAM"]).stem)
    answer = answering(module, module.model_fn(model_dir), asked["content_type"])
    told = []
    for body in asked["bodies"]:
        milliseconds = []
        for _ in range(calls):
            began = time.perf_counter()
            found = answer(body)
            milliseconds.append((time.perf_counter() - began) * 1000)
        text = found.get_data(as_text=True) if hasattr(found, "get_data") else found
        told.append({"milliseconds": milliseconds, "answer": text})
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
