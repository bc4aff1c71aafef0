"""The command 'info'."""

import json
import platform
from importlib import metadata

import click

from szmass.exceptions import InvalidInputError
from szmass.version import __version__

__all__ = ["info"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json):
    """Show versions, data locations and what is registered.

    \b
    Examples:
      szmass info
      szmass info --json
    """
    from szmass.catalogs import CATALOGS
    from szmass.estimators import ESTIMATORS
    from szmass.massmaps import MAP_ESTIMATORS
    from szmass.morphology import STATE_ESTIMATORS
    from szmass.physics import BARYON_MODELS

    packages = (
        "numpy", "scipy", "astropy", "healpy", "reproject", "astroquery", "colossus",
        "tensorflow", "keras", "matplotlib",
    )  # fmt: skip
    facts = {
        "versions": {
            "szmass": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in packages},
        },
        "data": {"cache folder": _cache_folder()},
        "estimators": {tag: cls.description for tag, cls in ESTIMATORS.items()},
        "state estimators": {tag: cls.description for tag, cls in STATE_ESTIMATORS.items()},
        "map estimators": {tag: cls.description for tag, cls in MAP_ESTIMATORS.items()},
        "catalogues": {tag: cls.description for tag, cls in CATALOGS.items()},
        "baryon models": {name: model.physics for name, model in BARYON_MODELS.items()},
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for title, entries in facts.items():
        click.echo(click.style(title, bold=True))
        width = max(map(len, entries))
        for name, value in entries.items():
            click.echo(f"  {name:<{width}}  {value or 'not installed'}")


def _cache_folder():
    from szmass._utils.paths import cache_folder

    try:
        return str(cache_folder())
    except InvalidInputError as err:
        return f"none. {err}"


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
