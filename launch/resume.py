"""`dfedsam resume`: go on from a run's checkpoint, on any number of ranks."""

from __future__ import annotations

from pathlib import Path

from dfedsam.launch import loggers, merge, options, ranks, run

HELP = """usage: dfedsam resume FOLDER [--rounds N] [--ranks N] [--log NAME] [--figure]

Go on with a run that was stopped or killed, from its last checkpoint; it ends bit for bit where the unbroken run would
have. The settings are those of the folder's config.yaml.

options:
  FOLDER       a run's folder
  --rounds N   rounds in all, to make the run longer (default: as it was started)
  --ranks N    MPI ranks of this machine; any number, whatever it was before (default: this process alone)
  --placement contiguous|reorder|metis
               which rank plays which peers (default: as it was started)
  --log NAME   send figures to tensorboard, wandb or mlflow too
  --figure     draw the convergence figure into the folder (default: after more than ten seconds)

examples:
  dfedsam resume runs/a
  dfedsam resume runs/a --rounds 200 --ranks 4"""
_OPTIONS = ("rounds", "ranks", "placement", "figure", "log", "allow_code")


def main(argv: list[str]) -> int:
    """Run `dfedsam resume ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    if not argv or argv[0].startswith("-"):
        raise ValueError("folder is missing: it must be named first, such as `dfedsam resume runs/a`")
    folder = Path(argv[0])
    if not (folder / "config.yaml").is_file():
        raise ValueError(f"folder is {folder}: it must be a run's folder, but it has no config.yaml; mend the path")
    for option, _ in merge.pairs(argv[1:]):
        if option not in _OPTIONS:
            raise ValueError(
                f"--{option} is not an option of resume: there are {', '.join(_OPTIONS)}; all else stays as it was"
            )
    settings = options.parse(
        argv[1:], "", "", merge.read_file(str(folder / "config.yaml"), code="--allow_code" in argv)
    )
    assert settings is not None
    loggers.check(settings.own["log"])
    simulation = run.build(settings)
    starts = run.launches(settings, simulation)
    run.say_notes(simulation)
    if starts:
        return ranks.start(settings.own["ranks"], ["resume", *argv])
    simulation.out = folder
    return run.play(simulation, settings, resume=True)
