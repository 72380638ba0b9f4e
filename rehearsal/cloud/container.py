"""The SageMaker container contract without Docker: a job's folder appears as `/opt/ml` to its program, and only there.

Two ways, chosen once per cloud by trying:

* **private mounts**: the program runs in mount and process namespaces of its own, in which the folder is mounted on
  `/opt/ml`. Needs Linux with util-linux, as root or with user namespaces allowed. The host's `/opt` is never touched.
* **rewritten paths**: where namespaces are forbidden (Ubuntu 24.04 without a profile, GitHub's runners, macOS), every
  `/opt/ml` in the command and the environment is replaced by the folder's real path, and `SAGEMAKER_BASE_DIR` names
  it: the variable from which SageMaker's own toolkits take their base directory. A program that spells `/opt/ml` in
  its source instead of honouring `SAGEMAKER_BASE_DIR` does not find its files this way; it does on AWS.
  https://github.com/aws/sagemaker-training-toolkit (environment.py, BASE_PATH_ENV)

The program sees a clean environment: what the job is given, the image's own variables, and nothing of the host's.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.memory import MemoryWatch, OutOfMemoryError
from rehearsal.cloud.runtimes.images import Runtime, runtime_for

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

OPT_ML = "/opt/ml"
OPT_ML_PATH = re.compile(r"(?<![\w.-])/opt/ml(?![\w.-])")

SCRATCH = ".container"
"""Below the job's folder: home, temporary files and working directory of the program. Never uploaded by anything."""

ENDED_BY_SIGNAL = 128

NAMESPACES = (
    ("--mount", "--pid", "--mount-proc", "--fork", "--kill-child"),
    ("--mount", "--fork", "--kill-child"),  # inside a container that hides parts of /proc, mounting another is refused
)
ROOTLESS = ("--user", "--map-root-user")

# Runs inside the namespaces. $1 is the job's folder, the rest is the program. Where the host has no /opt/ml, a small
# tmpfs covers /opt for this program only, what /opt holds is mounted back into it, and ml is added. The shell stays as
# the first process, so that the program gets signals as an ordinary process does, and leaves with its status.
MOUNT_AND_RUN = r"""
trap 'exit 143' TERM INT
set -e
folder=$1; shift
if [ ! -d /opt/ml ]; then
  kept="$folder/.container/opt"
  mkdir -p "$kept"
  mount --rbind /opt "$kept"
  mount -t tmpfs -o size=1m,mode=755 tmpfs /opt
  for entry in "$kept"/* "$kept"/.[!.]*; do
    name=${entry##*/}
    if [ -L "$entry" ]; then cp -P "$entry" "/opt/$name"
    elif [ -d "$entry" ]; then mkdir "/opt/$name"; mount --rbind "$entry" "/opt/$name"
    elif [ -e "$entry" ]; then : > "/opt/$name"; mount --bind "$entry" "/opt/$name"
    fi
  done
  mkdir /opt/ml
fi
mount --bind "$folder" /opt/ml
cd /opt/ml/.container/work
set +e
"$@" &
program=$!
trap 'kill -TERM "$program" 2>/dev/null' TERM INT
wait "$program"; status=$?
while kill -0 "$program" 2>/dev/null; do wait "$program"; status=$?; done
exit "$status"
"""

RUN = r"""
cd "$1/.container/work" || exit 126
shift
exec "$@"
"""


@dataclass(frozen=True)
class Way:
    """How `/opt/ml` comes about: the `unshare` command in front of the program, or none for rewritten paths."""

    name: str
    unshare: tuple[str, ...] = ()

    @property
    def mounts(self) -> bool:
        return bool(self.unshare)


REWRITTEN_PATHS = Way("rewritten paths")


def possible_way(folder: Path) -> Way:
    """The best way that works on this machine, tried for real with `folder` as the mounted one."""
    unshare = shutil.which("unshare")
    if not sys.platform.startswith("linux") or unshare is None:
        return REWRITTEN_PATHS
    rootless = () if os.geteuid() == 0 else ROOTLESS
    _make_scratch(folder)
    (folder / "probe").write_text("seen", encoding="utf-8")
    for namespaces in NAMESPACES:
        way = Way("private mounts", (unshare, *rootless, *namespaces, "--propagation", "private"))
        command = _mounting_command(way, folder, ["/bin/sh", "-c", "cat /opt/ml/probe"])
        try:
            tried = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as problem:
            log.debug("%s does not work: %s", " ".join(way.unshare), problem)
            continue
        if tried.returncode == 0 and tried.stdout == "seen":
            return way
        log.debug("%s does not work: %s", " ".join(way.unshare), tried.stderr.strip())
    return REWRITTEN_PATHS


