"""`dfedsam plan` and `dfedsam sweep --plan`: what runs will cost, before they are started."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.callbacks.progress import duration, size
from dfedsam.launch import arguments, help, options, ranks, tables
from dfedsam.launch.options import build, check_ranks
from dfedsam.launch.run import parse
from dfedsam.launch.signatures import options_of
from dfedsam.launch.sweeps.pending import pending
from dfedsam.machine import cores, in_mpi_job
from dfedsam.options import Options, at_least, option, positive

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment
    from dfedsam.forecast import Counts, Speed
    from dfedsam.launch.sweeps.plan import Cell, Run

_FIGURE = 4.0  # seconds of a convergence figure
_STUDY = 10.0  # seconds for timing the cells of a study, all together


@dataclass(frozen=True, kw_only=True)
class Prices(Options):
    """The options of `dfedsam plan`: what a service costs, and how fast it answers.

    Args:
        price_input: price of a million prompt tokens, in any currency, at least 0.
        price_output: price of a million completion tokens, at least 0.
        requests_per_minute: requests that the service takes, above 0.
        json: print all numbers as JSON.
        latency: α of the α–β model of messages between ranks on several machines, in seconds, at least 0.
        bandwidth: β of that model, in bits per second, above 0.
    """

    price_input: float | None = option(None, at_least, 0, "without a currency, such as 0.15")
    price_output: float | None = option(None, at_least, 0, "without a currency, such as 0.15")
    requests_per_minute: float | None = option(None, positive)
    json: bool = False
    latency: float = option(5e-5, at_least, 0)
    bandwidth: float = option(1e10, positive)


@dataclass(frozen=True)
class Plan:
    """The forecast of one run, or of a study's runs together.

    Args:
        runs: how many.
        peers: of a run.
        ranks: of a run.
        counts: what they ask and send, all together.
        memory: peak memory of a rank, in bytes; None: unknown.
        parts: seconds of each part, all together; empty: unknown.
        prices: prices, and the rate of requests.
    """

    runs: int
    peers: int
    ranks: int
    counts: Counts
    memory: int | None
    parts: dict[str, float]
    prices: Prices

    @property
    def money(self) -> float | None:
        """The price of the model's tokens; None without a price."""
        return self._price(self.counts.prompt_tokens, self.counts.completion_tokens)

    @property
    def editor_money(self) -> float | None:
        """The price of the editor's tokens at the same prices; None without a price."""
        return self._price(self.counts.editor_prompt_tokens, self.counts.editor_completion_tokens)

    def _price(self, *tokens: int) -> float | None:
        prices = (self.prices.price_input, self.prices.price_output)
        if prices == (None, None):
            return None
        return sum((price or 0) * count for price, count in zip(prices, tokens, strict=True)) / 1e6

    @property
    def seconds(self) -> float | None:
        """The time of all runs, one after another; None if it depends on a service of unknown speed."""
        waits, rate = self.counts.requests + self.counts.editor_requests, self.prices.requests_per_minute
        if waits and rate is None:
            return None
        return sum(self.parts.values()) + (60 * waits / rate if rate and waits else 0.0)

    def as_json(self) -> str:
        """All numbers."""
        counts, seconds = asdict(self.counts), self.seconds
        values: dict[str, Any] = {"runs": self.runs, "ranks": self.ranks, **counts}
        values |= {f"{name}_per_peer": counts[name] / self.runs / self.peers for name in ("queries", "bytes")}
        values |= {
            "money": self.money,
            "editor_money": self.editor_money,
            "memory_per_rank": self.memory,
            "seconds": seconds,
            "parts": self.parts,
        }
        return dumps(values, indent=2)

    def table(self) -> str:
        """What is asked, read, paid, sent and waited for, a line each."""
        counts = self.counts
        each, of = 1 / self.runs / self.peers, "a peer" if self.runs == 1 else "a peer and run"
        rows = [("queries", f"{counts.queries * each:,.0f} {of}, {counts.queries:,} in all")]
        if counts.gradients:
            rows.append(("exact gradients", f"{counts.gradients * each:,.0f} {of}, {counts.gradients:,} in all"))
        if counts.prompt_tokens:
            service = f"{counts.requests:,}" if counts.requests else "none: the model runs here"
            rows.append(("requests", service))
            rows.append(("prompt tokens", f"{counts.prompt_tokens:,}, with those of evaluations"))
        if counts.completion_tokens:
            rows.append(("completion tokens", f"{counts.completion_tokens:,}"))
        if self.money:
            rows.append(("price", f"{self.money:,.2f}"))
        if counts.editor_requests:
            tokens = f"about {counts.editor_prompt_tokens:,} tokens, at most {counts.editor_completion_tokens:,} back"
            price = f", {self.editor_money:,.2f}" if self.editor_money else ""
            rows.append(("editor", f"{counts.editor_requests:,} requests, {tokens}{price}"))
        rows.append(("sent", f"{size(counts.bytes * each)} {of}, {size(counts.bytes)} in all"))
        if self.memory is not None:
            rows.append(("memory", f"{size(self.memory)} a rank"))
        parts = ", ".join(f"{name} {duration(value)}" for name, value in self.parts.items() if value >= 0.5)
        time = "unknown: name the service's requests_per_minute" if self.seconds is None else duration(self.seconds)
        rows.append(("time", f"{time} ({parts})" if parts and self.seconds is not None else time))
        return "\n".join(f"{name:<18}{value}" for name, value in rows)


