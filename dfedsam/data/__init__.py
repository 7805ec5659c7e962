"""Data sets, and how they are partitioned over peers."""
