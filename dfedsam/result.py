"""The result of a run, as Python and notebooks see it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from dfedsam.callbacks.files import topology_row
from dfedsam.experiment import Experiment
from dfedsam.run_folder import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from scipy.sparse import csr_array

    from dfedsam.topologies import Topology


@dataclass(frozen=True)
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

    def plot(self, **options: Any) -> Figure:
        """Draw the metrics; the options (x, y, size, log, title) are those of `dfedsam.analysis.convergence`."""
        analysis = importlib.import_module("dfedsam.analysis")  # loaded only here: a run needs no matplotlib
        return analysis.convergence(self.metrics, **options)

    def _repr_html_(self) -> str:
        """A notebook's view: the experiment, and the first and last evaluation."""
        import html

        import pandas as pd

        description = self.experiment.description()
        title = ", ".join(str(description[key]["class_path"]) for key in ("algorithm", "topology", "objective"))
        table = pd.DataFrame([self.rows[0], self.rows[-1]]).T.to_html(header=False, float_format="{:.4g}".format)
        ended = "" if self.stopped is None else f"<p>stopped: {html.escape(self.stopped)}</p>"
        return f"<b>{html.escape(title)}, {self.topology.n} peers</b>{table}{ended}"
