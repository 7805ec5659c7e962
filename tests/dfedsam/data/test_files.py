"""Files of every format give the same examples, and each mistake its own line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dfedsam.data.files import Source

ROWS = {"text": ["a good film", "it was bad", "not very good", "good"], "label": [1, 0, 0, 1]}


def write(folder: Path, suffix: str, rows: dict) -> Path:
    path, table = folder / f"data{suffix}", pd.DataFrame(rows)
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet"])
def test_formats_agree_and_leave_nothing_beside(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture) -> None:
    path = write(tmp_path, suffix, ROWS)
    examples = Source().load(str(path))
    assert examples.texts == tuple(ROWS["text"])
    assert examples.labels.tolist() == ROWS["label"]
    assert examples.classes == (0, 1)
    assert examples.names is None
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


def test_other_columns_and_labels_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", {"review": ["x", "y", "z"], "verdict": ["pos", "neg", "pos"], "more": [1, 2, 3]})
    examples = Source("review", "verdict").load(str(path))
    assert examples.names == ("neg", "pos")
    assert examples.labels.tolist() == [1, 0, 1]


def test_numbers_need_not_start_at_zero(tmp_path: Path) -> None:
    examples = Source().load(str(write(tmp_path, ".csv", {"text": ["x", "y", "z"], "label": [4, 1, 4]})))
    assert examples.classes == (1, 4)
    assert examples.labels.tolist() == [1, 0, 1]


def test_words_that_often_stand_for_nothing_are_texts(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", {"text": ["null", "NA", "nan"], "label": ["None", "yes", "None"]})
    examples = Source().load(str(path))
    assert examples.texts == ("null", "NA", "nan")
    assert examples.names == ("None", "yes")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", ROWS)
    Source().load(str(path))
    write(tmp_path, ".csv", {"text": ["new", "newer"], "label": [0, 1]})
    assert Source().load(str(path)).texts == ("new", "newer")


def test_test_labels_are_numbered_as_the_training_labels(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", {"text": ["x", "y"], "label": ["c", "a"]})
    assert Source().load(str(path), classes=("a", "b", "c")).labels.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"text": ["x", "y"], "klass": [0, 1]}, r"label_column is label: it must be a column: .* has text, klass"),
        ({"words": ["x", "y"], "label": [0, 1]}, r"text_column is text: it must be a column: .* has words, label"),
        ({"text": ["x", None], "label": [0, 1]}, r"the column text has none \(row 2, line 3\)"),
        ({"text": ["x", "y", "z"], "label": [0, 1, None]}, r"one has no label \(row 3, line 4\)"),
        ({"text": ["x", "y"], "label": [0.5, 1.0]}, "labels are fractions"),
        ({"text": ["x", "y"], "label": [1, 1]}, "all its labels are 1"),
        ({"text": [], "label": []}, "no rows|cannot be read"),
    ],
)
def test_mistakes_in_the_columns(tmp_path: Path, rows: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Source().load(str(write(tmp_path, ".csv", rows)))
    assert "\n" not in str(caught.value)


def test_a_label_that_training_has_not(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test is .*: it must have the classes 0, 2 alone, and has the label 1"):
        Source().load(str(write(tmp_path, ".csv", ROWS)), option="test", classes=(0, 2))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data is .*absent\.csv: it must be a file"):
        Source().load(str(tmp_path / "absent.csv"))


def test_a_format_that_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data.xlsx").write_text("")
    with pytest.raises(ValueError, match=r"must end in one of \.csv"):
        Source().load(str(tmp_path / "data.xlsx"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.parquet", b"not parquet"), ("x.jsonl", b"{broken"), ("x.csv", b""), ("y.csv", b'text,label\n"a\xff",1,2,3\n')],
)
def test_a_malformed_file(tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"data is .*{name}: it cannot be read as") as caught:
        Source().load(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_hub_name_while_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(
        ValueError,
        match=r"data is nobody/nothing: it must be a file or a data set.*no route to the hub",
    ):
        Source().load("nobody/nothing")


def test_a_hub_data_set_brings_its_class_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    hub = datasets.Dataset.from_dict({"text": ["x", "y"], "label": [1, 0]}, features=features)
    asked = {}
    monkeypatch.setattr(datasets, "load_dataset", lambda name, **options: asked.update(options, name=name) or hub)
    examples = Source().load("owner/set", split="test")
    assert asked == {"name": "owner/set", "split": "test"}
    assert examples.names == ("no", "yes")
    assert examples.labels.tolist() == [1, 0]


def test_sst2_is_read_as_it_is() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "sst2" / "test.csv"
    if not path.exists():
        pytest.skip(f"the SST-2 files are not at {path.parent}")
    examples = Source().load(str(path))
    assert np.bincount(examples.labels).tolist() == [912, 909]


def test_json_lines_may_differ_in_other_fields(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [{"text": "x", "label": 0}, {"text": "y", "label": 1, "more": "z"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert Source().load(str(path)).texts == ("x", "y")
