"""Sphinx configuration."""

import importlib.util
import inspect
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

from sphinx_astropy.conf.v2 import *  # noqa: F403
from sphinx_astropy.conf.v2 import exclude_patterns, extensions, html_theme_options

import szmass
from szmass.version import __version__

project = "szmass"
author = "The szmass developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    *extensions,
    "sphinx_click",
    "sphinx_design",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_gallery.gen_gallery",
]
plot_formats = [("png", 120)]
plot_html_show_formats = plot_html_show_source_link = False
exclude_patterns = [*exclude_patterns, "_build", "_templates", "tutorials"]
html_title = "szmass"
html_theme_options = {
    **html_theme_options,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
}
html_static_path = ["_static"]
html_css_files = ["szmass.css"]

# Links to other projects, where there is a network: the build needs none and is silent without.
PROJECTS = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "matplotlib": "https://matplotlib.org/stable/",
    "astropy": "https://docs.astropy.org/en/stable/",
    "reproject": "https://reproject.readthedocs.io/en/stable/",
    "healpy": "https://healpy.readthedocs.io/en/latest/",
}
INVENTORIES = Path(__file__).parent / "_build" / "inventories"


def fetch_inventory(project):
    """Keep the names that a project documents; give its entry of intersphinx_mapping, or none."""
    name, address = project
    path = INVENTORIES / f"{name}.inv"
    try:
        with urlopen(f"{address}objects.inv", timeout=5) as answer:
            content = answer.read()
    except (OSError, ValueError):
        return {}
    if not content.startswith(b"# Sphinx inventory"):
        return {}
    INVENTORIES.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {name: (address, str(path))}


with ThreadPoolExecutor() as pool:
    found = list(pool.map(fetch_inventory, PROJECTS.items()))
intersphinx_mapping = {name: entry for part in found for name, entry in part.items()}

# Only names of our own must resolve.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!szmass).*"),
    # Bases that are for sub-classes of our own.
    ("py:class", r"szmass\.(_.*|.*\._\w+\.\w+|estimators\.cnn\.NetworkMass)"),
]
numpydoc_xref_param_type = False
# Docstrings say the types, with units and shapes.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
# Members of astropy's bases stay out, those of our own bases that have no page stand with the
# classes that inherit them.
automodsumm_inherited_members = False


def adopt_members():
    """Make members that public classes inherit from bases without a page their own."""
    names = [info.name for info in pkgutil.walk_packages(szmass.__path__, "szmass.")]
    names = [name for name in names if "._" not in name and not name.endswith("__main__")]
    modules = [importlib.import_module(name) for name in names]
    public = [getattr(m, name) for m in modules for name in getattr(m, "__all__", ())]
    public = {thing for thing in public if inspect.isclass(thing)}
    for thing in public:
        ours = [base for base in thing.__mro__ if base.__module__.startswith("szmass.")]
        for base in set(ours) - public:
            for name, member in vars(base).items():
                if not name.startswith("_") and inspect.getattr_static(thing, name) is member:
                    setattr(thing, name, member)


adopt_members()

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
