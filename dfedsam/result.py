"""The result of a run, as Python and notebooks see it."""

from __future__ import annotations

import html
import importlib
import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dfedsam.callbacks.files import topology_row
from dfedsam.callbacks.progress import metrics_line
from dfedsam.experiment import Experiment
from dfedsam.run_folder import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from scipy.sparse import csr_array

    from dfedsam.topologies import Topology


@dataclass(frozen=True, repr=False)
class Result:
    """The result of a run.

    Attributes:
        experiment: the experiment.
        rows: its evaluations, as in metrics.jsonl; the same on every rank.
        x: the models of this process's peers, shape (peers, dim); of all peers without MPI.
        peer_metrics: loss, and accuracy if available, of each peer's own model at the last evaluation, metric →
            (peers,); empty without `evaluate_local`.
        stopped: why the run ended early: "interrupted", or the budget's message; None: it did not.
        folder: its folder; None if nothing was written.
    """

    experiment: Experiment
    rows: list[Row]
    x: NDArray
    peer_metrics: dict[str, NDArray]
    stopped: str | None = None
    folder: Path | None = None

    def __getitem__(self, metric: str) -> pd.Series:
        """One metric over all evaluations, such as result["loss"]."""
        return self.metrics[metric]

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per evaluation, with the columns of `dfedsam.analysis.read_runs`: round, queries, bytes, loss, …."""
        reader = importlib.import_module("dfedsam.analysis.read.runs")
        name = "run" if self.folder is None else self.folder.name
        return reader.as_evaluations(name, self.experiment.description(), self.rows, topology_row(self.experiment))

    @property
    def peers(self) -> pd.DataFrame:
        """One row per peer: loss, and accuracy if available, of its own model at the last evaluation."""
        import pandas as pd

        return pd.DataFrame(self.peer_metrics).rename_axis("peer")

    @property
    def topology(self) -> Topology:
        """The communication graph."""
        return self.experiment.topology

    @property
    def W(self) -> csr_array:
        """The mixing matrix of round 0, shape (n, n)."""
        return self.topology.weights(0)

    @property
    def spectrum(self) -> Mapping[str, Any]:
        """What `dfedsam.topologies.spectrum` says of the topology: its gap, contraction factor, …."""
        from dfedsam.topologies import spectrum

        return spectrum(self.topology)

    def plot(self, **options: Any) -> Figure:
        """Draw the metrics; the options (x, y, size, log, title) are those of `dfedsam.analysis.convergence`."""
        analysis = importlib.import_module("dfedsam.analysis")  # loaded only here: a run needs no matplotlib
        return analysis.convergence(self.metrics, **options)

    @property
    def _title(self) -> str:
        description = self.experiment.description()
        names = ", ".join(str(description[key]["class_path"]) for key in ("algorithm", "topology", "objective"))
        return f"{names}, {self.topology.n} peers"

    def __repr__(self) -> str:
        return f"<Result of {self._title}, round {self.rows[-1]['round']}: {metrics_line(self.rows[-1])}>"

    def _repr_html_(self) -> str:
        """A notebook's view: the experiment, its first and last evaluation, and a small figure."""
        rows = "".join(
            f"<tr><th>{key}</th><td>{_cell(self.rows[0][key])}</td><td>{_cell(value)}</td></tr>"
            for key, value in self.rows[-1].items()
            if key in self.rows[0] and key not in ("seconds", "consensus_distance_before_gossip")
        )
        ended = "" if self.stopped is None else f"<p>stopped: {html.escape(self.stopped)}</p>"
        table = f'<table style="margin: 0"><tr><th></th><th>start</th><th>end</th></tr>{rows}</table>'
        return f"<b>{html.escape(self._title)}</b>{table}{ended}{self._picture() if len(self.rows) > 1 else ''}"

    def _picture(self) -> str:
        image = io.BytesIO()
        y = [key for key in ("accuracy", "loss", "consensus_distance") if key in self.rows[-1]]
        self.plot(x=("queries",), y=y, size=(4, 1.3 + 1.4 * len(y))).savefig(image, format="png", dpi=110)
        return f'<img alt="metrics against queries" src="data:image/png;base64,{b64encode(image.getvalue()).decode()}">'


def _cell(value: Any) -> str:
    if value is None:
        return "∞"
    return f"{value:,.0f}" if isinstance(value, float | int) and abs(value) >= 1000 else f"{value:.4g}"
