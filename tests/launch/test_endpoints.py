"""Where data and keys go is typed or confirmed: a file alone does not decide it."""

from pathlib import Path

import pytest
import yaml

URL = "https://elsewhere.example/v1"


def experiment(**options):
    box = {"class_path": "endpoint", "init_args": options}
    return {"objective": {"class_path": "prompt_tuning", "init_args": {"blackbox": box}}}


@pytest.fixture(autouse=True)
def files(dfedsam, monkeypatch, tmp_path):
    """An experiment and a sweep of somebody else's, and a user who has confirmed nothing yet."""
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path / "cache"))
    Path("key.yaml").write_text(yaml.safe_dump(experiment(key_variable="AWS_SECRET_ACCESS_KEY")))
    Path("both.yaml").write_text(yaml.safe_dump(experiment(url=URL, key_variable="MY_KEY")))
    Path("sweep.yaml").write_text(yaml.safe_dump({"base": experiment(url=URL)}))
    Path("grid.yaml").write_text(yaml.safe_dump({"base": experiment(), "grid": {"objective.blackbox.url": [URL]}}))


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("run --config key.yaml --print_config", "key_variable is AWS_SECRET_ACCESS_KEY"),
        ("run --config both.yaml --print_config", f"url is {URL}"),
        (f"run --config both.yaml --objective.blackbox.url {URL} --print_config", "key_variable is MY_KEY"),
        ("sweep sweep.yaml --dry-run", f"url is {URL}"),
        ("sweep grid.yaml --dry-run", f"url is {URL}"),
    ],
)
def test_a_file_does_not_choose_them(dfedsam, line, option):
    said = dfedsam(*line.split())
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert f"objective.blackbox.{option}: it must be confirmed, because a file names it" in said.err
    assert "--allow-endpoint" in said.err


def test_a_file_does_not_choose_them_of_a_plug_in_that_it_does_not_name(dfedsam):
    editor = {"algorithm": {"class_path": "text_evolution", "init_args": {"editor": {"init_args": {"url": URL}}}}}
    Path("editor.yaml").write_text(yaml.safe_dump(editor))
    said = dfedsam("run", "--config", "editor.yaml", "--print_config")
    assert f"algorithm.editor.url is {URL}: it must be confirmed" in said.err


def test_what_was_typed_or_allowed_is_confirmed_for_later(dfedsam):
    typed = f"--objective.blackbox.url {URL} --objective.blackbox.key_variable MY_KEY --print_config"
    assert dfedsam("run", "--config", "both.yaml", *typed.split()).status == 0
    assert dfedsam("run", "--config", "both.yaml", "--print_config").status == 0
    assert dfedsam("run", "--config", "key.yaml", "--print_config").status == 2
    assert dfedsam("run", "--config", "key.yaml", "--allow-endpoint", "--print_config").status == 0
    assert dfedsam("run", "--config", "key.yaml", "--print_config").status == 0
    (kept,) = Path("cache").glob("endpoints*")
    assert not any(word in kept.read_text() for word in (URL, "MY_KEY", "AWS"))


def test_the_users_own_settings_confirm_them(dfedsam, monkeypatch):
    monkeypatch.setenv("DFEDSAM_ENDPOINTS", f"http://localhost:9/v1, {URL} MY_KEY")
    assert dfedsam("run", "--config", "both.yaml", "--print_config").status == 0
    assert dfedsam("run", "--config", "key.yaml", "--print_config").status == 2
