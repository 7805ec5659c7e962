"""RO-Crate metadata of a run folder, which archives and search engines of research data read.

Source: RO-Crate 1.1, https://w3id.org/ro/crate/1.1. This module reads files alone, like run_folder.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from dfedsam.errors import OptionError
from dfedsam.run_folder import CHECKPOINT, CONFIG, METRICS, PROMPT, REFERENCES, TOPOLOGY, RunFolder
from dfedsam.whole_files import write_atomic

FILE = "ro-crate-metadata.json"
_FILES = {
    CONFIG: ("application/yaml", "every option of the run"),
    TOPOLOGY: ("application/json", "the graph, its spectrum, and what theory predicts"),
    METRICS: ("application/jsonl", "metrics, one object per evaluation"),
    REFERENCES: ("application/json", "metrics to compare with"),
    CHECKPOINT: ("application/octet-stream", "the state of all peers, from which the run can continue"),
    PROMPT: ("application/octet-stream", "the mean vector"),
    "convergence.png": ("image/png", "metrics against rounds, queries and bytes"),
    "convergence.pdf": ("application/pdf", "the same for print"),
}
_PROGRAM = "#dfedsam"
_NO_LICENCE = "No licence is stated: ask the owner of the data before you use them."


def write_crate(folder: Path | str, licence: str | None = None) -> Path:
    """Write `ro-crate-metadata.json` into a run's folder, or replace an older one; returns the file.

    `licence` is the SPDX identifier of the licence of its files, such as "CC-BY-4.0"; None: none is stated.

    Raises:
        FileError: if it is not a run's folder.
        OptionError: if there is no such licence.
    """
    path = Path(folder) / FILE
    write_atomic(path, json.dumps(metadata(Path(folder), licence), indent=1, ensure_ascii=False).encode())
    return path


def metadata(folder: Path, licence: str | None = None) -> dict[str, Any]:
    """The metadata, as values for `json.dump`: the folder, its files, and the run that made them.

    Raises what `write_crate` raises.
    """
    RunFolder(folder).expect(CONFIG, METRICS)
    terms, licences = _licence(licence)
    files = [name for name in _FILES if (folder / name).is_file()]
    written = datetime.fromtimestamp((folder / METRICS).stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": folder.resolve().name,
        "description": "A run of dfedsam: decentralised black-box prompt tuning.",
        "datePublished": written,
        "license": terms,
        "hasPart": [{"@id": name} for name in files],
        "mentions": {"@id": "#run"},
    }
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "dfedsam run",
        "instrument": {"@id": _PROGRAM},
        "object": {"@id": CONFIG},
        "result": [{"@id": name} for name in files if name != CONFIG],
        "endTime": written,
    }
    program = {
        "@id": _PROGRAM,
        "@type": "SoftwareApplication",
        "name": "dfedsam",
        "version": version("dfedsam"),
        "license": "https://spdx.org/licenses/Apache-2.0",
    }
    descriptor = {
        "@id": FILE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    parts = [
        {
            "@id": name,
            "@type": "File",
            "encodingFormat": _FILES[name][0],
            "description": _FILES[name][1],
            "contentSize": str((folder / name).stat().st_size),
        }
        for name in files
    ]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [descriptor, root, action, program, *licences, *parts],
    }


def _licence(name: str | None) -> tuple[Any, list[dict[str, str]]]:
    """The value of `license`, and the entities that it refers to."""
    if name is None:
        return _NO_LICENCE, []
    try:
        identifier = canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        identifier = ""
    if not identifier or " " in identifier or identifier.startswith("LicenseRef"):
        raise OptionError("licence", name, "must be one SPDX identifier", "see spdx.org/licenses; CC-BY-4.0 is usual")
    url = f"https://spdx.org/licenses/{identifier}"
    entity = {"@id": url, "@type": "CreativeWork", "name": identifier, "description": f"The licence {identifier}"}
    return {"@id": url}, [entity]
