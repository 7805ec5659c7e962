from .plot.convergence import convergence as convergence
from .plot.runs import plot_run as plot_run, plot_runs as plot_runs
from .plot.split import draw_split as draw_split
from .plot.style import check_format as check_format, save as save
from .plot.topology import draw_topology as draw_topology
from .read.runs import read_runs as read_runs, read_study as read_study
from .report.page import write_report as write_report
