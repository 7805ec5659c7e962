"""Who plays which peers, and how their rows travel: in one process, or over MPI ranks."""

import os

from dfedsam.communication.base import Communicator
from dfedsam.communication.blocks import Place, block
from dfedsam.communication.mpi import MPICommunicator, abort, abort_on_error, world
from dfedsam.communication.one_process import SingleProcess
from dfedsam.machine import ASKED_RANKS, in_mpi_job

__all__ = ["Communicator", "MPICommunicator", "Place", "SingleProcess", "abort", "abort_on_error", "block", "connect"]


def connect(peers: int, place: Place | None = None) -> Communicator:
    """The network this process is part of: all ranks of the MPI job it was started in, or this process alone.

    In an MPI job an exception that nothing catches then ends all ranks.

    Args:
        peers: peers in the whole network, at least one a rank.
        place: which rank plays which peers, asked where there are several; None: contiguous blocks.

    Raises:
        ValueError: fewer peers than ranks, no MPI library in a job, or a world of another size than was asked for.
    """
    if not in_mpi_job():
        asked = os.environ.get(ASKED_RANKS, "1")
        if asked != "1":
            raise ValueError(f"{ASKED_RANKS} is {asked}, but no MPI launcher started this process: use mpirun or srun")
        return SingleProcess(peers)
    comm = world()
    abort_on_error(comm)
    return MPICommunicator(peers, comm, place)
