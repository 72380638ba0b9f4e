"""Serving in the SageMaker XGBoost image's script mode: what runs inside an endpoint's container.

Runs in the image's prepared environment (Flask and the packages of the image; nothing of the rehearsal), as the image's
`serve` command does: the user's module is imported first (a module that does not import ends the container), the model
is loaded by the first request, and the user's functions are called exactly as
https://github.com/aws/sagemaker-xgboost-container (serving.py, encoder.py: its master, of which the image 3.2-0 is
built) and https://github.com/aws/sagemaker-containers (_transformer.py, _worker.py) call them. The image forks one
worker per processor, each answering one request at a time; this is one such worker.

Environment: SAGEMAKER_PROGRAM, SAGEMAKER_SUBMIT_DIRECTORY, SAGEMAKER_BIND_TO_PORT, SAGEMAKER_BASE_DIR,
SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT.
"""

# ruff: noqa: ANN401 - the user's functions take and give anything

from __future__ import annotations

import csv
import importlib
import json
import logging
import os
import shutil
import signal
import sys
import tarfile
import threading
import traceback
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO, StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import flask  # type: ignore[import-not-found,unused-ignore] # of the image's environment
from werkzeug.serving import WSGIRequestHandler, make_server

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MODEL = BASE / "model"
CODE = BASE / "code"
JSON, CSV, NPY, ANY = "application/json", "text/csv", "application/x-npy", "*/*"
LIBSVM = ("text/libsvm", "text/x-libsvm")

log = logging.getLogger("sagemaker-xgboost-container")


class UserError(Exception):
    """The user's code cannot be served as it is."""


class ClientError(Exception):
    """Whatever the user's functions raised; the request ends with status 500, the traceback in the log."""


class UnsupportedFormatError(Exception):
    """A content type that the default input and output functions do not know."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework.\n\n"
            "Please implement input_fn to to deserialize the request data or an output_fn to\n"
            "serialize the response. For more information, see the SageMaker Python SDK README."
        )


# ---- the image's default functions


def default_model_fn(_model_dir: str) -> Any:
    raise NotImplementedError(
        "\nPlease provide a model_fn implementation.\n"
        "See documentation for model_fn at https://github.com/aws/sagemaker-python-sdk\n"
    )


def default_input_fn(data: str | bytes, content_type: str) -> Any:
    """CSV or LIBSVM text as a DMatrix (RecordIO is not played)."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]
    import xgboost  # type: ignore[import-not-found,unused-ignore]

    media_type = content_type.split(";")[0].strip()
    if media_type == CSV:
        text = data.decode() if isinstance(data, bytes) else data
        sniffed = csv.Sniffer().sniff(text.split("\n")[0][:512]).delimiter
        delimiter = "," if sniffed.isalnum() else sniffed
        rows = [["nan" if cell == "" else cell for cell in row.split(delimiter)] for row in text.split("\n")]
        return xgboost.DMatrix(np.array(rows).astype(float))
    if media_type in LIBSVM:
        return xgboost.DMatrix(_from_libsvm(data.decode() if isinstance(data, bytes) else data))
    raise UnsupportedFormatError(media_type)


def _from_libsvm(text: str) -> Any:
    """LIBSVM text as the image reads it: dense, what is not named is zero, indices from 1 on count from 0."""
    import numpy as np

    named = [
        {int(index): float(value) for index, colon, value in (cell.partition(":") for cell in line.split()) if colon}
        for line in text.strip().split("\n")
    ]
    indices = [index for row in named for index in row]
    if not indices:
        return np.empty((0, 0))
    first = 1 if min(indices) >= 1 else 0
    dense = np.zeros((len(named), max(indices) - first + 1))
    for row, cells in enumerate(named):
        for index, value in cells.items():
            dense[row, index - first] = value
    return dense


def default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def default_output_fn(prediction: Any, accept: str) -> flask.Response:
    import numpy as np

    if accept == JSON:
        body: str | bytes = json.dumps(prediction, default=lambda array: array.tolist())
    elif accept == CSV:
        array = np.array(prediction)
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows(array.reshape(-1, 1) if array.ndim == 1 else array)
        body = text.getvalue()
    elif accept == NPY:
        buffer = BytesIO()
        np.save(buffer, prediction)
        body = buffer.getvalue()
    else:
        raise UnsupportedFormatError(accept)
    return flask.Response(body, mimetype=accept)


# ---- the user's module


