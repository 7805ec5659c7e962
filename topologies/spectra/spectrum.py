"""The spectrum of a topology and derived metrics, in one dictionary."""

from __future__ import annotations

from typing import Any, TypedDict

import scipy.sparse as sp

from dfedsam.options import whole_number
from dfedsam.topologies.spectra.rates import rates_of_drawn, rates_of_one, rates_of_period
from dfedsam.topologies.spectra.rounds import (
    SupportMetrics,
    TrafficMetrics,
    mixing_time,
    sample_rounds,
    support_metrics,
    traffic_metrics,
)
from dfedsam.topologies.spectra.symmetric import is_symmetric, laplacian_extremes, modes
from dfedsam.topologies.topology import Sums, Topology, require_topology

_Odd = TypedDict("_Odd", {"lambda": float | None, "rounds_to_1e-6": int | None})  # keys that are no identifiers


class Spectrum(SupportMetrics, TrafficMetrics, _Odd):
    """The metrics of a topology, as values for `json.dump`; None if undefined or too slow to compute.

    D_t = W_t - J, J = 11ᵀ/n; where rows and columns do not both sum to one, gossip does not tend to J, and D_t =
    (I - J) W_t (I - J). Q is the number of gossip steps a round.

    The graph of all who may talk over time: `edges` (in a directed one, arcs); `degree_min`, `degree_mean`,
    `degree_max` (in a directed one, to how many a peer sends); `diameter` in edges, up to 500 peers. A round:
    `degree_round_mean`, `degree_round_max`, to how many others a peer sends; `vectors_per_round`, which all peers send
    together in Q steps, one a message; both over a period, or the sampled rounds. `lambda`, the rate a round: for one W
    ‖D‖₂; over a period `periodic_rate`; where drawn √contraction; where rows and columns do not both sum to one, not
    even in expectation, `rho`. `rounds_to_1e-6`, rounds with Q steps each until ‖x_t - x̄‖ ≤ 1e-6 ‖x_0 - x̄‖ from the
    worst start: exact up to 500 peers, and for one W with W Wᵀ = WᵀW; above, and where drawn (then in the mean square),
    what `lambda_q` implies.

    Attributes:
        n: number of peers.
        period: rounds after which W_t repeats; None where drawn.
        directed: whether links may be one-way.
        sums: "both", "rows" or "columns": which sums of W_t are one.
        biased: whether rows alone sum to one, also in expectation, so that the fixed point is no plain average. Then
            there is no gap.
        mu_2: second smallest eigenvalue of the graph's unweighted Laplacian, directions dropped.
        mu_n: its largest eigenvalue.
        gap: 1 - lambda.
        gap_squared: 1 - lambda².
        gap_2: 1 - lambda_2.
        lambda_2: second largest eigenvalue of one symmetric W.
        lambda_min: its smallest eigenvalue.
        sigma_2: ‖D‖₂ of one W.
        rho: the rate in the long run: ρ(D), the second largest eigenvalue modulus of W; over a period
            ρ(D_τ … D_1)^(1/τ); where drawn and `lambda` needs it, that of all sampled rounds.
        periodic_rate: ‖D_τ … D_1‖₂^(1/τ) over a period τ, from round 0.
        contraction: λ_max(E[DᵀD]), the most that an average round leaves of the squared distance to the mean.
        contraction_stderr: its standard error, 0 where exact (see `topologies.spectra.contraction`).
        steps: Q.
        lambda_q: the rate a round with Q steps in each.
        finite_time: rounds after which every peer holds the mean exactly.
        mixing_time: rounds to a distance of 1/4 in total variation.
        effective_neighbours: n_W(γ) at γ = 0.9 (see `topologies.spectra.neighbours`); None where only columns sum to 1.
        approximate: names of the numbers here that are estimates or bounds.
    """

    n: int
    period: int | None
    directed: bool
    sums: Sums
    biased: bool
    mu_2: float
    mu_n: float
    gap: float | None
    gap_squared: float | None
    gap_2: float | None
    lambda_2: float | None
    lambda_min: float | None
    sigma_2: float | None
    rho: float | None
    periodic_rate: float | None
    contraction: float | None
    contraction_stderr: float
    steps: int
    lambda_q: float | None
    finite_time: int | None
    mixing_time: int | None
    effective_neighbours: float | None
    approximate: list[str]


def spectrum(topology: Topology, steps: int = 1) -> Spectrum:
    """Compute how fast a topology mixes and its messages.

    Up to 500 peers all is computed from dense matrices. Above, no n × n matrix is made: eigenvalues come with a
    residual of 1e-6 relative to 1 - λ (see `topologies.spectra.extremes`), mostly with an error of less than 1e-9.

    Args:
        topology: one W, a period of them, or random in every round. Of the last kind, and of periods over 1,000
            rounds, the first 40 to 500 rounds are used.
        steps: gossip steps Q a round, at least 1; it changes `vectors_per_round`, `lambda_q` and `rounds_to_1e-6`.

    Raises:
        OptionError: if the topology is a name or a graph of networkx, or if steps is below 1, or too large for the
            powers of a schedule's matrices.

    Examples:
        >>> from dfedsam.topologies import make, spectrum
        >>> torus = spectrum(make("torus", 16))
        >>> round(torus["gap"], 12), torus["edges"], torus["mixing_time"]
        (0.4, 32, 3)
        >>> spectrum(make("one_peer_exponential", 8))["finite_time"]
        3
    """
    require_topology(topology)
    steps = whole_number("steps", steps, 1, "the usual is 1")
    rounds, support = sample_rounds(topology), topology.support()
    links = sp.csr_array(support + support.T) if support is not None and topology.directed else support
    if len(rounds.matrices) == 1 and rounds.keeps_mean and links is not None and is_symmetric(rounds.matrices[0]):
        own_modes = modes(rounds.matrices[0], links)
        mu_2, mu_n = own_modes.mu_2, own_modes.mu_n
        rates = rates_of_one(rounds, own_modes, steps)
    else:
        mu_2, mu_n = laplacian_extremes(links, topology.n)
        rates = (rates_of_drawn if rounds.sampled else rates_of_period)(topology, rounds, steps)
    traffic, varies = traffic_metrics(rounds.matrices, steps)
    approximate: list[str] = rates["approximate"]
    if rounds.sampled and varies:
        approximate += ["degree_round_mean", "vectors_per_round"]
    biased, rate, contraction = topology.biased, rates["lambda"], rates["contraction"]
    lambda_2 = rates.get("lambda_2")
    gaps = (None, None) if biased or rate is None else (1 - rate, 1 - rate**2)
    numbers: Any = {
        "n": topology.n,
        "period": topology.period,
        "directed": topology.directed,
        "sums": topology.sums,
        "biased": biased,
        **support_metrics(support, topology.n, directed=topology.directed),
        "mu_2": mu_2,
        "mu_n": mu_n,
        **traffic,
        "gap": gaps[0],
        "gap_squared": gaps[1],
        "gap_2": None if lambda_2 is None else 1 - lambda_2,
        **dict.fromkeys(("lambda_2", "lambda_min", "sigma_2", "rho", "periodic_rate", "finite_time")),
        **rates,
        "contraction": contraction.value,
        "contraction_stderr": contraction.stderr,
        "steps": steps,
        "mixing_time": mixing_time(rounds),
    }
    numbers["approximate"] = [name for name in approximate if numbers.get(name) is not None]
    return numbers
