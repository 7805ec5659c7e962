"""The embedded data set: what is in it, that nothing is imported for it, and its cache."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from dfedsam.data import docstring_topics
from dfedsam.data.split import Examples, held_out, limited
from dfedsam.random import generator


@pytest.fixture(scope="module")
def examples(cache_folder: Path) -> Examples:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFEDSAM_CACHE", str(cache_folder))
        return docstring_topics.load()


def test_four_equal_classes_of_distinct_short_texts(examples: Examples) -> None:
    sizes = np.bincount(examples.labels)
    assert examples.names == ("numerical computing", "deep learning", "graphs", "plotting")
    assert len(set(sizes.tolist())) == 1
    assert sizes[0] > 500
    assert len(set(examples.texts)) == len(examples.texts)
    assert all(5 <= len(text.split()) <= 40 for text in examples.texts)


def test_the_cache_gives_the_same_and_a_spoilt_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path))
    monkeypatch.setattr(docstring_topics, "PER_CLASS", 20)
    first = docstring_topics.load()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert docstring_topics.load().texts == first.texts
    assert path.read_bytes() == whole
    monkeypatch.setattr(docstring_topics, "_paragraphs", lambda root: pytest.fail("read again"))
    assert docstring_topics.load().texts == first.texts


@pytest.mark.usefixtures("examples")
def test_libraries_are_not_imported() -> None:
    code = (
        "import sys; from dfedsam.data import docstring_topics; docstring_topics.load(); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib', 'networkx', 'scipy')))"
    )
    quiet = (
        "import sys, types; m = types.ModuleType('dfedsam'); m.__path__ = [sys.argv[1]]; sys.modules['dfedsam'] = m;"
    )
    root = str(Path(docstring_topics.__file__).parents[1])
    subprocess.run([sys.executable, "-c", quiet + code, root], check=True, timeout=60)


def test_what_is_read_from_a_source_file(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "_private").mkdir()
    source = '''
        """A module's own docstring is not one of a function."""

        def shown():
            """The first paragraph, over
            two lines.

            And a second one that is not taken.
            """

        def brief():
            """Too short."""

        def _hidden():
            """A private function is not for others to read."""

        class Shown:
            """A public class is one of them too."""

            def method(self):
                """And so is its public method here."""

            def __len__(self):
                """This one is again left out of it."""
    '''
    for place in (".", "tests", "_private"):
        (tmp_path / place / "module.py").write_text(textwrap.dedent(source))
    (tmp_path / "broken.py").write_text('"""')
    assert docstring_topics._paragraphs(tmp_path) == [
        "The first paragraph, over two lines.",
        "A public class is one of them too.",
        "And so is its public method here.",
    ]


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docstring_topics, "TOPICS", {"no_such_library": "nothing"})
    with pytest.raises(ValueError, match=r"data is docstring_topics: .*no_such_library is not installed"):
        docstring_topics.load()


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(docstring_topics, "PER_CLASS", 20)
    assert len(docstring_topics.load().texts) > 40


def test_held_out_and_limited_parts_keep_the_classes_shares(examples: Examples) -> None:
    train, test = held_out(examples, 0.25, generator(0, "held out"))
    assert not set(train.texts) & set(test.texts)
    assert len(train.texts) + len(test.texts) == len(examples.texts)
    assert np.ptp(np.bincount(test.labels)) == 0
    few = limited(train, 10, generator(0, "few"))
    assert sorted(np.bincount(few.labels).tolist()) == [2, 2, 3, 3]
    assert limited(train, 0, generator(0, "few")) is train
    other, _ = held_out(examples, 0.25, generator(1, "held out"))
    assert other.texts != train.texts


def test_a_class_of_one_example_cannot_be_held_out() -> None:
    lonely = Examples(texts=("x", "y", "z"), labels=np.array([0, 0, 1]), classes=(0, 1))
    with pytest.raises(ValueError, match="class 1"):
        held_out(lonely, 0.5, generator(0, "held out"))
