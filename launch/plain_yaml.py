"""Reads YAML as plain values: text, numbers, booleans, lists and mappings, of limited size.

Numbers are decimal, as in YAML 1.2: `010`, which older YAML reads as 8, means 10, and `1:30`, which it reads as 90, is
text, so that options with numbers reject it. Dates are text too. Values repeated by an alias count each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from dfedsam.errors import one_line

MOST_VALUES = 100_000  # in one file, with repetitions by aliases
MOST_LEVELS = 50  # of nested lists and mappings
MOST_DIGITS = 300  # of a whole number
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:(?:0|[1-9][0-9_]*)?\.[0-9_]+|(?:0|[1-9][0-9_]*)\.)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?(?:0|[1-9][0-9_]*)[eE][-+]?[0-9]+\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's numbers, without dates, and with every name once in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping. Raises ValueError for a name that occurs twice; YAML would drop the first one."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ValueError(f"line {key.start_mark.line + 1}: {key.value} occurs twice")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in forms if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
    for letter, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))


def load(text: str) -> Any:
    """Parse a YAML text.

    Raises:
        ValueError: if it is invalid, too large or too deep, contains itself, or has values that are not plain.
    """
    try:
        value = yaml.load(text, _Loader)
        _check(value)
    except RecursionError:
        raise ValueError(f"it has more than {MOST_LEVELS} levels") from None
    except (TypeError, AttributeError):
        raise ValueError("it has a tag that does not fit its value") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(one_line(error)) from None
    return value


def _check(value: Any) -> None:
    """Raise ValueError unless a value is plain and within the size limits."""
    count, todo = 0, [(value, 0)]
    while todo:
        one, level = todo.pop()
        count += 1
        if count > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES:,} values, or an alias that repeats too many of them")
        if level > MOST_LEVELS:
            raise ValueError(f"it has more than {MOST_LEVELS} levels, or an alias of itself")
        todo += [(inner, level + 1) for inner in _inside(one)]


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if not all(isinstance(key, (str, int, float, bool, type(None))) for key in value):
            raise ValueError("a name must be text or a number")
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    elif not isinstance(value, (str, int, float, type(None))):
        raise ValueError(f"a value is a {type(value).__name__}: it must be text, a number, a list or a mapping")
