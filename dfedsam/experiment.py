"""The options of a run that determine its result, checked and frozen."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, Literal, get_args

from dfedsam.adversary import Adversary, Attackers
from dfedsam.algorithms import Algorithm
from dfedsam.clock import AsynchronousTime, Availability, Clock, RunTime, SynchronousTime
from dfedsam.communication import connect
from dfedsam.communication.base import Communicator
from dfedsam.errors import OptionError, options_within
from dfedsam.objectives import Objective, Problem
from dfedsam.objectives.base import Solution
from dfedsam.options import describe, make_named, one_of, only_results, positive, whole_number
from dfedsam.privacy import Privacy
from dfedsam.registry import public_name
from dfedsam.topologies import Topology, verify
from dfedsam.topologies.placement import Placement, check_placement, place

DType = Literal["float32", "float64"]
Metric = Literal["gradient_norm", "distance", "regret", "recall", "trace"]
_NO_RESULT = (
    "rounds",
    "evaluate_every",
    "evaluate_local",
    "checkpoint_every",
    "cosine",
    "metrics",
    "references",
    "placement",
    "until",
)  # options that may change when a run is resumed


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The options of a run.

    Args:
        objective: the function to minimise.
        topology: the communication graph.
        algorithm: the algorithm.
        rounds: number of rounds, at least 0.
        seed: seed of all random numbers, at least 0 and below 2⁶⁴.
        dtype: type of x, "float32" or "float64".
        evaluate_every: rounds between evaluations, at least 1; the start and the last round are always evaluated.
        evaluate_local: also evaluate each peer's own model (loss_local, accuracy_local, accuracy_worst, and
            the same of validation examples).
        checkpoint_every: rounds between checkpoints, at least 1; the start and the last round always get one.
        cosine: record the mean cosine of the estimates with the exact gradients, if the objective gives gradients.
        metrics: further metrics of the mean model x̄, for an objective that gives them: "gradient_norm", ‖∇f(x̄)‖ of
            the mean objective, of which convergence theorems speak; "distance", ‖x̄ − x*‖, and "regret",
            f(x̄) − f(x*), if the optimum is known; "recall" of each class on the held-out examples; "trace" of the
            held-out loss's Hessian, by Hutchinson's estimate over 32 directions with differences of losses.
        references: also compute the objective's reference metrics, such as its first-order accuracy.
        placement: which MPI rank owns which peers; does not affect results. "contiguous": neighbouring peers share a
            rank; "reorder": fewer edges cross ranks, so less is sent; "metis": fewer still, requires the extra [metis].
        clock: simulated time: how long peers compute, how long messages travel, and whom a peer waits for; without it,
            an asynchronous algorithm takes a clock with its defaults.
        adversary: which peers attack, and what they send; the metrics are then those of honest peers.
        privacy: noise on what peers release, and a budget that may end the run; None: no privacy guarantee.
        until: simulated seconds after which the run ends, above 0, if `rounds` have not ended it.

    Raises:
        OptionError: if a value is out of range, or the algorithm does not work on the topology.
    """

    objective: Objective
    topology: Topology
    algorithm: Algorithm
    rounds: int = 100
    seed: int = 0
    dtype: DType = "float32"
    evaluate_every: int = 1
    evaluate_local: bool = True
    checkpoint_every: int = 10
    cosine: bool = False
    metrics: tuple[Metric, ...] = ()
    references: bool = False
    placement: Placement = "contiguous"
    clock: Clock | None = None
    until: float | None = None
    adversary: Adversary | None = None
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        make_named(self)
        whole_number("rounds", self.rounds, 0)
        if whole_number("seed", self.seed, 0) >= 1 << 64:
            raise OptionError("seed", self.seed, "must be below 2⁶⁴")
        one_of("dtype", self.dtype, get_args(DType))
        whole_number("evaluate_every", self.evaluate_every, 1)
        whole_number("checkpoint_every", self.checkpoint_every, 1)
        object.__setattr__(self, "metrics", tuple(self.metrics))
        for metric in self.metrics:
            one_of("metrics", metric, get_args(Metric))
            if metric in ("distance", "regret") and not self.objective.is_solvable:
                rule = "needs an objective whose optimum is known"
                raise OptionError("metrics", metric, rule, "choose quadratic, or logistic_regression with l2 above 0")
        check_placement(self.placement)
        verify(self.topology)
        topology = self._check_clock()
        self._check_adversary()
        object.__setattr__(self, "algorithm", self.algorithm.for_rounds(self.rounds))
        if self.privacy is not None:
            object.__setattr__(self, "privacy", self.privacy.for_run(topology, self.algorithm, self.rounds))

    def _check_clock(self) -> Topology:
        """The topology as the clock changes it."""
        topology, gossip = self.topology, self.algorithm.gossip_of_x()
        if self.algorithm.wakes is not None:
            object.__setattr__(self, "clock", self.clock or Clock())
            if self.privacy is not None:
                rule = "must be none for an asynchronous algorithm, whose messages it does not cover"
                raise OptionError("privacy", public_name(self.privacy), rule, "choose an algorithm with rounds")
        if self.clock is not None:
            self.clock.check(topology, asynchronous=self.algorithm.wakes is not None)
            churn = self.clock.availability if self.algorithm.wakes is None else None
            if churn is not None:
                self._check_churn(churn)
            if churn is not None or self.clock.m is not None:
                topology = copy(topology)
                topology.period = None  # which links are dropped changes from round to round
            if self.clock.m is not None and gossip is not None and not gossip.is_exact:
                rule = "must not drop messages of a gossip that does not send whole rows"
                raise OptionError("clock.wait", self.clock.wait, rule, "choose the gossip plain, or neighbourhood")
        self.algorithm.check(topology)
        if topology.hands_over:
            self._check_handover()
        if self.until is not None:
            positive("until", self.until)
            if self.clock is None:
                raise OptionError("until", self.until, "needs simulated time", "set clock, such as --clock simulated")
        return topology

    def _check_handover(self) -> None:
        """Raise OptionError unless x is all that a peer must get from the one before it."""
        algorithm, gossip = self.algorithm, self.algorithm.gossip_of_x()
        name, hint = self.topology.name, "choose another topology"
        if algorithm.estimates() is None or (gossip is not None and gossip.sends_coefficients):
            rule = f"must not hand x over, which is not all that {public_name(algorithm)} sends"
            raise OptionError("topology", name, rule, "choose dpsgd, dfedavg or dfedsam with the gossip plain")
        for option in ("adversary", "privacy"):
            if getattr(self, option) is not None:
                raise OptionError("topology", name, f"must not hand x over in a run with {option}", hint)
        if self.clock is not None and self.clock.availability is not None:
            raise OptionError("topology", name, "must not hand x over to peers that the clock calls absent", hint)

    def _check_churn(self, availability: Availability) -> None:
        """Raise OptionError unless peers may join a synchronous run, with a copy of a neighbour's x."""
        algorithm, gossip = self.algorithm, self.algorithm.gossip_of_x()
        name, me = public_name(availability), public_name(algorithm)
        if algorithm.needs_all_peers:
            rule = f"must be none for the algorithm {me}, whose server needs all peers in every round"
            raise OptionError("clock.availability", name, rule, f"choose {algorithm.instead}")
        if gossip is not None and (gossip.sends_coefficients or gossip.needs_increments):
            rule = f"must be none for the gossip {public_name(gossip)}, to which x is not all of a peer's state"
            raise OptionError("clock.availability", name, rule, "choose the gossip plain")
        if self.privacy is not None and self.privacy.releases == "messages":
            rule = "must be none where messages are noisy: a peer that joins would copy a row without noise"
            raise OptionError("clock.availability", name, rule, "choose a privacy of scalars")

    def _check_adversary(self) -> None:
        if self.adversary is None:
            return
        name, gossip = public_name(self.adversary), self.algorithm.gossip_of_x()
        if gossip is None or self.algorithm.uses_server or self.algorithm.wakes is not None:
            rule = "must gossip in rounds, since attackers forge what is sent in them"
            raise OptionError("algorithm", public_name(self.algorithm), rule, "choose dpsgd or dfedsam")
        if not gossip.admits_attackers:
            rule = f"must send plain rows or scalars for the adversary {name} to forge"
            hint = "choose plain, flood, or a robust gossip such as clipped or cs_plus"
            raise OptionError("algorithm.gossip", public_name(gossip), rule, hint)
        sent = "scalars" if gossip.sends_coefficients else "rows"
        if sent not in self.adversary.forges:
            rule = f"must be able to forge {sent}, which the gossip {public_name(gossip)} sends"
            raise OptionError("adversary", name, rule, "choose alie or sign_flip")
        if gossip.queries and self.adversary.line_search:
            rule = f"must be off for {public_name(gossip)}, which would query for each scale"
            raise OptionError("adversary.line_search", True, rule)
        _ = self.attackers

    @cached_property
    def attackers(self) -> Attackers | None:
        """The attackers; None if nobody attacks.

        Raises:
            OptionError: if there are too many, or they cut the graph of honest peers.
        """
        if self.adversary is None or self.adversary.peers == 0:
            return None
        with options_within("adversary"):
            return Attackers(self.adversary, self.adversary.attackers(self.topology, self.seed), self.topology)

    @property
    def is_undisturbed(self) -> bool:
        """Whether peers mix as W says and no more: nobody attacks, adds noise to rows, or is left out by the clock."""
        left_out = self.clock is not None and (self.clock.m is not None or self.clock.availability is not None)
        return self.attackers is None and self.privacy is None and not left_out

    @cached_property
    def solution(self) -> Solution:
        """The optimum of the mean objective, if it is solvable."""
        return self.objective.solve(self.topology.n, self.seed)

    def description(self) -> dict[str, Any]:
        """Every option as plain values, in the form of an experiment file; feeding it back repeats the run."""
        names = [field.name for field in fields(self) if field.name != "topology"]
        topology = {"topology": describe(self.topology.identity()), "peers": self.topology.n}
        values = topology | {name: describe(getattr(self, name)) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def digest(self) -> str:
        """Hash of all options on which the state after a round depends; stored in checkpoints."""
        every = only_results(self.description(), self)
        values = {name: value for name, value in every.items() if name not in _NO_RESULT}
        if self.privacy is not None:
            del values["privacy"]["init_args"]["epsilon"]  # it may be raised: the noise is what changes results
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def start_clock(self, problem: Problem, size: int) -> RunTime | None:
        """Simulated time before round 0, for rows of `size` bytes; None without a clock."""
        algorithm = self.algorithm
        if self.clock is None:
            return None
        if algorithm.wakes is None:
            return SynchronousTime(self.clock, self.topology.n, self.seed)
        queries = algorithm.queries_per_waking(problem)
        W, sends = self.topology.weights(0), algorithm.sends(self.topology)
        return AsynchronousTime(self.clock, algorithm.wakes, W, self.seed, size, queries, sends)

    def connect(self) -> Communicator:
        """The communicator over the ranks of this MPI job, or over this process alone."""
        return connect(self.topology.n, partial(place, self.topology, placement=self.placement))

    def is_evaluated(self, round: int) -> bool:
        """Whether to evaluate after so many rounds."""
        return round == self.rounds or round % self.evaluate_every == 0

    def is_saved(self, round: int) -> bool:
        """Whether to save a checkpoint after so many rounds."""
        return round == self.rounds or round % self.checkpoint_every == 0
