"""RO-Crate metadata of a run folder, which archives and search engines of research data read.

Source: RO-Crate 1.1, https://w3id.org/ro/crate/1.1. This module reads files alone, like run_folder.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dfedsam.run_folder import CHECKPOINT, CONFIG, METRICS, PROMPT, REFERENCES, TOPOLOGY, RunFolder
from dfedsam.whole_files import write_atomic

FILE = "ro-crate-metadata.json"
_FILES = {
    CONFIG: ("application/yaml", "every option of the run"),
    TOPOLOGY: ("application/json", "the graph, its spectrum, and what theory predicts"),
    METRICS: ("application/jsonl", "metrics, one object per evaluation"),
    REFERENCES: ("application/json", "metrics to compare with"),
    CHECKPOINT: ("application/octet-stream", "the state of all peers, from which the run can go on"),
    PROMPT: ("application/octet-stream", "the mean vector"),
    "convergence.png": ("image/png", "metrics against rounds, queries and bytes"),
    "convergence.pdf": ("application/pdf", "the same for print"),
}
_PROGRAM = "#dfedsam"


def write_crate(folder: Path | str) -> Path:
    """Write `ro-crate-metadata.json` into a run's folder; an older one is replaced.

    Args:
        folder: the run's folder.

    Returns:
        The file.

    Raises:
        FileError: if it is not a run's folder.
    """
    run = RunFolder(folder)
    run.expect(CONFIG, METRICS)
    path = run.path / FILE
    write_atomic(path, json.dumps(metadata(run.path), indent=1, ensure_ascii=False).encode())
    return path


def metadata(folder: Path) -> dict[str, Any]:
    """The metadata, as values for `json.dump`: the folder, its files, and the run that made them."""
    files = [name for name in _FILES if (folder / name).is_file()]
    written = datetime.fromtimestamp((folder / METRICS).stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": folder.resolve().name,
        "description": "A run of dfedsam: decentralised black-box prompt tuning.",
        "datePublished": written,
        "license": "https://creativecommons.org/licenses/by/4.0/",
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
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [descriptor, root, action, program, *parts]}
