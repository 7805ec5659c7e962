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
        ({"text": ["x", "y", "z"], "label": [0, 1, None]}, r"one has none \(row 3, line 4\)"),
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
    with pytest.raises(ValueError, match=r"test is .*: it must have the classes 0, 2 only, but has the label 1"):
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


def expected(examples) -> bool:
    return examples.texts == tuple(ROWS["text"]) and examples.labels.tolist() == ROWS["label"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_files_may_be_gzipped_or_have_tabs(tmp_path: Path, suffix: str) -> None:
    separator = "\t" if suffix == ".tsv" else ","
    table, plain, packed = pd.DataFrame(ROWS), tmp_path / f"data{suffix}", tmp_path / f"data{suffix}.gz"
    for path in (plain, packed):
        if suffix == ".jsonl":
            table.to_json(path, orient="records", lines=True)
        else:
            table.to_csv(path, index=False, sep=separator)
        assert expected(Source().load(str(path)))
    assert sorted(tmp_path.iterdir()) == sorted([plain, packed])


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_and_the_hint_at_them(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text,label\nein schöner Film,1\nschlecht,0\n", encoding=encoding)
    assert Source(encoding=encoding).load(str(path)).texts[0] == "ein schöner Film"
    with pytest.raises(ValueError, match=r"cannot be read as csv .*; set encoding to that of the file"):
        Source().load(str(path))


def test_saved_data_sets_and_folders_of_splits(tmp_path: Path) -> None:
    import datasets

    rows, other = datasets.Dataset.from_dict(ROWS), datasets.Dataset.from_dict({"text": ["x"], "label": [1]})
    rows.save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict({"train": rows, "test": other}).save_to_disk(str(tmp_path / "splits"))
    (tmp_path / "files").mkdir()
    pd.DataFrame(ROWS).to_csv(tmp_path / "files" / "train.csv", index=False)
    pd.DataFrame({"text": ["x"], "label": [1]}).to_csv(tmp_path / "files" / "test.csv.gz", index=False)
    (tmp_path / "parts").mkdir()
    for i in range(2):
        part = pd.DataFrame({name: values[2 * i : 2 * i + 2] for name, values in ROWS.items()})
        part.to_parquet(tmp_path / "parts" / f"train-{i:05d}-of-00002.parquet")
    for name, has_test in (("saved", False), ("splits", True), ("files", True), ("parts", False)):
        folder = str(tmp_path / name)
        assert expected(Source().load(folder))
        assert Source().has_test(folder) == has_test
        if has_test:
            assert Source().load(folder, classes=(0, 1), split="test").texts == ("x",)
    with pytest.raises(ValueError, match=r"it must have the split dev, but has train, test"):
        Source().load(str(tmp_path / "splits"), split="dev")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"it must hold a folder of images per class, a saved data set"):
        Source().load(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"text": ["x\ny", "z"], "label": ["a", ""]}, r"one has none \(row 2, line 4\)"),
        ({"text": ["x", "y", "z"], "label": [1, 2, 0.5]}, r"its labels are fractions \(row 3, line 4\)"),
    ],
)
def test_messages_name_the_line(tmp_path: Path, rows: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source().load(str(write(tmp_path, ".csv", rows)))


def test_labels_of_many_classes_and_columns_that_are_one(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "x", "label": [0, 1]}\n{"text": "y", "label": [1]}\n')
    with pytest.raises(ValueError, match=r"names as labels, but the column label has a list \(row 1, line 1"):
        Source().load(str(tmp_path / "x.jsonl"))
    path = write(tmp_path, ".csv", ROWS)
    with pytest.raises(ValueError, match="label_column is text: it must be another column than the texts'"):
        Source("text", "text").load(str(path))


def test_folders_of_parquet_files_and_configurations_of_the_hub(tmp_path: Path, monkeypatch) -> None:
    import datasets

    for name in ("bare/a.parquet", "bare/test.parquet", "inner/data/train-0.parquet", "own/train/x.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(ROWS)
        (table.astype({"label": "category"}) if name.startswith("own") else table).to_parquet(tmp_path / name)
    for name in ("bare", "inner", "own"):
        assert expected(Source().load(str(tmp_path / name)))
        assert Source().has_test(str(tmp_path / name)) == (name == "bare")
    asked = []
    hub = datasets.Dataset.from_dict(ROWS)
    monkeypatch.setattr(datasets, "load_dataset", lambda *names, split: asked.append((*names, split)) or hub)
    assert expected(Source().load("nyu-mll/glue:sst2"))
    assert asked == [("nyu-mll/glue", "sst2", "train")]


def test_json_may_be_a_list_and_rows_must_be_objects(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{"text": t, "label": n} for t, n in zip(*ROWS.values(), strict=True)], indent=1))
    assert expected(Source().load(str(path)))
    for content, message in (("null", "row 1 is None, not an object"), ("[" * 9000, "RecursionError|Expecting")):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            Source().load(str(path))
