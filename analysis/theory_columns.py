"""Theory beside what was measured: the contraction of each run's gossip, and its consensus distance on quadratics."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam import topologies
from dfedsam.analysis import theory
from dfedsam.topologies.spectra.neighbours import from_eigenvalues

LARGEST = 1000  # peers up to which all eigenvalues are taken
COLUMNS = ("lambda_q", "neighbours_q", "predicted_consensus", "predicted_error", "shape")


class Theory:
    """Theory of the runs of a study; what runs share is computed once.

    Attributes:
        notes: what could not be found out, a sentence each.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._eigenvalues: dict[str, NDArray[np.float64] | None] = {}
        self._steady: dict[str, dict[str, float]] = {}
        self._course: dict[str, NDArray[np.float64]] = {}

    def columns(
        self, row: Mapping[str, Any], config: Mapping[str, Any], table: Mapping[str, Any], rounds: Sequence[int]
    ) -> tuple[dict[str, float], NDArray[np.float64]]:
        """A run's row of COLUMNS, NaN where there is no theory, and its consensus distance in theory at these rounds.

        Args:
            row: the run's, see `analysis.run_table`.
            config: its config.yaml.
            table: the same, flat.
            rounds: of its evaluations, rising.
        """
        key = json.dumps([config.get("topology"), table], sort_keys=True, default=str)
        modes = None
        if key not in self._steady:
            modes = self._modes(row, config, table)
            self._steady[key] = self._figures(row, modes, table)
        times = f"{key}{len(rounds)}{rounds[-1] if rounds else 0}"
        if times not in self._course:
            self._course[times] = np.full(len(rounds), np.nan)
            if np.isfinite(self._steady[key]["predicted_consensus"]) and rounds[-1] <= theory.MOST:
                modes = self._modes(row, config, table) if modes is None else modes
                model = theory.quadratics(modes, table)
                if model is not None:
                    self._course[times] = model.course(rounds)
        return self._steady[key], self._course[times]

    def _figures(
        self, row: Mapping[str, Any], modes: NDArray[np.float64] | None, table: Mapping[str, Any]
    ) -> dict[str, float]:
        found: dict[str, float] = {name: float("nan") for name in COLUMNS}
        steps = row.get("steps") or 1
        if steps == 1 and row.get("effective_neighbours") is not None:
            found["neighbours_q"] = row["effective_neighbours"]
        if modes is not None:
            found["lambda_q"] = float(np.abs(modes).max())
            found["neighbours_q"] = from_eigenvalues(np.concatenate([[1.0], modes]))
        elif row.get("gossip") == "Plain" and row.get("lambda") is not None and not row.get("biased"):
            found["lambda_q"] = row["lambda"] ** steps
        elif row.get("lambda") is not None and row.get("gossip") is None:  # a version without gossip's options
            found["lambda_q"] = row["lambda"]
        model = theory.quadratics(modes, table)
        if model is not None:
            found["predicted_consensus"], found["predicted_error"] = model.steady()
        shape = theory.shape(modes, table)
        found["shape"] = float("nan") if shape is None else shape
        return found

    def _modes(
        self, row: Mapping[str, Any], config: Mapping[str, Any], table: Mapping[str, Any]
    ) -> NDArray[np.float64] | None:
        values = self._values(row, config)
        return None if values is None else theory.multipliers(values, table)

    def _values(self, row: Mapping[str, Any], config: Mapping[str, Any]) -> NDArray[np.float64] | None:
        """Eigenvalues of a run's W but the mean's; None where W is not one symmetric matrix, or too large."""
        peers = row.get("peers")
        if not row.get("symmetric") or row.get("period") != 1 or not isinstance(peers, int) or peers > LARGEST:
            return None
        key = json.dumps([config["topology"], peers], sort_keys=True, default=str)
        if key not in self._eigenvalues:
            try:
                W = topologies.make(config["topology"], peers, config.get("seed")).weights(0)
                self._eigenvalues[key] = topologies.eigenvalues(W)[1:]
            except (ValueError, KeyError, TypeError, ImportError) as error:
                self.notes.append(f"{row.get('topology')} cannot be made again, so it has no theory: {error}")
                self._eigenvalues[key] = None
        return self._eigenvalues[key]
