"""Plays one run of a study in this process."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dfedsam.launch.options import Settings
from dfedsam.launch.sweeps import study

Ending = Literal["done", "stopped", "failed", "elsewhere"]


@dataclass(frozen=True)
class Outcome:
    """How it ended: "done", "stopped" as asked, "failed" with the reason, or played "elsewhere" by another process."""

    ending: Ending
    reason: str = ""


def play(settings: Settings, part: Path, name: str, stop: Callable[[], bool]) -> Outcome:
    """Run a run from where it stands; a failure is noted in the study.

    Args:
        settings: the run's.
        part: the folder that holds `runs/NAME`.
        name: the run's.
        stop: asked after every round; true ends the run after a checkpoint.
    """
    from dfedsam.errors import RunError
    from dfedsam.launch import loggers, run

    place = study.Folder(part)
    with place.playing(name) as ours:
        if not ours:
            return Outcome("elsewhere", "another process is playing it")
        try:
            simulation = run.build(settings)
            folder, description = place.run(name), simulation.description()
            outlook = study.outlook(folder, description)
            place.forgive(name)
            if outlook == "done":
                return Outcome("done")
            if outlook == "fresh":
                study.clear(folder)
            simulation.out, simulation.stop = folder, stop
            resume = outlook == "resume"
            with ExitStack() as stack:
                tells = loggers.start(stack, settings.own["log"], folder, description, resume=resume)
                simulation.progress = loggers.each(tells)
                simulation.run(resume=resume)
            if simulation.spent is not None:
                return Outcome("failed", place.fail_for_budget(name, simulation.spent))
            if simulation.interrupted:
                return Outcome("stopped")
            if settings.own["figure"]:
                from dfedsam.analysis import plot_run

                plot_run(folder)
            return Outcome("done")
        except (RunError, ValueError) as error:
            return _failed(place, name, str(error), 1 if isinstance(error, RunError) else 2)
        except Exception as error:
            traceback.print_exc()
            return _failed(place, name, f"{type(error).__name__}: {error}", 1)


def _failed(place: study.Folder, name: str, error: str, status: int) -> Outcome:
    place.fail(name, error, status)
    return Outcome("failed", " ".join(error.split()))