def import_user_module() -> ModuleType:
    """The module SAGEMAKER_PROGRAM names, from SAGEMAKER_SUBMIT_DIRECTORY copied to /opt/ml/code. Raises UserError."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    if not program:
        raise UserError(
            "SAGEMAKER_PROGRAM is not set: the image would serve its built-in algorithm, which the rehearsal's "
            "runtime does not play. Name the inference script in the model package's container environment."
        )
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", str(CODE))
    _copy_code(submitted)
    requirements = CODE / "requirements.txt"
    if requirements.exists() and requirements.read_text(encoding="utf-8").strip():
        raise UserError(
            "code/requirements.txt: the image would install these packages from the network each time a container "
            "starts; the rehearsal's runtime holds what the image holds and installs nothing. Put wheels or modules "
            "beside the inference script instead."
        )
    sys.path.insert(0, str(CODE))
    return importlib.import_module(program.removesuffix(".py"))


def _copy_code(submitted: str) -> None:
    source = Path(submitted)
    CODE.mkdir(parents=True, exist_ok=True)
    if any(CODE.iterdir()) or source == CODE:
        return
    if submitted.startswith("s3://"):
        raise UserError(
            f"SAGEMAKER_SUBMIT_DIRECTORY={submitted}: code from S3 is not implemented by the rehearsal's runtime; "
            "pack it into model.tar.gz below code/ and name /opt/ml/model/code"
        )
    if source.is_dir():
        shutil.copytree(source, CODE, dirs_exist_ok=True)
    elif source.is_file() and tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            archive.extractall(CODE, filter="data")
    elif source.is_file():
        shutil.copy2(source, CODE)
    else:
        raise UserError(
            f"SAGEMAKER_SUBMIT_DIRECTORY={submitted} does not exist in the container: model.tar.gz lacks it"
        )


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """As sagemaker-containers wraps user functions: anything they raise becomes a ClientError, cause kept."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as problem:
            raise ClientError(problem) from problem

    return call


class Model:
    """The user's functions and the model they loaded."""

    def __init__(self, module: ModuleType) -> None:
        self._loading = threading.Lock()
        self._answering = threading.Lock()
        self._loaded: list[Any] = []
        self._model_fn = wrapped(getattr(module, "model_fn", default_model_fn))
        transform_fn = getattr(module, "transform_fn", None)
        stages = [getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
        if transform_fn and any(stages):
            raise UserError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        self._transform_fn = wrapped(transform_fn) if transform_fn else self._default_transform
        defaults = (default_input_fn, default_predict_fn, default_output_fn)
        self._input_fn, self._predict_fn, self._output_fn = (
            wrapped(given or default) for given, default in zip(stages, defaults, strict=True)
        )

    def load(self) -> Any:
        """The loaded model; a failure is tried again by the next request, as each new gunicorn worker would."""
        with self._loading:
            if not self._loaded:
                self._loaded.append(self._model_fn(str(MODEL)))
            return self._loaded[0]

    def answer(self) -> Any:
        """Answer the current request."""
        request = flask.request
        content_type = request.headers.get("ContentType") or request.headers.get("Content-Type") or JSON
        content = request.get_data(as_text=content_type in (JSON, CSV))
        accept = request.headers.get("Accept")
        if not accept or accept == ANY:
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        model = self.load()
        with self._answering:
            result = self._transform_fn(model, content, content_type, accept)
        if isinstance(result, tuple):
            return flask.Response(result[0], mimetype=result[1])
        return result

    def _default_transform(self, model: Any, content: str | bytes, content_type: str, accept: str) -> Any:
        try:
            data = self._input_fn(content, content_type)
        except UnsupportedFormatError as problem:
            return _error_response(problem, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        prediction = self._predict_fn(data, model)
        try:
            return self._output_fn(prediction, accept)
        except UnsupportedFormatError as problem:
            return _error_response(problem, HTTPStatus.NOT_ACCEPTABLE)


def _error_response(problem: Exception, status: HTTPStatus) -> flask.Response:
    body = {"error": type(problem).__name__, "error-message": str(problem), "stack-trace": traceback.format_exc()}
    return flask.Response(json.dumps(body), status=status, mimetype=JSON)


# ---- the server


class Handler(WSGIRequestHandler):
    """Keeps connections open and answers at once (headers and body are two writes)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        if self.path != "/ping" or str(code) != "200":
            log.info('%s "%s" %s %s', self.address_string(), self.requestline, code, size)

    def log(self, type: str, message: str, *arguments: Any) -> None:
        getattr(log, type)("%s %s", self.address_string(), message % arguments)


def application(module: ModuleType) -> flask.Flask:
    """`/ping` and `/invocations`. Script mode has no `/execution-parameters` (404), as in the image."""
    app = flask.Flask(module.__name__)
    model = Model(module)

    def ping() -> flask.Response:
        model.load()
        return flask.Response(status=HTTPStatus.OK, mimetype=JSON)

    app.add_url_rule("/ping", "ping", ping)
    app.add_url_rule("/invocations", "invocations", model.answer, methods=["POST"])
    return app


def main() -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s - %(name)s - %(message)s", level=logging.INFO)
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    try:
        app = application(import_user_module())
    except UserError as problem:
        log.error("%s", problem)
        return 1
    except Exception:
        log.exception("the module %s could not be imported", os.environ.get("SAGEMAKER_PROGRAM"))
        return 1
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log.info("Listening at: http://127.0.0.1:%d", port)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
