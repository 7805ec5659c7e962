"""The figures of a topology, all together."""

from typing import Any

import scipy.sparse as sp

from dfedsam.topologies.spectra.mixing import mixing_time
from dfedsam.topologies.spectra.rates import of_drawn, of_one, of_period
from dfedsam.topologies.spectra.rounds import looked_at
from dfedsam.topologies.spectra.symmetric import eigenvalues, is_symmetric, laplacian_ends, modes, slem
from dfedsam.topologies.spectra.traffic import round_figures, support_figures
from dfedsam.topologies.topology import Topology
from dfedsam.validation import whole_number

__all__ = ["eigenvalues", "slem", "spectrum"]

ONLY_SOME = ("lambda_2", "lambda_min", "gap_2", "sigma_2", "rho", "periodic_rate", "finite_time")  # topologies have


def spectrum(topology: Topology, steps: int = 1) -> dict[str, Any]:
    """The figures of a topology, ready for `json.dump`. What has no meaning for it, or would take too long, is None.

    Letters: D_t = W_t - J, J = 11ᵀ/n; where rows and columns do not both sum to one, J is not what gossip tends to,
    and D_t = (I - J) W_t (I - J). Up to DENSE (500) peers all is computed from dense matrices. Above, no n × n matrix
    is made: eigenvalues come with a residual of 1e-6 relative to 1 - λ (see `topologies.spectra.extremes`), mostly with
    an error of less than 1e-9.

    Args:
        topology: Any: of one W, of a period of them, or drawn afresh in every round. Of the last kind, and of periods
            over 1,000 rounds, the first 40 to 500 rounds are looked at.
        steps: Gossip steps Q a round, at least 1. Only where it says Q below does it matter.

    Returns:
        What it is: n; period (None where drawn); directed; sums ("both", "rows" or "columns"); biased: rows alone sum
        to one, so that the fixed point is no plain average.

        The graph of all who may talk over time: edges (in a directed one, arcs); degree_min, degree_mean, degree_max
        (in a directed one, to how many a peer sends); diameter in edges, up to DENSE peers; mu_2 and mu_n, second
        smallest and largest eigenvalue of its unweighted Laplacian, directions dropped.

        A round: degree_round_mean, degree_round_max, to how many others a peer sends; vectors_per_round, which all
        peers send together in Q steps, one a message; both over a period, or the rounds looked at.

        How fast it mixes: lambda, the rate a round, and gap = 1 - lambda. For one W, lambda = ‖D‖₂; over a period τ it
        is periodic_rate = ‖D_τ … D_1‖₂^(1/τ), from round 0; where drawn √contraction; where rows and columns do not
        both sum to one, rho. gap_squared = 1 - lambda². Biased topologies have no gap. lambda_2 and lambda_min, second
        largest and smallest eigenvalue of one symmetric W; gap_2 = 1 - lambda_2. sigma_2 = ‖D‖₂ of one W. rho, the
        rate in the long run: ρ(D), the second largest eigenvalue modulus of W; over a period ρ(D_τ … D_1)^(1/τ); where
        drawn and lambda needs it, that of all rounds looked at. contraction = λ_max(E[DᵀD]), the part of the squared
        distance from the mean that an average round leaves at most, with contraction_stderr, 0 where exact (see
        `topologies.spectra.contraction`). steps, and lambda_q, which is lambda for Q steps a round.

        How long it takes: finite_time, rounds after which every peer holds the mean exactly; mixing_time, to a
        distance of 1/4 in total variation; rounds_to_1e-6, until ‖x_t - x̄‖ ≤ 1e-6 ‖x_0 - x̄‖ from the worst start, with
        Q steps a round: exact up to DENSE peers, and for one W with W Wᵀ = WᵀW; above else what lambda_q says; where
        drawn until this holds in the mean square, from contraction.

        effective_neighbours: n_W(γ) at γ = 0.9 (see `topologies.spectra.neighbours`); None where only columns sum to 1.

        approximate: the names of the figures above that are estimates or bounds.

    Raises:
        ValueError: if steps is below 1.
    """
    steps = whole_number("steps", steps, 1, "the usual is 1")
    rounds, support = looked_at(topology), topology.support()
    links = sp.csr_array(support + support.T) if support is not None and topology.directed else support
    if len(rounds.matrices) == 1 and rounds.keeps_mean and links is not None and is_symmetric(rounds.matrices[0]):
        found = modes(rounds.matrices[0], links)
        mu_2, mu_n = found.mu_2, found.mu_n
        rates = of_one(rounds, found, steps)
    else:
        mu_2, mu_n = laplacian_ends(links, topology.n)
        rates = (of_drawn if rounds.sampled else of_period)(topology, rounds, steps)
    sent, varies = round_figures(rounds.matrices, steps)
    estimated = rates.pop("approximate")
    if rounds.sampled and varies:
        estimated += ["degree_round_mean", "vectors_per_round"]
    biased, rate = topology.sums == "rows", rates["lambda"]
    gaps = (None, None) if biased or rate is None else (1 - rate, 1 - rate**2)
    figures = {
        "n": topology.n,
        "period": topology.period,
        "directed": topology.directed,
        "sums": topology.sums,
        "biased": biased,
        **support_figures(support, topology.n, directed=topology.directed),
        "mu_2": mu_2,
        "mu_n": mu_n,
        **sent,
        "gap": gaps[0],
        "gap_squared": gaps[1],
        **dict.fromkeys(ONLY_SOME),
        **rates,
        "steps": steps,
        "mixing_time": mixing_time(rounds),
    }
    return {**figures, "approximate": [name for name in estimated if figures[name] is not None]}
