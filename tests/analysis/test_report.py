"""The report: one page that needs nothing else, made anew but never over foreign files, and alive in a browser."""

import base64
import hashlib
import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dfedsam.analysis import write_report
from dfedsam.analysis.report import page as pages
from tests.analysis import browser
from tests.analysis.folders import config, row, spectrum, write

VOID = {"meta", "link", "img", "input", "br", "hr", "line", "path"}
DRIVE = """
const curves = () => document.querySelectorAll("#plot path.curve").length;
const first = curves();
document.getElementById("clear").click();
const cleared = curves();
const boxes = [...document.querySelectorAll("#choices input")];
boxes[0].click();
boxes.at(-1).click();
const shown = {};
const y = document.getElementById("y");
for (const option of y.options) {
  y.value = option.value;
  y.dispatchEvent(new Event("change"));
  shown[option.value] = curves();
}
const differ = Object.fromEntries([...document.querySelectorAll("#differences tr")].slice(1).map((line) => {
  const cells = [...line.children].map((cell) => cell.textContent);
  return [cells[0], cells.slice(1)];
}));
const find = document.getElementById("find");
find.value = "ring seed=1";
find.dispatchEvent(new Event("input"));
return {
  images: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
  first, cleared, boxes: boxes.length, shown, differ, found: document.querySelectorAll("#choices input").length,
  sideways: document.documentElement.scrollWidth > innerWidth, width: innerWidth,
};
"""


class Page(HTMLParser):
    """Tags that open and close in order, and what the page would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value]

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two graphs, two seeds, one run that is unfinished and one that failed; a name that would end a script."""
    folder = tmp_path_factory.mktemp("study")
    for graph, gap in (("ring", 0.05), ("torus", 0.4)):
        for seed in (0, 1):
            settings = config(topology=graph, seed=seed, note="</script><b>")
            rows = [row(5 * i, loss=1 / (1 + i) + 0.1 * seed + (0.2 if graph == "ring" else 0)) for i in range(21)]
            stored = {"spectrum": spectrum(gap)}
            write(folder / "runs" / f"topology={graph},seed={seed}", rows, settings, topology=stored)
    write(folder / "runs" / "late", [row(0), row(5)], config("dpsgd"))
    (folder / "failed").mkdir()
    (folder / "failed" / "lost.json").write_text(json.dumps({"error": "out of memory", "status": 1}))
    return folder


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    return write_report([study], tmp_path_factory.mktemp("out") / "report")


def test_the_page_parses_and_needs_nothing_else(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert (parsed.open, parsed.wrong) == ([], [])
    assert all(load.startswith(("data:", "#")) for load in parsed.loads)
    assert not re.search(r"(url\(|@import|fetch\(|XMLHttpRequest|importScripts)", text)
    images = [load.partition(",")[2] for load in parsed.loads if load.startswith("data:image/png")]
    kept = {path.read_bytes() for path in (page.parent / "figures").glob("*.png")}
    assert {base64.b64decode(image) for image in images} == kept
    assert {path.stem for path in (page.parent / "figures").glob("*.pdf")} >= {"convergence", "consensus_rounds"}


def test_the_page_says_what_was_run(page):
    text = page.read_text(encoding="utf-8")
    for words in ("4 done", "1 unfinished", "1 failed", "out of memory", "5 of 100", "topology=torus"):
        assert words in text, words
    assert "</script><b>" not in text


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium is installed: the page is not opened in a browser")
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_in_a_browser(page, tmp_path, width):
    said = browser.drive(page, DRIVE, tmp_path, width)
    found = said["found"]
    assert said["wrong"] == []
    assert found["images"] == [True] * len(list((page.parent / "figures").glob("*.png")))
    assert (found["first"], found["cleared"], found["boxes"], found["found"]) == (3, 0, 5, 1)
    assert set(found["shown"].values()) == {2}
    assert found["differ"]["topology"] == ["-", "-"] or found["differ"]["seed"] == ["0", "1"]
    assert (found["width"], found["sideways"]) == (width, False)


def test_an_older_report_is_made_anew_and_foreign_files_are_not(page, study, tmp_path):
    out = tmp_path / "report"
    made = write_report([study / "runs"], out)
    (out / "figures" / "mine.png").write_text("mine")
    write_report([study / "runs" / "topology=ring,seed=0"], out, metric="consensus_distance")
    assert (out / "figures" / "mine.png").read_text() == "mine"
    assert "consensus distance" in made.read_text(encoding="utf-8")
    assert not (out / "figures" / "consensus_rounds.png.part").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "report.html").write_text("<html></html>")
    with pytest.raises(ValueError, match="is not an older report, so it is not overwritten"):
        write_report([study], tmp_path / "notes")


def test_a_figure_of_a_foreign_file_is_refused(study, tmp_path):
    out = tmp_path / "report"
    write_report([study], out)
    page = out / "report.html"
    page.write_text(
        page.read_text(encoding="utf-8").replace("figures/consensus_rounds.png", "figures/none.png"), encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"consensus_rounds\.png: does not belong to the older report"):
        write_report([study], out)


def test_the_policy_allows_the_script_of_the_page_alone(page):
    text = page.read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert unescape(policy) == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(tmp_path):
    return write(tmp_path / "small", [row(0), row(100)])


def test_a_report_that_fails_leaves_the_older_one_whole(small, tmp_path, monkeypatch):
    out = tmp_path / "report"
    write_report([small], out)
    before = contents(out)
    monkeypatch.setattr(pages, "_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report([small], out, metric="consensus_distance")
    assert contents(out) == before
    with pytest.raises(ZeroDivisionError):
        write_report([small], tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("older", [False, True])
def test_a_report_that_is_killed_can_be_made_again(small, tmp_path, monkeypatch, older):
    out = tmp_path / "report"
    if older:
        write_report([small], out, metric="consensus_distance")
    moved = []

    def replace(path, target):
        moved.append(path)
        if len(moved) > 3:
            raise KeyboardInterrupt
        return shutil.move(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_report([small], out)
    monkeypatch.undo()
    write_report([small], out)
    again = write_report([small], tmp_path / "fresh")
    assert set(contents(out)) == set(contents(again.parent))


def test_what_files_name_is_not_run(tmp_path):
    """The topology of a folder's config.yaml is made again only if it is a registered plug-in."""
    code = f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    schedule = {"topology": "subprocess.getoutput", "p": 0.1}
    for number, (name, options) in enumerate([("builtins.exec", {"source": code}), ("link_failures", schedule)]):
        settings = config(topology=name)
        settings["topology"]["init_args"] = options
        write(tmp_path / "runs" / str(number), [row(0), row(100)], settings)
    page = write_report([tmp_path]).read_text(encoding="utf-8")
    (left_out,) = re.findall(r"<summary>Figures with nothing to show</summary>(.*?)</details>", page, re.DOTALL)
    assert "topology is builtins.exec" in left_out
    assert "topology is subprocess.getoutput" in left_out
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("folders", "options", "said"),
    [
        (["."], {"metric": "beauty"}, "metric is beauty: it must be recorded by at least one run; there is .*loss"),
        (["runs/late"], {}, "has no finished runs .1 unfinished."),
        (["failed"], {}, "must be a run or a study"),
        (["none"], {}, "none: must be a run or a study, but it does not exist"),
        (["."], {"style": "poster"}, "style is poster: it must be one of paper, slides"),
    ],
)
def test_what_is_refused_writes_nothing(study, tmp_path, folders, options, said):
    with pytest.raises(ValueError, match=said):
        write_report([study / folder for folder in folders], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
