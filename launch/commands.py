"""The commands: what each takes, typed, and what it says of itself. Options and help come from here alone.

Nothing heavy is imported before a command runs, so that `dfedsam --help` is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dfedsam.launch.trees import Pair


def run(argv: list[str]) -> int:
    """Run an experiment: peers on a graph minimise an objective by queries and gossip.

    The peers ask for losses alone, take local steps, and average with their neighbours. The run's folder gets its
    settings, metrics, checkpoint and the mean prompt.

    A plug-in's own options follow a dot: --algorithm.help lists algorithms, --algorithm.help dfedsam the options of
    one. In a file a plug-in is a name, or {class_path: NAME, init_args: {…}}. If you replace a plug-in from a file,
    options shared by both keep the file's values. A yes-or-no option alone means yes.

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
    """Continue a run that was stopped or killed from its last checkpoint, or make it longer.

    It ends bit for bit where the unbroken run would have. The settings are those of the folder's config.yaml.

    Args:
        folder: a run's folder.
        rounds: rounds in all, to make the run longer (default: as it was started).
        ranks: MPI ranks of this machine; any number, whatever it was before (default: this process alone).
        placement: which rank holds which peers (default: as it was started).
        log: send metrics to tensorboard, wandb or mlflow too.
        figure: draw the convergence figure into the folder (default: after more than ten seconds).
        restarts: how often to go on from the last checkpoint after a rank was lost, on one rank fewer.
        allow_code: let the folder's settings name plug-ins of your own by import paths, which runs their code.

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
    a run that was stopped continues from its checkpoint, and one that failed is tried again. Ctrl-C lets the runs
    finish their round and save; a second one ends them at once.

    The file:
        base: {topology: ring, peers: 16, rounds: 200}   # an experiment, or the path of its file
        grid:                                            # every combination of these values
          topology: [ring, torus, {class_path: random_regular, init_args: {degree: 4}}]
          algorithm.gossip.steps: [1, 4]
        zip:                                             # options that vary together, each group as one
          - {peers: [16, 64], algorithm.lr: [0.1, 0.05]}
        seeds: 3                                         # 0, 1, 2; or a list
        search: {option: algorithm.rho, values: [0.01, 0.1], metric: loss, choose: min}   # the best in each cell
        slurm: {modules: [gcc], setup: [source .venv/bin/activate], options: [--mem=8G]}  # of the batch script; and
                                                         # partition, time, account, launcher, parallel, cpus_per_rank

    Args:
        file: a sweep's file, the name of one that ships (topology_ablation.yaml, gossip_steps.yaml, …), or the folder
            of a study that was begun.
        jobs: runs side by side (default: 1; with --slurm as many as SLURM lets run).
        ranks: MPI ranks for each run (default: as the base says, else one process).
        out: the study's folder (default: studies/ and the file's name).
        log: send each run's metrics to tensorboard, wandb or mlflow too.
        dry_run: say what would be executed, or print the batch script; nothing is written.
        only: execute run number K alone, counted from 0, in this process or on the ranks of this MPI job.
        restarts: how often a run on ranks goes on from its last checkpoint after a rank was lost, on one rank fewer.
        slurm: write and submit an array job, a task for each run that is not done.
        partition: of the batch script.
        time: of the batch script, as H:MM:SS.
        account: of the batch script.
        launcher: of the batch script: mpich, openmpi, or a command.
        allow_code: let the file name plug-ins of your own by their import paths, which runs their code.

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
    options = Options(
        jobs=jobs, ranks=ranks, log=log, dry_run=dry_run, only=only, slurm=job if slurm else None,
        restarts=restarts, allow_code=allow_code,
    )  # fmt: skip
    return execute(file, out, options)


def status(folder: Path, *, all: bool = False) -> int:
    """Show how far a study is: which of its runs are done, running, failed, stopped, or to do.

    Of a running run it says the round and how long ago it last wrote, of a failed one the reason. Runs on other
    machines are seen through the shared file system.

    Args:
        folder: a study's folder.
        all: a line for every run, also those that are done or to do.

    Examples:
        dfedsam status studies/topology_ablation
    """
    from dfedsam.launch import status as statuses

    return statuses.status(folder, all=all)


def watch(folder: Path, *, every: float = 1.0) -> int:
    """Follow a run in the terminal, here or on another machine that shares the file system.

    Shows its round, its latest metrics and the time that remains. It ends when the run has done its rounds, or when its
    study notes that it failed; Ctrl-C ends it and leaves the run alone.

    Args:
        folder: a run's folder; it may be there only later.
        every: how often to look, in seconds, above 0 and at most 3600.

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
    json: bool = False,
    csv: bool = False,
    draw: Path | None = None,
    dotted: tuple[Pair, ...] = (),
) -> int:
    """List graphs and schedules, set their spectral gaps side by side, draw them.

    Shows the metrics of a topology, or a table of several: degree, messages a round, λ and the spectral gap, effective
    neighbours n_W, and the rounds until the peers agree to 1e-6. A row whose size does not fit says so.

    An option of a topology's own follows a dot, such as --topology.rows 4, and so does a rule's: --weights.share 0.3.
    The options of one: --topology.help NAME. Of several topologies each takes the options that it has.

    Args:
        names: graphs or schedules (--list shows all), a graph's file, networkx.NAME, an import path, or
            {class_path: NAME, init_args: {OPTION: VALUE}}.
        list: all topologies and weight rules, with their options.
        peers: number of peers (default: 16; a graph of fixed size and a file say their own).
        weights: the weight rule of a graph, or several: metropolis,lazy.
        objective: whose data a topology is made from, where it is made from data (stl_fw).
        seed: seed of what is drawn.
        steps: gossip steps Q a round, at least 1.
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
    rows = topologies.rows(names, [*pairs, *dotted], steps)
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
        x: what to draw against: rounds, queries, bytes (per peer) or time (of messages); several with commas.
        y: metrics, a row of panels each, such as accuracy,loss (default: loss, accuracy and consensus distance).
        color: a setting, such as topology or gossip.steps: one colour per value in place of one per curve.
        columns: a setting: a column of panels per value; with a single x.
        size: column or page of a paper, or WIDTHxHEIGHT in inches, such as 3.4x2.5.
        style: paper, or slides with larger letters and thicker lines.
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
    """Report on a study or several runs on one page, with figures and tables for a paper.

    The page (report.html) needs no network and no other file: tables, figures of convergence against the spectral gap
    with theory beside them, each run's settings, and a picker that sets runs side by side. Beside it: figures/ with a
    PDF and a PNG each, tables/ with CSV and LaTeX. An older report in the same place is made anew.

    Args:
        folders: studies of dfedsam sweep, folders of runs, or runs' folders.
        out: where to (default: report, in a single FOLDER, else in the current one).
        metric: what runs are compared by (default: accuracy, else error_local, the squared distance from the optimum,
            else the loss).
        target: the value of it to which rounds, queries and bytes are counted (default: one that most runs reach, for
            each heterogeneity).
        style: paper, or slides with larger letters and thicker lines (default: paper).
        animate: also show how peers come to agree on the drawn graphs.

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


