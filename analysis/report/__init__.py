"""Reports of studies: one page, its figures, and tables as CSV and LaTeX."""
