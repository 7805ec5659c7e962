"""The wheel: everything lives under `dfedsam.`, no file is missing, and a user's own folders hide none of ours."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests import mpi

ROOT = Path(__file__).parents[1]
FOLDERS = ("dfedsam", "topologies", "launch", "analysis")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the source tree."""
    source = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", source / "dist", source], check=True, capture_output=True, timeout=120)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_nothing_else_of_ours_is_importable_at_top_level(wheel):
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"dfedsam"}


def test_every_file_of_the_source_tree_is_in_the_wheel(wheel):
    """Also pages, style sheets, experiments and `py.typed`."""
    source = {f"dfedsam/{path.relative_to(ROOT)}".replace("dfedsam/dfedsam/", "dfedsam/")
              for name in FOLDERS for path in (ROOT / name).rglob("*")
              if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert source <= set(zipfile.ZipFile(wheel).namelist())


def test_installed_in_an_environment_of_its_own(wheel, tmp_path):
    """The wheel alone, beside a script named analysis.py and a folder named topologies of the user's."""
    scripts, work = tmp_path / "environment/bin", tmp_path / "work"
    venv.create(tmp_path / "environment")
    python = str(scripts / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-compile", "--no-deps", "--no-index"]
    subprocess.run([*install, wheel], check=True, capture_output=True, timeout=120)
    (installed,) = tmp_path.glob("environment/lib/*/site-packages")
    (installed / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # whose own .pth files are not read
    (work / "topologies").mkdir(parents=True)
    for name in ("analysis.py", "launch.py", "topologies/__init__.py"):
        (work / name).write_text("raise RuntimeError('this is the user\\'s')\n")
    environment = mpi.environment() | {"PYTHONPATH": str(work)}
    quadratic = ["--objective", "quadratic", "--objective.dim", "50", "--rounds", "2", "--out", "a"]
    for command in (["run", *quadratic], ["plot", "a"], ["topology", "ring"]):
        done = mpi.run([str(scripts / "dfedsam"), *command], 60, environment, work)
        assert done.returncode == 0, done.stderr
    done = mpi.run([python, "-c", "import dfedsam; print(dfedsam.__file__)"], 60, environment, work)
    assert done.stdout.strip() == str(installed / "dfedsam/__init__.py")