def export(folder: Path, *, out: Path) -> int:
    """Export a run's prompt as an adapter that peft loads onto the model.

    PeftModel.from_pretrained(model, OUT) then loads it. OUT/dfedsam.json says how texts are to be given to it. A
    discrete prompt is also written as prompt.txt. The prompt must stand before the text. Needs the extra:
    pip install "dfedsam[peft]".

    Args:
        folder: a run's folder.
        out: the adapter's folder, not there yet.

    Examples:
        dfedsam export runs/a --out adapters/a
    """
    from dfedsam.errors import OptionError

    if out.exists():
        raise OptionError("out", out, "must not be there yet, because it is never overwritten", "choose another folder")
    from dfedsam.blackbox.adapter import export as write

    print("\n".join(map(str, write(folder, out))))
    return 0


def doctor() -> int:
    """Check what this machine has for a run, and say what to do about what is missing.

    Packages, an MPI library and its launcher (two ranks really start and exchange), cores and threads, GPUs, the demo's
    model and data. The exit status is 1 if something needed is missing.

    Examples:
        dfedsam doctor
    """
    from dfedsam.launch import doctor as checks

    return checks.report(checks.findings())


COMMANDS: dict[str, Callable[..., int]] = {
    command.__name__: command for command in (run, resume, sweep, status, watch, topology, plot, report, export, doctor)
}
