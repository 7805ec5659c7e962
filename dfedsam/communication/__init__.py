"""The partition of peers over ranks, and the exchange of their rows: in one process, or over MPI ranks."""

import os

from dfedsam.communication.base import Communicator
from dfedsam.communication.mpi import MPICommunicator, abort, abort_on_error, world
from dfedsam.communication.partition import Assign, block
from dfedsam.communication.single_process import SingleProcess
from dfedsam.machine import ASKED_RANKS, in_mpi_job

__all__ = ["Assign", "Communicator", "MPICommunicator", "SingleProcess", "abort", "abort_on_error", "block", "connect"]


def connect(peers: int, assign: Assign | None = None) -> Communicator:
    """The communicator of this process: all ranks of the MPI job it was started in, or this process alone.

    In an MPI job an exception that nothing catches then ends all ranks.

    Args:
        peers: peers in the whole network, at least one per rank.
        assign: assigns each peer to a rank, if there are several; None: contiguous blocks.

    Raises:
        ValueError: for fewer peers than ranks, no MPI library in a job, or a world of another size than requested.
    """
    if not in_mpi_job():
        count = os.environ.get(ASKED_RANKS, "1")
        if count != "1":
            raise ValueError(f"{ASKED_RANKS} is {count}, but no MPI launcher started this process: use mpirun or srun")
        return SingleProcess(peers)
    comm = world()
    abort_on_error(comm)
    return MPICommunicator(peers, comm, assign)
