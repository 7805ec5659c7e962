"""Metadata that others read: RO-Crate of a run, the citation, templates of packages."""

import importlib
import json
import re
from importlib import metadata, util
from pathlib import Path

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dfedsam import DPSGD, FileError, Quadratic, make, simulate
from dfedsam.crate import write_crate
from dfedsam.launch.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    simulate(objective=Quadratic(dim=3), topology=make("ring", 4), algorithm=DPSGD(), rounds=2, out=tmp_path / "a")
    return tmp_path / "a"


def crate(run, *options):
    assert main(["export", str(run), "--crate", *options]) == 0
    return {one["@id"]: one for one in json.loads((run / "ro-crate-metadata.json").read_text())["@graph"]}


def test_a_crate_names_the_files_and_the_run(run, capsys):
    graph = crate(run)
    assert capsys.readouterr().out.strip() == str(run / "ro-crate-metadata.json")
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    listed = {part["@id"] for part in graph["./"]["hasPart"]}
    assert listed == {path.name for path in run.iterdir() if not path.name.startswith((".", "ro-crate"))}
    assert all(int(graph[name]["contentSize"]) == (run / name).stat().st_size for name in listed)
    with pytest.raises(FileError):
        write_crate(run.parent)


def test_an_export_that_fails_writes_nothing(run, capsys):
    before, out = sorted(run.iterdir()), run.parent / "adapter"
    for options, told in (([], "prompt"), (["--licence", "none such"], "SPDX")):
        assert main(["export", str(run), "--crate", "--out", str(out), *options]) == 2
        assert told in capsys.readouterr().err
    assert sorted(run.iterdir()) == before
    assert not out.exists()


def test_a_run_of_an_unknown_format_is_not_exported(run, capsys):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("format: 1", "format: 99"))
    for options in (["--crate"], ["--out", str(run.parent / "adapter")]):
        assert main(["export", str(run), *options]) == 2
        err = capsys.readouterr().err
        assert "has format 99, and this version of dfedsam knows format 1" in err
        assert err.count("\n") == 1
    assert not (run / "ro-crate-metadata.json").exists()
    assert not (run.parent / "adapter").exists()


def test_a_crate_states_the_licence_that_its_owner_names_or_none(run, capsys):
    assert crate(run)["./"]["license"].startswith("No licence")
    graph = crate(run, "--licence", "cc-by-4.0")
    assert graph[graph["./"]["license"]["@id"]]["name"] == "CC-BY-4.0"
    capsys.readouterr()
    for wrong in ("CC-BY", "MIT OR Apache-2.0", "LicenseRef-mine"):
        assert main(["export", str(run), "--crate", "--licence", wrong]) == 2
        assert "SPDX" in capsys.readouterr().err
    assert main(["export", str(run), "--licence", "MIT", "--out", str(run.parent / "b")]) == 2
    if util.find_spec("rocrate"):  # the library of the format's authors reads it
        read = importlib.import_module("rocrate.rocrate").ROCrate(run)
        assert {one.id for one in read.data_entities} == {part["@id"] for part in graph["./"]["hasPart"]}


def test_versions_agree():
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f'version = "{version}"' in (ROOT / "packaging/recipe/meta.yaml").read_text()
    assert f"dfedsam-{version}.tar.gz" in (ROOT / "packaging/spack/package.py").read_text()


CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # other names there


def test_templates_have_the_dependencies_of_the_package():
    block = (ROOT / "pyproject.toml").read_text().split("\ndependencies = [")[1].split("\n]")[0]
    needs = re.findall(r'^\s+"([A-Za-z0-9-]+)(?:\[\w+\])?(\S+)"', block, re.MULTILINE)
    assert len(needs) > 15
    recipe = (ROOT / "packaging/recipe/meta.yaml").read_text()
    conda = yaml.safe_load(jinja2.Template(recipe).render(PYTHON="python"))["requirements"]
    spack: list[str] = []
    names = {"PythonPackage": object, "depends_on": lambda spec, **_: spack.append(spec)}
    names |= dict.fromkeys(("license", "version", "variant"), lambda *_, **__: None)
    code = (ROOT / "packaging/spack/package.py").read_text().replace("from spack.package import *", "")
    exec(code, names)
    for name, versions in needs:
        assert f"{CONDA.get(name, name)} {versions}" in conda["run"]
        least = re.search(r">=([\d.]+)", versions)[1]
        assert any(re.match(rf"py-{name}(\+\w+)?@{re.escape(least)}:", spec) for spec in spack), f"Spack: {name}"


def test_constraints_pin_all_that_the_makefile_installs():
    rules = map(Requirement, re.findall(r"^\w.*", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    pinned = {canonicalize_name(rule.name) for rule in rules if rule.marker is None or rule.marker.evaluate()}
    extras = re.findall(r"'\.\[([\w,]+)", (ROOT / "Makefile").read_text())
    assert len(extras) == 4
    todo, seen = [Requirement(f"dfedsam[{','.join(extras)}]")], set()
    while todo:
        one = todo.pop()
        for need in map(Requirement, metadata.requires(one.name) or []):
            wanted = need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in {"", *one.extras})
            by_torch = one.name == "torch" and "==" in str(need.specifier)  # what its CUDA build brings
            if wanted and not by_torch and str(need) not in seen and is_installed(need.name):
                seen.add(str(need))
                todo.append(need)
    assert len(seen) > 60
    assert {canonicalize_name(Requirement(one).name) for one in seen} - pinned == set()


def is_installed(package):
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def test_issue_forms_are_yaml():
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert {"name", "description", "body"} <= yaml.safe_load(path.read_text()).keys()
