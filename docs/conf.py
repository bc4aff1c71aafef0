"""Sphinx configuration."""

import importlib.util
import os

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions

from szmass.version import __version__

project = "szmass"
author = "The szmass developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    *extensions,
    "sphinx_click",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_gallery.gen_gallery",
]
plot_formats = [("png", 120)]
plot_html_show_formats = plot_html_show_source_link = False
exclude_patterns = [*exclude_patterns, "_build", "_templates", "tutorials"]
html_title = "szmass"
html_theme_options = {"navigation_with_keys": False}

# The build needs no network: links to other projects are resolved only where documents are hosted.
if "READTHEDOCS" not in os.environ:
    intersphinx_mapping = {}

# Only names of our own must resolve.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!szmass).*"),
    # Bases that are for sub-classes of our own.
    ("py:class", r"szmass\.(_.*|.*\._\w+\.\w+|estimators\.cnn\.NetworkMass)"),
]
numpydoc_xref_param_type = False
automodsumm_inherited_members = False

# Tutorials are scripts. All run at each build, and one that raises ends it; that which trains is
# only shown where what it needs is not installed.
can_train = all(importlib.util.find_spec(name) for name in ("keras", "tensorflow", "zarr"))
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "auto_tutorials",
    "filename_pattern": r"/\d\d_" if can_train else r"/\d\d_(?!simulate_and_train)",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
}