class Containers:
    """Runs programs as SageMaker's containers do. One per room is fine: the way is found out on first use."""

    def __init__(self, cloud: Cloud, way: Way | None = None) -> None:
        self.cloud = cloud
        self._given_way = way
        self._choosing = threading.Lock()

    @property
    def way(self) -> Way:
        """How programs see `/opt/ml` on this machine."""
        with self._choosing:
            return self._way

    @cached_property
    def _way(self) -> Way:
        way = self._given_way or possible_way(self.cloud.folder_for("containers", "probe"))
        log.info("containers see /opt/ml through %s", way.name)
        return way

    def run(
        self,
        image: str,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        timeout: float | None = None,
        on_start: Callable[[subprocess.Popen[bytes]], None] | None = None,
        memory: int | None = None,
    ) -> int:
        """Run `command` in `image` with `folder` as `/opt/ml`, handing over each line it prints.

        Returns its exit status, 128 + n when signal n ended it.

        `on_start` is given the process, for `stop`. Raises subprocess.TimeoutExpired after `timeout` real seconds,
        OutOfMemoryError when it wanted more than `memory` bytes, NotImplementedHere for an image without a runtime.
        """
        child = self._start(image, folder, command, environment, subprocess.PIPE)
        if on_start:
            on_start(child)
        watch = MemoryWatch(child.pid, memory) if memory is not None else None
        reader = threading.Thread(target=_read_lines, args=(child.stdout, on_line), daemon=True)
        reader.start()
        ran_out = threading.Event()

        def run_out() -> None:
            ran_out.set()
            self.stop(child)

        timer = threading.Timer(timeout or threading.TIMEOUT_MAX, run_out)
        timer.daemon = True
        if timeout is not None:
            timer.start()
        try:
            status = child.wait()  # not with a timeout of its own: that polls, up to 50 ms late
        finally:
            timer.cancel()
            if watch:
                watch.stop()
            self.stop(child)  # whatever the program left running ends with it, as in a container
            reader.join()
        if ran_out.is_set():
            raise subprocess.TimeoutExpired(list(command), timeout or 0)
        if watch and watch.exceeded:
            raise OutOfMemoryError(f"{command[0]} wanted more than {memory} bytes of memory")
        return status if status >= 0 else ENDED_BY_SIGNAL - status

    def start(
        self, image: str, folder: Path, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start `command` and leave it running, for servers; what it prints is appended to the file `log`."""
        with log.open("ab") as output:
            return self._start(image, folder, command, environment, output)

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """End a program and everything it started."""
        self.cloud.processes.end(child)

    def as_seen(self, folder: Path, text: str) -> str:
        """`text` with its `/opt/ml` paths as the program in `folder` must spell them: for files written for it."""
        return text if self.way.mounts else OPT_ML_PATH.sub(str(folder), text)

    def _start(
        self,
        image: str,
        folder: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: int | IO[bytes],
    ) -> subprocess.Popen[bytes]:
        runtime = runtime_for(image)
        folder = folder.resolve()
        _make_scratch(folder)
        variables = self._environment(runtime, folder, environment)
        if self.way.mounts:
            started = _mounting_command(self.way, folder, command)
        else:
            rewritten = [OPT_ML_PATH.sub(str(folder), argument) for argument in command]
            started = ["/bin/sh", "-c", RUN, "container", str(folder), *rewritten]
        return self.cloud.processes.start(
            started, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )

    def _environment(self, runtime: Runtime, folder: Path, given: Mapping[str, str]) -> dict[str, str]:
        """Exactly what the program sees."""
        python = runtime.python(self.cloud.settings.environments)
        if not python.exists():
            raise NotImplementedHere(
                f"Running the image {runtime.repository}:{runtime.tags[0]} without its prepared environment "
                f"{python.parent.parent} (make it from requirements/{runtime.name}.lock)"
            )
        threads = str(min(4, os.cpu_count() or 1))
        variables = {
            "PATH": f"{python.parent.absolute()}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": f"{OPT_ML}/{SCRATCH}/home",
            "TMPDIR": f"{OPT_ML}/{SCRATCH}/tmp",  # noqa: S108 - the job's own
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_WAIT_POLICY": "PASSIVE",  # several programs share this machine: idle threads must not spin
            **self.cloud.egress.variables(),
            **runtime.variables,
            **given,
        }
        if self.way.mounts:
            return variables
        rewritten = {name: OPT_ML_PATH.sub(str(folder), value) for name, value in variables.items()}
        return {"SAGEMAKER_BASE_DIR": str(folder), **rewritten}


def _mounting_command(way: Way, folder: Path, command: Sequence[str]) -> list[str]:
    return [*way.unshare, "/bin/sh", "-c", MOUNT_AND_RUN, "container", str(folder), *command]


def _make_scratch(folder: Path) -> None:
    for name in ("home", "tmp", "work"):
        (folder / SCRATCH / name).mkdir(parents=True, exist_ok=True)


def _read_lines(stream: IO[bytes] | None, on_line: Callable[[str], None]) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            try:
                on_line(line.decode("utf-8", errors="replace").rstrip("\r\n"))
            except Exception:  # a full log must not block the program on a pipe nobody reads
                log.exception("a line of a container's output could not be handled")
