"""Docstring topics: the embedded data set. First paragraphs of the docstrings of four installed libraries, by topic.

Real text that exists on every machine with this package. The sources are read with `ast` and never
imported.
"""

import ast
import hashlib
import json
import os
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dfedsam import whole_files
from dfedsam.data.split import Examples

TOPICS = {"scipy": "numerical computing", "torch": "deep learning", "networkx": "graphs", "matplotlib": "plotting"}
PER_CLASS = 1000  # reading stops here: the whole of torch would take ten seconds
WORDS = range(5, 41)
_FORM = 1  # increase when the selection changes, to invalidate old caches


def load() -> Examples:
    """At most 1,000 examples of each class and equally many of each; the same for the same versions of the libraries.

    The texts are the first paragraphs of docstrings of public functions, classes and methods, if they have 5 to 40
    words, without tests, private names and duplicates. Files are read in a fixed shuffled order.

    Raises:
        ValueError: if one of the four libraries is not installed.
    """
    path = whole_files.cache_folder() / f"docstring_topics-{_fingerprint()}.json"
    try:
        paragraphs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        paragraphs = {library: _paragraphs(_root(library)) for library in TOPICS}
        whole_files.store(path, json.dumps(paragraphs).encode())
    return _balanced([paragraphs[library] for library in TOPICS])


def _balanced(paragraphs: list[list[str]]) -> Examples:
    """Equally many texts of each class, without those that two classes share."""
    times = Counter(text for texts in paragraphs for text in texts)
    kept = [[text for text in texts if times[text] == 1] for texts in paragraphs]
    each = min(map(len, kept))
    texts = tuple(text for texts in kept for text in texts[:each])
    names = tuple(TOPICS.values())
    return Examples(texts=texts, labels=np.repeat(np.arange(len(kept)), each), classes=names, names=names)


def _fingerprint() -> str:
    try:
        versions = [f"{library}=={version(library)}" for library in TOPICS]
    except PackageNotFoundError as error:
        raise ValueError(_missing(str(error.name))) from None
    return hashlib.sha256(" ".join([*versions, str(_FORM)]).encode()).hexdigest()[:16]


def _root(library: str) -> Path:
    spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(_missing(library))
    return Path(spec.submodule_search_locations[0])


def _missing(library: str) -> str:
    return (
        f"data is docstring_topics: it reads the sources of {', '.join(TOPICS)}, but {library} is not installed; "
        f"install it, or choose a file"
    )


def _paragraphs(root: Path) -> list[str]:
    """Distinct first paragraphs below a package's folder, at most PER_CLASS of them."""
    paragraphs: dict[str, None] = {}
    for file in _sources(root):
        source = file.read_bytes()
        if b'"""' not in source:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' escape sequences
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError):
                continue
        for docstring in _docstrings(tree):
            words = re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split()
            if len(words) in WORDS:
                paragraphs[" ".join(words)] = None
        if len(paragraphs) >= PER_CLASS:
            break
    return list(paragraphs)[:PER_CLASS]


def _sources(root: Path) -> list[Path]:
    """Python files of public folders, without tests, in an order that depends only on their names."""
    files: list[Path] = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith("_") and name not in ("test", "tests", "testing")]
        files += [Path(folder, name) for name in names if name.endswith(".py") and not name.startswith("test_")]

    def place(file: Path) -> tuple[int, str]:
        name = file.relative_to(root).as_posix()
        return zlib.crc32(name.encode()), name

    return sorted(files, key=place)


def _docstrings(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        docstring = ast.get_docstring(node)
        if docstring:
            yield docstring
        if isinstance(node, ast.ClassDef):
            yield from _docstrings(node)
