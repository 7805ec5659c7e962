"""An experiment as one tree of plain values: files first, then the command line, each plug-in in the long form."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from dfedsam.launch import errors, explain, names
from dfedsam.run_folder import without_format

EXPERIMENTS = Path(__file__).with_name("experiments")  # those that ship
Tree = dict[str, Any]
_EXAMPLE = "[ring, {class_path: random_regular, init_args: {degree: 4}}]"
Pair = tuple[str, str | None]  # an option's name without dashes, and its value where it has one


def pairs(argv: Iterable[str]) -> list[Pair]:
    """The options on a command line: `--a.b-c 3`, `--a.b-c=3` and a bare `--a` become ("a.b_c", "3") and ("a", None).

    Raises:
        ValueError: if a word belongs to no option.
    """
    found: list[Pair] = []
    waiting = False
    for word in argv:
        if word == "-h":
            word = "--help"
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            found.append((option.replace("-", "_"), value if equals else None))
            waiting = not equals
        elif waiting:
            found[-1] = (found[-1][0], word)
            waiting = False
        else:
            raise ValueError(
                f"{word} belongs to no option: options begin with --, and a value with blanks needs quotes"
            )
    return found


def split(argv: Iterable[str], flags: Collection[str]) -> tuple[list[str], list[Pair]]:
    """The words of a command line that belong to no option, and the options; those in `flags` take no value."""
    words: list[str] = []
    found: list[Pair] = []
    waiting = False  # for the last option's value
    for word in argv:
        if word.startswith("--"):
            found += pairs([word])
            waiting = found[-1][1] is None and found[-1][0] not in flags
        elif waiting:
            found[-1] = (found[-1][0], word)
            waiting = False
        else:
            words.append(word)
    return words, found


def read_file(path: str | None) -> Tree:
    """An experiment file (YAML, or JSON): its path, or the name of one that ships, such as demo.yaml.

    Raises:
        ValueError: if it is missing, malformed or does not hold settings by name.
    """
    if not path:
        raise ValueError("config needs a value: --config FILE.yaml")
    return settings(f"config is {path}", read_yaml(path, "config")[0])


def read_yaml(path: str | Path, option: str, folder: Path = Path()) -> tuple[Any, str]:
    """What a YAML file holds, and its text.

    Args:
        path: the file, relative to `folder`; a bare name that is not there is one of those that ship.
        option: what named it.
        folder: where it is looked for.

    Raises:
        ValueError: if it is missing or malformed.
    """
    import yaml

    try:
        text = _find(Path(path), folder).read_text(encoding="utf-8")
        return yaml.safe_load(text), text
    except OSError as error:
        raise ValueError(f"{option} is {path}: the file cannot be read ({error.strerror}); mend the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{option} is {path}: it must be YAML, but: {' '.join(str(error).split())}") from None


def _find(path: Path, folder: Path) -> Path:
    here, ships = folder / path, EXPERIMENTS / path
    return ships if path.name == str(path) and not here.exists() and ships.is_file() else here


def settings(what: str, tree: Any) -> Tree:
    """An experiment as YAML gave it, with its plug-ins in the long form; `what` begins the message if it is none.

    Raises:
        ValueError: if it does not hold settings by name, or a plug-in is not known.
    """
    if not isinstance(tree, dict):
        raise ValueError(f"{what}: it must hold settings by name, such as `rounds: 100`")
    values = without_format(what, {str(key).replace("-", "_"): value for key, value in tree.items()})
    return names.expand("", values)


class Merge:
    """Puts settings over one another; later ones win.

    Where a plug-in is replaced by another, its options stay as far as the new one has them too.

    Args:
        known: the names of all options that are not plug-ins' own.
        tree: what to begin with.
    """

    def __init__(self, known: Collection[str], tree: Tree) -> None:
        self.known = known
        self.tree: Tree = {}
        self.update(tree)

    def update(self, tree: Tree) -> None:
        """Put a file's settings over those that are there.

        Raises:
            ValueError: for an option or a plug-in that is not known.
        """
        for option, value in tree.items():
            if option not in self.known:
                raise errors.unknown_option(option, self.known)
            if names.is_kind(option):
                self._over(self.tree, option, option, value)
            else:
                self.tree[option] = value

    def set(self, option: str, value: str | None) -> None:
        """Put one option of the command line over what is there.

        Raises:
            ValueError: for an option or a plug-in that is not known, or a missing value.
        """
        head, _, last = option.rpartition(".")
        if last == "class_path":
            return self.set(head, value)
        place, kinds = (self._inside(head), self._options(head)) if head else (self.tree, None)
        if last not in (self.known if kinds is None else kinds):
            raise errors.unknown_option(option, self.known if kinds is None else kinds)
        if value is None:
            if kinds is not None and kinds[last].type != "bool":
                raise ValueError(f"{option} needs a value: --{option} VALUE")
            value = "true"
        if names.is_kind(last) or names.is_list(last):
            self._put(place, last, option, names.expand(option, _form(option, value)))
        else:
            place[last] = value
        return None

    def plugin(self, option: str) -> names.Plugin:
        """The plug-in that is chosen for an option such as "algorithm.estimator"."""
        head, _, last = option.rpartition(".")
        place = self._inside(head) if head else self.tree
        return names.find(option, place[last]["class_path"])

    def _inside(self, option: str) -> Tree:
        """The options of the plug-in chosen for `option`; its default is written down if none is chosen yet."""
        head, _, last = option.rpartition(".")
        if last == "init_args":
            return self._inside(head)
        place = self._inside(head) if head else self.tree
        if names.is_list(last):
            raise ValueError(f"{option} is a list: its options stand in it, as in {_EXAMPLE}")
        if head and names.is_kind(last) and place.get(last) is None:
            kinds = self._options(head)
            if last not in kinds:
                raise errors.unknown_option(option, kinds)
            place[last] = _default(option, kinds[last])
        form = place.get(last)
        if not (names.is_kind(last) and isinstance(form, dict) and "class_path" in form):
            raise errors.unknown_option(option, self._options(head) if head else self.known)
        return form.setdefault("init_args", {})

    def _options(self, option: str) -> dict[str, explain.Option]:
        return explain.options(self.plugin(option.removesuffix(".init_args")))

    def _put(self, place: Tree, last: str, option: str, value: Any) -> None:
        """Put a value over the one that is there; `option` is its full name, `last` its name in `place`."""
        if names.is_kind(last) and value is not None:
            self._over(place, last, option, value)
        elif names.is_list(last) and isinstance(value, list):
            place[last] = [self._alone(option, item) for item in value]
        else:
            place[last] = value

    def _alone(self, option: str, form: Any) -> Tree:
        """One plug-in of a list, whose options are its own."""
        place: Tree = {}
        self._over(place, "item", names.item(option), form)
        return place["item"]

    def _over(self, place: Tree, last: str, option: str, form: Any) -> None:
        """Put a plug-in over the one that is there."""
        if not (isinstance(form, dict) and isinstance(form.get("class_path"), str)):
            raise ValueError(f"{option} is {form}: it must be a name, or have a class_path and perhaps init_args")
        kinds = explain.options(names.find(option, form["class_path"]))
        for key in form.get("init_args", {}):
            if key not in kinds:
                raise errors.unknown_option(f"{option}.{key}", kinds)
        old = place.get(last, {}).get("init_args", {}) if isinstance(place.get(last), dict) else {}
        kept = {key: value for key, value in old.items() if key in kinds}
        place[last] = {"class_path": form["class_path"], "init_args": kept}
        for key, value in form.get("init_args", {}).items():
            self._put(kept, key, f"{option}.{key}", value)


def _form(option: str, value: str) -> Any:
    """A plug-in as it is on the command line: a name, or the long form as YAML."""
    import yaml

    try:
        return yaml.safe_load(value) if value.lstrip().startswith("{") else value
    except yaml.YAMLError as error:
        raise ValueError(f"{option} is {value}: it must be YAML, but: {' '.join(str(error).split())}") from None


def _default(option: str, known: explain.Option) -> Tree:
    """The plug-in that an option takes where none is chosen."""
    from dfedsam.describe import describe

    form = names.expand(option, describe(known.default))
    if not isinstance(form, dict):
        raise ValueError(f"{option} needs a name first: --{option} NAME; --{option}.help lists them")
    return form
