"""Sphinx configuration."""

import os

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions

from szmass.version import __version__

project = "szmass"
author = "The szmass developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [*extensions, "sphinx_click", "matplotlib.sphinxext.plot_directive"]
plot_formats = [("png", 120)]
plot_html_show_formats = plot_html_show_source_link = False
exclude_patterns = [*exclude_patterns, "_build", "_templates"]
html_title = "szmass"
html_theme_options = {"navigation_with_keys": False}

# The build needs no network: links to other projects are resolved only where documents are hosted.
if "READTHEDOCS" not in os.environ:
    intersphinx_mapping = {}

# Only names of our own must resolve.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!szmass).*")]
numpydoc_xref_param_type = False
automodsumm_inherited_members = False
