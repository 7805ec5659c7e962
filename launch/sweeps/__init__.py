"""Sweeps: from one file to many runs, in processes of this machine or as a SLURM array."""
