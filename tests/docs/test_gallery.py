"""Every page of the gallery runs, and its last lines assert the figure that it repeats."""

import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

SCRIPTS = sorted(Path(__file__).parents[2].glob("docs/gallery/plot_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem.removeprefix("plot_"))
def test_a_page_of_the_gallery_shows_what_it_says(script, monkeypatch, capsys):
    monkeypatch.setattr(plt, "show", lambda: None)
    with matplotlib.rc_context({"backend": "agg"}):
        runpy.run_path(str(script), run_name="__main__")
        assert plt.get_fignums(), "it draws no figure"
        plt.close("all")
    assert capsys.readouterr().out, "it prints no value"
    assert len(script.read_text().splitlines()) <= 80