def plan(argv: list[str]) -> int:
    """Forecast the queries, cost, messages, memory and time of a run, before it is started.

    Takes the options of `dfedsam run`. Queries and bytes are exact; requests and tokens are upper bounds, because a
    repeated request costs nothing. No service is asked, and nothing is written. Time and memory come from a few seconds
    of the run's first rounds on this machine, on the run's number of MPI ranks if there are cores for them; otherwise
    the α–β model adds the time of messages, those of evaluations and checkpoints included. For a sweep's file, the
    forecast is the sum over the study's runs.

    Examples:
        dfedsam plan --config demo.yaml --ranks 2
        dfedsam plan topology_ablation.yaml
        dfedsam plan --config FILE.yaml --price-input 0.15 --price-output 0.60 --requests-per-minute 500
    """
    words, pairs = arguments.split(argv, ["json", "help", *options.FLAGS])
    tree = {name: arguments.value_of(value) for name, value in pairs if name in options_of(Prices)}
    usage = ["[STUDY.yaml]", "[--config FILE.yaml]"]
    text = help.answer(pairs, lambda: help.command_help(plan, usage, Prices))
    if text is not None:
        print(text)
        return 0
    prices = Prices(**arguments.bind(options_of(Prices), tree))
    if len(words) == 1:
        study = pending(Path(words[0]))
        plan_study(study.cells, [run for _, run in study.todo], 1, prices)
        return 0
    rest = [(name, value) for name, value in pairs if name not in tree]
    settings = parse(words, rest)
    if settings is None:
        return 0
    experiment, count = build(settings), settings.execution["ranks"] or 1
    check_ranks(count, experiment.topology.n)
    before = ranks.seconds_so_far()
    here = 1 if experiment.objective.is_remote or count > len(cores()) else count
    if here > 1 and not in_mpi_job():
        return ranks.start(here, ["plan", *argv], again=lambda _: ["plan", *argv])
    forecasts = forecast(experiment, count, prices, figure=settings.execution["figure"])
    if forecasts is not None:
        _print(forecasts, prices, before)
    return 0


def _print(forecasts: Plan, prices: Prices, before: float) -> None:
    """Print a plan, with the seconds that the command took before."""
    if forecasts.parts:
        forecasts.parts["start"] += before
    print(forecasts.as_json() if prices.json else forecasts.table())


def forecast(
    experiment: Experiment, count: int, prices: Prices, *, figure: bool | None = False, seconds: float | None = None
) -> Plan | None:
    """The plan of one run, on the root; None on other ranks. A collective call.

    Args:
        experiment: the run.
        count: the ranks it will have.
        prices: prices, and the rate of requests.
        figure: whether it draws its figure; None: if it takes more than ten seconds.
        seconds: of rounds that are executed to time them; None: a few. 0: they are not timed.
    """
    from dfedsam.forecast import SECONDS, calibrate, rehearse

    communicator = experiment.connect()
    speed, problem = None, None
    if not experiment.objective.is_remote and seconds != 0:
        speed, problem = calibrate(experiment, communicator, seconds or SECONDS)
    counts = rehearse(experiment, communicator, problem)
    if not communicator.is_root:
        return None
    if speed is None:
        return Plan(1, experiment.topology.n, count, counts, None, {}, prices)
    parts, memory = speed.parts(experiment), speed.memory
    if communicator.size < count:
        parts, memory = _on_ranks(experiment, parts, speed, counts, count, prices)
    if figure or (figure is None and sum(parts.values()) > 10):
        parts["figure"] = _FIGURE
    return Plan(1, experiment.topology.n, count, counts, memory, parts, prices)


