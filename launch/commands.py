"""The commands: their typed options are the signatures here, their help the docstrings.

No heavy module is imported before a command runs, so that `dfedsam --help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dfedsam.launch.trees import Pair


def run(argv: list[str]) -> int:
    """Run an experiment: peers on a graph minimise an objective with queries and gossip.

    The peers query losses only, take local steps, and average with their neighbours. Settings, metrics, a checkpoint
    and the mean prompt are written to the run's folder.

    Options of a plug-in follow a dot, as in --algorithm.rho. --algorithm.help lists all algorithms, --algorithm.help
    dfedsam the options of one. In a file, write a plug-in as its name or as {class_path: NAME, init_args: {…}}. If you
    replace a plug-in from a file, options shared by both keep the file's values. A yes-or-no option without a value
    means yes.

    Examples:
        dfedsam run --topology ring --peers 16 --algorithm dfedsam --algorithm.rho 0.05 --rounds 100 --out runs/a
        dfedsam run --algorithm dfedsam_mg --algorithm.gossip.steps 4 --algorithm.estimator two_point
        dfedsam run --objective prompt_tuning --objective.data train.csv --objective.words "terrible, great"
        dfedsam run --config demo.yaml --topology grid --ranks 4
    """
    from dfedsam.launch import parser
    from dfedsam.launch import run as runs

    return runs.main(argv, *parser.prose(run))


def resume(
    folder: Path,
    *,
    rounds: int | None = None,
    ranks: int | None = None,
    placement: Literal["contiguous", "reorder", "metis"] | None = None,
    log: str | None = None,
    figure: bool | None = None,
    restarts: int = 0,
    allow_code: bool = False,
) -> int:
    """Continue a stopped or killed run from its last checkpoint, or extend it by more rounds.

    The result is bit for bit that of an uninterrupted run. The settings are those of the folder's config.yaml.

    Args:
        folder: a run's folder.
        rounds: total number of rounds, to extend the run (default: as it was started).
        ranks: MPI ranks on this machine; the number may differ from before (default: this process alone).
        placement: which rank owns which peers (default: as it was started).
        log: also send metrics to tensorboard, wandb or mlflow.
        figure: draw the convergence figure into the folder (default: if the run takes more than ten seconds).
        restarts: how often to continue from the last checkpoint, on one rank fewer, after a rank was lost.
        allow_code: allow import paths of your own plug-ins in the folder's settings; this runs their code.

    Examples:
        dfedsam resume runs/a
        dfedsam resume runs/a --rounds 200 --ranks 4
    """
    from dfedsam.launch import run as runs

    return runs.resume(
        folder, rounds=rounds, ranks=ranks, placement=placement, log=log, figure=figure, restarts=restarts,
        allow_code=allow_code,
    )  # fmt: skip


def sweep(
    file: Path,
    *,
    jobs: int | None = None,
    ranks: int | None = None,
    out: Path | None = None,
    log: str | None = None,
    dry_run: bool = False,
    plan: bool = False,
    only: int | None = None,
    restarts: int = 1,
    slurm: bool = False,
    partition: str | None = None,
    time: str | None = None,
    account: str | None = None,
    launcher: str | None = None,
    allow_code: bool = False,
) -> int:
    """Execute many runs from one file, on this machine or as a SLURM array.

    All runs are checked before the first one starts. Rerun the same command to resume: only missing runs are executed,
    a stopped run continues from its checkpoint, and a failed one is tried again. At Ctrl-C the runs finish their round
    and save; a second Ctrl-C ends them at once.

    The file:
        base: {topology: ring, peers: 16, rounds: 200}   # an experiment, or the path of an experiment file
        grid:                                            # every combination of these values
          topology: [ring, torus, {class_path: random_regular, init_args: {degree: 4}}]
          algorithm.gossip.steps: [1, 4]
        zip:                                             # options of one group vary together
          - {peers: [16, 64], algorithm.lr: [0.1, 0.05]}
        seeds: 3                                         # seeds 0, 1, 2; or a list
        search: {option: algorithm.rho, values: [0.01, 0.1], metric: loss, choose: min}   # the best per cell
        slurm: {modules: [gcc], setup: [source .venv/bin/activate], options: [--mem=8G]}  # for the batch script; also
                                                         # partition, time, account, launcher, parallel, cpus_per_rank

    Args:
        file: a sweep's file, the name of a shipped one (topology_ablation.yaml, gossip_steps.yaml, …), or the folder
            of an existing study.
        jobs: runs at the same time (default: 1; with --slurm as many as SLURM allows).
        ranks: MPI ranks for each run (default: `ranks` of the base, else one process).
        out: the study's folder (default: studies/NAME for NAME.yaml).
        log: also send each run's metrics to tensorboard, wandb or mlflow.
        dry_run: list the runs to execute, or print the batch script; write nothing.
        plan: print what the runs will cost in queries, bytes and time, and write nothing; `dfedsam plan FILE` also
            takes prices.
        only: execute only run number K, counted from 0, in this process or on the ranks of this MPI job.
        restarts: how often a run on MPI ranks continues from its last checkpoint, on one rank fewer, after a rank was
            lost.
        slurm: write and submit an array job with one task for each run that is not done.
        partition: SLURM partition of the jobs.
        time: SLURM time limit of one task, as H:MM:SS.
        account: SLURM account of the jobs.
        launcher: how the batch script starts ranks: mpich, openmpi, or a command.
        allow_code: allow import paths of your own plug-ins in the file; this runs their code.

    Examples:
        dfedsam sweep topology_ablation.yaml --jobs 2
        dfedsam status studies/topology_ablation
        dfedsam sweep FILE.yaml --slurm --partition cpu --ranks 16 --time 2:00:00
    """
    from dfedsam.errors import OptionError
    from dfedsam.launch.sweep import Options
    from dfedsam.launch.sweep import sweep as execute

    job = {"partition": partition, "time": time, "account": account, "launcher": launcher}
    job = {name: value for name, value in job.items() if value is not None}
    for name, value in job.items():
        if not slurm:
            raise OptionError(name, value, "is a setting of a batch script", "add --slurm")
    from dfedsam.launch.plan import Prices

    options = Options(
        plan=Prices() if plan else None,
        jobs=jobs, ranks=ranks, log=log, dry_run=dry_run, only=only, slurm=job if slurm else None,
        restarts=restarts, allow_code=allow_code,
    )  # fmt: skip
    return execute(file, out, options)


def plan(argv: list[str]) -> int:
    """Forecast what a run will ask, pay, send and take, before it is started.

    Takes the options of `dfedsam run`. Queries, tokens and bytes are counted exactly, without asking a service; time
    and memory come from a few seconds of the run's first rounds on this machine, with as many MPI ranks where it has
    the cores, else from the α–β model. Nothing is written. Of a sweep's file, it sums over the runs of the study.

    Examples:
        dfedsam plan --config demo.yaml --ranks 2
        dfedsam plan topology_ablation.yaml
        dfedsam plan --config FILE.yaml --price-input 0.15 --price-output 0.60 --requests-per-minute 500
    """
    from dfedsam.launch import parser
    from dfedsam.launch import plan as plans

    return plans.main(argv, *parser.prose(plan))


def status(folder: Path, *, all: bool = False) -> int:
    """Show the progress of a study: which runs are done, running, failed, stopped, or to do.

    For a running run it shows the round and when it last wrote, for a failed one the reason. Runs on other machines
    are read through the shared file system.

    Args:
        folder: a study's folder.
        all: show every run, including those that are done or to do.

    Examples:
        dfedsam status studies/topology_ablation
    """
    from dfedsam.launch import status as statuses

    return statuses.status(folder, all=all)


def watch(folder: Path, *, every: float = 1.0) -> int:
    """Follow a run in the terminal, here or on another machine that shares the file system.

    Shows its round, its latest metrics and the remaining time, until the run is complete or its study records that it
    failed. Ctrl-C stops watching; the run continues.

    Args:
        folder: a run's folder; it need not exist yet.
        every: seconds between updates, above 0 and at most 3600.

    Examples:
        dfedsam watch runs/a
        dfedsam watch studies/topology_ablation/runs/topology=ring,peers=16,seed=0 --every 10
    """
    from dfedsam.launch import status as statuses

    return statuses.watch(folder, every=every)


def topology(
    names: list[str] = [],  # noqa: B006  (read only)
    *,
    list: bool = False,
    peers: int | None = None,
    weights: str | None = None,
    objective: str | None = None,
    seed: int = 0,
    steps: int = 1,
    underlay: str | None = None,
    message: str = "1MB",
    json: bool = False,
    csv: bool = False,
    draw: Path | None = None,
    dotted: tuple[Pair, ...] = (),
) -> int:
    """List graphs and schedules, compare their spectral gaps, or draw one.

    Shows the metrics of a topology, or a table of several: degree, messages a round, λ and the spectral gap, effective
    neighbours n_W, and the rounds until the peers agree to 1e-6. A topology that has no graph of this size is marked in
    its row.

    Options of a topology follow a dot, such as --topology.rows 4, and so do those of a weight rule: --weights.share
    0.3. --topology.help NAME lists the options of one topology. With several topologies, an option applies to those
    that have it.

    Args:
        names: graphs or schedules (--list shows all), a graph's file, networkx.NAME, an import path, or
            {class_path: NAME, init_args: {OPTION: VALUE}}.
        list: list all topologies and weight rules, with their options.
        peers: number of peers (default: 16; graphs of fixed size and files have their own).
        weights: weight rule of the graphs, or several rules: metropolis,lazy.
        objective: objective whose data the topology uses, for topologies computed from data (stl_fw).
        seed: seed of random graphs and schedules.
        steps: gossip steps Q per round, at least 1.
        underlay: also show the seconds of a round on a physical network: gaia, aws_north_america, geant, exodus, ebone,
            or a GML file, with a peer at each site unless --peers says otherwise.
        message: size of a message on the underlay: 512kB, 45MB.
        json: print all metrics as JSON instead of a table.
        csv: print all metrics as CSV.
        draw: draw one topology and its spectrum into this file: .png, .pdf or .svg.
        dotted: options that follow a dot.

    Examples:
        dfedsam topology ring --peers 16
        dfedsam topology ring grid torus exponential one_peer_exponential base --peers 64
        dfedsam topology davis --weights metropolis,best_constant,fastest
        dfedsam topology grid --peers 16 --topology.rows 2 --steps 4 --draw grid.png
        dfedsam topology link_failures --topology.topology torus --topology.p 0.1
        dfedsam topology ring mst star complete --underlay geant --message 45MB
        dfedsam topology friends.graphml --json
    """
    import json as text

    from dfedsam.errors import OptionError
    from dfedsam.launch import help
    from dfedsam.launch import topology as topologies
    from dfedsam.validation import whole_number

    if list:
        tables = (help.topologies_list(), "", help.weights_list())
        print(text.dumps(help.table()) if json else "\n".join(tables))
        return 0
    if not names:
        raise ValueError("topology is missing: name one, such as `dfedsam topology ring --peers 16`; --list shows all")
    whole_number("steps", steps, 1, "it is the number of gossip steps Q a round")
    if draw is not None and len(names) > 1:
        raise OptionError(
            "names", " ".join(names), "must be a single one, because draw takes one topology", "or leave draw out"
        )
    shared = {"peers": peers, "weights": weights, "objective": objective, "seed": seed}
    pairs = [(option, str(value)) for option, value in shared.items() if value is not None]
    rows = topologies.rows(names, [*pairs, *dotted], steps, underlay, message)
    if json:
        print(topologies.as_json(rows))
    elif csv:
        print(topologies.as_csv(rows), end="")
    else:
        topologies.show(rows)
    if draw is not None:
        print(topologies.draw(rows[0], draw))
    return 0


def plot(
    folders: list[Path],
    *,
    out: Path | None = None,
    x: str = "rounds,queries,bytes",
    y: str = "",
    color: str | None = None,
    columns: str | None = None,
    size: str | None = None,
    style: str = "paper",
    log: bool | None = None,
) -> int:
    """Draw metrics of runs against rounds, queries, bytes or time.

    Runs that differ only in their seed become one curve: the mean with its 95 % interval, or, below five seeds, with
    each seed as a thin line.

    Args:
        folders: runs' folders, finished or not, or studies.
        out: the figure: .pdf, .png or .svg (default: convergence.pdf, in the folder if there is one).
        x: horizontal axes, separated by commas: rounds, queries, bytes (both per peer) or time (of messages).
        y: metrics, one row of panels each, such as accuracy,loss (default: loss, accuracy and consensus distance).
        color: a setting, such as topology or gossip.steps; curves with the same value share a colour.
        columns: a setting; each value gets a column of panels. Needs a single x.
        size: "column" or "page" of a paper, or WIDTHxHEIGHT in inches, such as 3.4x2.5.
        style: paper, or slides (larger letters, thicker lines).
        log: whether vertical axes are logarithmic (default: decided by the data).

    Examples:
        dfedsam plot runs/a
        dfedsam plot runs/ring-0 runs/ring-1 runs/torus-0 --out figure.pdf
        dfedsam plot studies/ablation --x rounds --y error --color topology --columns gossip.steps --log true
    """
    from dfedsam.analysis import plot_runs

    options = {"color": color, "columns": columns, "size": size, "style": style, "log": log}
    print(plot_runs(folders, out, x=x.split(","), y=[name for name in y.split(",") if name], **options))
    return 0


def report(
    folders: list[Path],
    *,
    out: str | None = None,
    metric: str | None = None,
    target: float | None = None,
    style: str | None = None,
    animate: bool = False,
) -> int:
    """Write a report on a study or several runs: one page, with figures and tables for a paper.

    The page (report.html) needs no network and no other file: tables, figures of convergence against the spectral gap
    with theory's predictions, each run's settings, and a picker to compare runs. The same folder gets figures/ (PDF and
    PNG) and tables/ (CSV and LaTeX). An older report in that folder is replaced.

    Args:
        folders: studies, folders that contain runs, or folders of single runs.
        out: the report's folder (default: FOLDER/report if one FOLDER is given, else report).
        metric: the metric that compares runs (default: accuracy, else error_local, the squared distance from the
            optimum, else the loss).
        target: value of the metric; the report counts rounds, queries and bytes until it is reached (default: a value
            that most runs reach, for each heterogeneity).
        style: paper, or slides (larger letters, thicker lines) (default: paper).
        animate: also animate consensus on the drawn graphs.

    Examples:
        dfedsam report studies/ablation
        dfedsam report runs/a runs/b --out comparison --metric loss --target 0.5
        dfedsam report studies/ablation --style slides --animate
    """
    import math

    from dfedsam.analysis import write_report
    from dfedsam.errors import OptionError

    if target is not None and not math.isfinite(target):
        raise OptionError("target", target, "must be a finite number, such as 0.7")
    options = {"out": out, "metric": metric, "target": target, "style": style, "animate": animate or None}
    print(write_report(folders, **{name: value for name, value in options.items() if value is not None}))
    return 0


def export(folder: Path, *, out: Path | None = None, crate: bool = False) -> int:
    """Export a run's prompt as an adapter that peft loads onto the model, or describe its folder for archives.

    PeftModel.from_pretrained(model, OUT) then loads it. OUT/dfedsam.json describes the input format. A discrete prompt
    is also written as prompt.txt. Only prompts before the text can be exported. Requires pip install "dfedsam[peft]".

    Args:
        folder: a run's folder.
        out: the adapter's folder, which must not exist yet.
        crate: write RO-Crate metadata, ro-crate-metadata.json, into the run's folder.

    Examples:
        dfedsam export runs/a --out adapters/a
        dfedsam export runs/a --crate
    """
    from dfedsam.errors import OptionError

    if out is None and not crate:
        raise OptionError("out", out, "must be the adapter's folder", "give --out FOLDER, or --crate")
    if out is not None and out.exists():
        raise OptionError("out", out, "must not exist yet, because it is never overwritten", "choose another folder")
    written: list[Path] = []
    if crate:
        from dfedsam.crate import write_crate

        written.append(write_crate(folder))
    if out is not None:
        from dfedsam.blackbox.adapter import export as write

        written += write(folder, out)
    print("\n".join(map(str, written)))
    return 0


def doctor() -> int:
    """Check whether this machine can run experiments, and explain how to install what is missing.

    Checks packages, the MPI library and its launcher (by starting two ranks that exchange data), cores and threads,
    GPUs, and the demo's model and data. The exit status is 1 if something required is missing.

    Examples:
        dfedsam doctor
    """
    from dfedsam.launch import doctor as checks

    return checks.report(checks.findings())


COMMANDS: dict[str, Callable[..., int]] = {
    command.__name__: command
    for command in (run, resume, sweep, plan, status, watch, topology, plot, report, export, doctor)
}
