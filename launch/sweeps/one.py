"""Plays one run of a study in this process, or on all the ranks of the MPI job that it is part of."""

from __future__ import annotations

import os
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from dfedsam.launch import ranks
from dfedsam.launch.sweeps import choose, study
from dfedsam.launch.sweeps.file import Sweep
from dfedsam.launch.sweeps.plan import Cell, Run

if TYPE_CHECKING:
    from dfedsam.simulation import Simulation

PARENT = "DFEDSAM_SWEEP"  # the process whose end is ours too
AGAIN = 75  # exit status of a run that SIGUSR1 stopped: it is to be queued again (EX_TEMPFAIL of sysexits.h)


def play_one(path: Path, sweep: Sweep, cell: Cell, run: Run) -> int:
    """Run a run from where it stands, with progress as `dfedsam run` has it.

    Returns:
        The exit status: 0 if it is done, or stopped by SIGTERM; 75 if stopped by SIGUSR1; 1 if it failed, 2 for input
        that only the data showed to be bad. Failures are noted in the study.
    """
    simulation = run.build()
    communicator = simulation.communicator = simulation.connect()
    if communicator.is_root and PARENT in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ[PARENT]),), daemon=True).start()
    place = study.Folder(path / run.part)
    with place.playing(run.name) if communicator.is_root else nullcontext(True) as ours:
        status = _play(place, run, simulation, ours)
    error = ""
    if communicator.is_root and status == 0 and sweep.search:
        try:
            choose.settle(path, cell, sweep.search)
        except ValueError as caught:
            error = str(caught)
    error = communicator.broadcast(error)  # all ranks end together: a launcher may end those that are left
    if error:
        raise ValueError(error)
    return status


def _play(place: study.Folder, run: Run, simulation: Simulation, ours: bool) -> int:
    from dfedsam.launch.run import play

    communicator = simulation.communicator
    assert communicator is not None
    outlook, error = _outlook(place, run, simulation, ours) if communicator.is_root else ("", "")
    outlook, error = communicator.broadcast((outlook, error))
    if error:
        raise ValueError(error)
    if outlook in ("elsewhere", "done"):
        if communicator.is_root:
            print(f"{run.name}: {'done already' if outlook == 'done' else 'another process is playing it'}")
        return 0
    simulation.out = place.run(run.name)

    def note(error: Exception, status: int) -> None:
        place.fail(run.name, str(error), status)

    status = play(simulation, run.settings, resume=outlook == "resume", note=note)
    if simulation.spent is not None:
        if communicator.is_root:
            place.fail_for_budget(run.name, simulation.spent)
        return 1
    if status == 0 and simulation.interrupted:
        stop = simulation.stop
        return AGAIN if isinstance(stop, ranks.Stop) and stop.number == ranks.STOP else 0
    return status


def _outlook(place: study.Folder, run: Run, simulation: Simulation, ours: bool) -> tuple[str, str]:
    """What is to be done, or what stands against it; the folder is made ready for it."""
    if not ours:
        return "elsewhere", ""
    try:
        outlook = study.outlook(place.run(run.name), simulation.description())
    except ValueError as error:
        return "", str(error)
    place.forgive(run.name)
    if outlook == "fresh":
        study.clear(place.run(run.name))
    return outlook, ""


def _end_with(process: int) -> None:
    """End this rank, and with it the job, when a sweep that started it was killed."""
    while True:
        time.sleep(0.2)
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            os._exit(1)