def _on_ranks(
    experiment: Experiment, parts: dict[str, float], speed: Speed, counts: Counts, count: int, prices: Prices
) -> tuple[dict[str, float], int]:
    """The parts and the memory of more ranks than this machine has cores, each with a core of its own.

    Computation is divided among them. The messages of a gossip step travel at once: it takes α + m/β at the rank that
    sends or receives most. Collective calls take ⌈log₂ ranks⌉ steps of α or more: ranks agree after a round whether to
    go on, and evaluations and checkpoints have several.
    """
    import numpy as np

    from dfedsam.communication import collectives, partition
    from dfedsam.forecast import due

    W = experiment.topology.weights(0).tocoo()
    owner = partition.Partition(experiment.topology.n, count).owner
    crossing = owner[W.row] != owner[W.col]
    receivers, peers = np.unique(np.stack([owner[W.row], W.col])[:, crossing], axis=1)  # a row goes to a rank once
    busiest = max(np.bincount(ranks, minlength=count).max() for ranks in (receivers, owner[peers]))
    edges = max(1, int((W.row != W.col).sum()))
    steps, width = counts.messages / edges, counts.bytes / max(1, counts.messages)
    seconds = steps * (prices.latency * (busiest > 0) + busiest * 8 * width / prices.bandwidth)
    network = count, prices.latency, prices.bandwidth / 8
    calls = [(experiment.rounds, [("agree", 0)])]
    calls += [(1 + times, speed.calls[kind]) for kind, times in due(experiment).items()]
    seconds += sum(times * collectives.seconds(recording, *network) for times, recording in calls)
    divided = {name: parts[name] * len(cores()) / count for name in ("rounds", "evaluations")}
    rows = speed.rows * (1 - 1 / count)
    return parts | divided | {"messages": float(seconds)}, int(max(speed.memory - rows, speed.memory / count))


def plan_study(cells: Sequence[Cell], todo: Iterable[Run], jobs: int, prices: Prices) -> None:
    """Print what a study's runs will cost: each is counted, and one of each cell is timed, in this process.

    The very first imports libraries for all others, as in a sweep, so that it tells no other run's time.
    """
    chosen, before = set(map(id, todo)), ranks.seconds_so_far()
    plans: list[Plan] = []
    queries: dict[str, float] = {}  # of a peer in a run, by cell
    for cell in cells:
        speed: dict[str, float] = {}
        for run in cell.jobs:
            if id(run) not in chosen:
                continue
            seconds = 0.0 if speed else max(0.05, _STUDY / len(cells))
            plan = forecast(run.build(), 1, prices, seconds=seconds)
            if plan is not None:
                parts = speed or plan.parts
                speed = parts if plans else {}
                plans.append(replace(plan, parts=parts))
                queries[run.name.rpartition(",seed=")[0] or run.name] = plan.counts.queries / plan.peers
        if sys.stderr.isatty():
            print(f"\rplanned {len(plans)} runs", end="", file=sys.stderr, flush=True)
    if not plans:
        print("all runs are done, and cost nothing more")
        return
    whole = _sum(plans)
    if not prices.json:
        print(f"{len(plans)} runs")
    _print(whole, prices, before)
    if len(set(queries.values())) > 1 and not prices.json:
        print("\n" + _unequal(queries))
    if whole.seconds is not None and jobs > 1 and not prices.json:
        print(f"with {jobs} jobs at a time, on as many cores: about {duration(whole.seconds / jobs)}")


def _unequal(queries: dict[str, float]) -> str:
    """The queries of a peer in a run where cells differ: each number with its first cells."""
    cells = {count: [cell for cell, own in queries.items() if own == count] for count in sorted(set(queries.values()))}
    rows = [(f"{n:,.0f}", those[0] + f" and {len(those) - 1} more" * (len(those) > 1)) for n, those in cells.items()]
    return tables.text(("queries a peer", "cells"), rows)


def _sum(plans: Sequence[Plan]) -> Plan:
    first = plans[0]
    names = asdict(first.counts)
    counts = replace(first.counts, **{name: sum(getattr(plan.counts, name) for plan in plans) for name in names})
    parts = {name: sum(plan.parts.get(name, 0.0) for plan in plans) for plan in plans for name in plan.parts}
    memory = max((plan.memory for plan in plans if plan.memory is not None), default=None)
    peers = sum(plan.peers for plan in plans) / len(plans)
    return replace(first, runs=len(plans), counts=counts, parts=parts, memory=memory, peers=peers)
