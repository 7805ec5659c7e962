"""Configuration of the documentation: `make docs` builds it without a network, and a warning is an error."""

import os
import shutil
import sys
import warnings
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Commands that pages run: those of this environment, in one thread, without colours, 100 columns wide.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ |= {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "HF_HUB_OFFLINE": "1"}
os.environ |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "JUPYTER_PLATFORM_DIRS": "1"}
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm, of a library that wants widgets
# A profile of IPython for the pages' cells, away from the user's own.
PROFILE = HERE.parent / "build" / "ipython" / "profile_default"
(PROFILE / "startup").mkdir(parents=True, exist_ok=True)
shutil.copy(HERE / "_ipython" / "bash.py", PROFILE / "startup")
(PROFILE / "ipython_kernel_config.py").write_text(
    "c.IPKernelApp.log_level = 'ERROR'\nc.HistoryManager.enabled = False\n"
)
os.environ["IPYTHONDIR"] = str(PROFILE.parent)

project = "dfedsam"
author = "The dfedsam developers"
copyright = "The dfedsam developers, Apache-2.0"
version = release = version_of("dfedsam")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "links",
    "mathml",
    "docstrings",
    "reference",
    "schema",
    "tests_role",
    "whole_text",
]
exclude_patterns = ["_build", "gallery/*", "gallery_pages/*.ipynb", "**/README.md"]
suppress_warnings = ["config.cache", "mystnb.unknown_mime_type"]
templates_path = []

# Inventories of other projects are fetched only if asked, so that a build needs no network.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "networkx": ("https://networkx.org/documentation/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
    }
    if os.environ.get("DOCS_ONLINE")
    else {}
)

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # a cache would not notice that the package has changed
nb_execution_timeout = 900  # seconds, on a busy machine
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "gallery_pages",
    "filename_pattern": r"/\w+\.py",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "plot_gallery": "True",
    "min_reported_time": 5,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "dfedsam"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_sidebars = {"comparison": [], "results": []}  # pages without neighbours
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "navbar_persistent": ["search-button"],  # a field would not fit beside eight links
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
