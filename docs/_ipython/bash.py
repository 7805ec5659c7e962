"""`%%bash` cells of the site: what a command prints comes in one piece, and its failure ends the build."""

import subprocess

from IPython.core.magic import register_cell_magic


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """Run the cell, and print what it printed."""
    done = subprocess.run(["bash", "-ec", cell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    done.check_returncode()
