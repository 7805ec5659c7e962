"""How a run starts: the command line, experiment files, MPI ranks, sweeps and SLURM."""
