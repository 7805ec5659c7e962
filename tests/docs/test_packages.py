"""Metadata that others read: RO-Crate of a run, the citation, templates of packages."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from dfedsam import DPSGD, FileError, Quadratic, make, simulate
from dfedsam.crate import write_crate
from dfedsam.launch.cli import main

ROOT = Path(__file__).parents[2]


def test_a_crate_names_the_files_and_the_run(tmp_path, capsys):
    run = tmp_path / "a"
    simulate(objective=Quadratic(dim=3), topology=make("ring", 4), algorithm=DPSGD(), rounds=2, out=run)
    assert main(["export", str(run), "--crate"]) == 0
    assert capsys.readouterr().out.strip() == str(run / "ro-crate-metadata.json")
    graph = {one["@id"]: one for one in json.loads((run / "ro-crate-metadata.json").read_text())["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    listed = {part["@id"] for part in graph["./"]["hasPart"]}
    assert listed == {path.name for path in run.iterdir() if not path.name.startswith((".", "ro-crate"))}
    assert all(int(graph[name]["contentSize"]) == (run / name).stat().st_size for name in listed)
    with pytest.raises(FileError):
        write_crate(tmp_path)


def test_versions_agree():
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f'version = "{version}"' in (ROOT / "packaging/recipe/meta.yaml").read_text()
    assert f"dfedsam-{version}.tar.gz" in (ROOT / "packaging/spack/package.py").read_text()


def test_templates_name_every_dependency():
    text = (ROOT / "pyproject.toml").read_text()
    block = text.split("dependencies = [")[1].split("\n]")[0]
    names = [name.lower() for name in re.findall(r'^\s+"([A-Za-z0-9-]+)', block, re.MULTILINE)]
    spack = (ROOT / "packaging/spack/package.py").read_text()
    ast.parse(spack)
    conda = (ROOT / "packaging/recipe/meta.yaml").read_text().lower()
    for name in names:
        assert f'"py-{name}"' in spack, f"the Spack template lacks {name}"
        assert f"- {name}" in conda or f"- py{name}" in conda, f"the conda recipe lacks {name}"


def test_issue_forms_are_yaml():
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert {"name", "description", "body"} <= yaml.safe_load(path.read_text()).keys()
