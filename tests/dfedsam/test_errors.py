"""The text of errors."""

import pytest

from dfedsam.errors import first_line, one_line, reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OSError(28, "No space left on device", "a/b"),
            "a/b: No space left on device; fix the path, or free some space",
        ),
        (OSError(28, "No space left on device"), "No space left on device; fix the path, or free some space"),
        (ValueError("two\n  lines"), "two lines"),
    ],
)
def test_a_reason_is_one_line_that_says_where_and_what_to_do(error, text):
    assert reason(error) == text


def test_other_libraries_errors_become_one_line():
    error = ValueError("no such thing\n  at all\n")
    assert (one_line(error), first_line(error), first_line(error, 4)) == (
        "no such thing at all",
        "no such thing",
        "no s",
    )
    assert one_line(KeyError()) == first_line(KeyError()) == "KeyError"
