"""Tables: every cell is there, whatever the terminal."""

import pytest

from dfedsam.launch import tables

HEADERS = ["topology", "peers", "gap", "note"]
ROWS = [
    ["ring", "16", "0.0507", ""],
    ["hypercube", "–", "–", "does not fit"],
    ["base", "≈ 1,024", "1", "exact after 9"],
]


def test_figures_stand_to_the_right_and_words_to_the_left():
    assert tables.text(HEADERS, ROWS).splitlines() == [
        "topology     peers     gap  note",
        "ring            16  0.0507",
        "hypercube        –       –  does not fit",
        "base       ≈ 1,024       1  exact after 9",
    ]


@pytest.mark.parametrize("columns", [20, 40, 44, 48, 50, 60, 100])
def test_no_cell_is_cut_on_any_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tables.show(HEADERS, ROWS)
    out = capsys.readouterr().out
    for row in ROWS:
        line = next(line for line in out.splitlines() if row[0] in line)
        assert all(cell in line for cell in row)
    assert ("─" in out) == (columns >= 48)
