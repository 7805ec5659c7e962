"""experiment.schema.json: a JSON schema of experiment files and studies, from the same signatures as the options."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

if typing.TYPE_CHECKING:
    from sphinx.application import Sphinx

from dfedsam import registry
from dfedsam.experiment import Experiment
from dfedsam.launch import help as plugin_help, signatures
from dfedsam.launch.options import command

SIMPLE = {int: "integer", float: "number", bool: "boolean", str: "string", dict: "object", type(None): "null"}
Schema = dict[str, Any]


def schema() -> Schema:
    """The schema: an experiment, or a study around one."""
    definitions = {kind: plugin(kind) for kind in registry.KINDS}
    experiment = {
        field.name: value(field.name, hint)
        for field in dataclasses.fields(Experiment)
        for hint in [typing.get_type_hints(Experiment)[field.name]]
    }
    experiment |= {"peers": {"type": "integer", "minimum": 2}, "ranks": {"type": "integer", "minimum": 1}}
    own = {name: value(name, option.hint) for name, option in signatures.options_of(command).items()}
    definitions["experiment"] = {
        "type": "object",
        "properties": own | experiment | {"format": {"type": "integer"}},
        "additionalProperties": False,
    }
    study = {
        "base": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/experiment"}]},
        "grid": {"type": "object", "additionalProperties": {"type": "array"}},
        "zip": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
        "seeds": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
        "search": {"type": "object", "required": ["option", "values"]},
        "slurm": {"type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dfedsam experiment or study",
        "if": {"type": "object", "required": ["base"]},
        "then": {"properties": study, "additionalProperties": False},
        "else": {"$ref": "#/$defs/experiment"},
        "$defs": definitions,
    }


def plugin(kind: str) -> Schema:
    """A plug-in in a file: its name, an import path, or {class_path, init_args}."""
    forms: list[Schema] = [{"enum": list(registry.plugins(kind))}, {"type": "string"}]
    for name, one in registry.plugins(kind).items():
        texts = plugin_help.options(kind, one)
        options = {
            key: value(key, option.hint) | {"description": texts[key].text}
            for key, option in signatures.plugin_options(kind, one).items()
        }
        forms.append(
            {
                "type": "object",
                "title": name,
                "description": plugin_help.sentence(one),
                "properties": {"class_path": {"const": name}, "init_args": {"type": "object", "properties": options}},
                "required": ["class_path"],
            }
        )
    path = {"class_path": {"type": "string", "pattern": r"\."}}  # a user's own
    forms.append({"type": "object", "properties": path, "required": ["class_path"]})
    forms.append({"type": "object", "not": {"required": ["class_path"]}})  # options alone, of the default
    return {"anyOf": forms}


def value(key: str, hint: Any) -> Schema:
    """The schema of one option's value."""
    kind = registry.kind_of(key)
    if kind:
        return {"anyOf": [{"$ref": f"#/$defs/{kind}"}, {"type": "null"}]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [value("", one) for one in arguments]}
    if origin in (list, tuple, Sequence, typing.get_origin(Sequence[int])):
        return {"anyOf": [{"type": "array"}, {"type": "string"}]}
    name = SIMPLE.get(origin or hint)
    return {"type": name} if name else {}


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        Path(app.outdir, "experiment.schema.json").write_text(json.dumps(schema(), indent=1, ensure_ascii=False))


def setup(app: Sphinx) -> dict[str, Any]:
    """Write it beside the pages."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
