"""Maps: which one, how it is sampled, and its noise."""

import functools

import click

from szmass.cli.options.names import completer

__all__ = ["interpolation_option", "map_options", "noise_option", "state_noise"]


def interpolation_option(more=""):
    """Make the option that says how the map is sampled; ``more`` is added to its help."""
    return click.option(
        "--interpolation",
        type=click.Choice(["nearest", "bilinear"]),
        default="bilinear",
        help=f"How cutouts sample the map{more}.",
    )


noise_option = click.option(
    "--noise",
    metavar="FILE|planck|empty-fields",
    shell_complete=completer("planck", "empty-fields", files=True),
    help="Noise of the map: a file that NoiseModel.write wrote, that of the Planck y-maps, or "
    "measured in the map away from the clusters of the catalogue. By default that of the release.",
)


# Parts of an image in which its noise is measured.
_NOISE_FIELDS = 16

# Arguments of `open_map`: their options, and these options' own.
_MAP_OPTIONS = {
    "column": ("--map-column", {"help": "Column of the map file, where there are several."}),
    "ordering": (
        "--ordering",
        {"type": click.Choice(["ring", "nested"]), "help": "If the map does not say."},
    ),
    "frame": (
        "--frame",
        {"type": click.Choice(["galactic", "icrs"]), "help": "If the map does not say."},
    ),
    "beam": ("--beam", {"help": "FWHM of the map's beam, for instance '10 arcmin'."}),
    "unit": (
        "--map-unit",
        {"help": "'' says that its numbers are y, where the file's own unit is not understood."},
    ),
    "zeros": (
        "--zeros",
        {
            "type": click.Choice(["observed", "unobserved"]),
            "help": "What pixels of exactly 0 are, where the map is taken for what it is not.",
        },
    ),
}


def map_options(text):
    """Make a decorator that adds ``--map`` and the options that say what the map is.

    The command gets the arguments of `open_map` as ``ymap``, None without a map.
    """

    def add(command):
        @functools.wraps(command)
        def packed(map_path, **others):
            about = {name: others.pop(name) for name in _MAP_OPTIONS}
            ymap = {"source": map_path, **about} if map_path else None
            return command(ymap=ymap, **others)

        for name, (flag, about) in reversed(_MAP_OPTIONS.items()):
            packed = click.option(flag, name, **about)(packed)
        names = completer("szmass.maps.MAP_PRODUCTS", files=True)
        return click.option(
            "--map", "map_path", metavar="FILE|NAME", shell_complete=names, help=text
        )(packed)

    return add


def state_noise(ymap, noise, coord):
    """Give a map the noise that ``--noise`` stands for; ``coord`` are the clusters in it."""
    import numpy as np

    from szmass.maps import NoiseModel

    if noise == "empty-fields":
        known = coord[np.isfinite(coord.spherical.lon) & np.isfinite(coord.spherical.lat)]
        beam = 10.0 if ymap.beam is None else ymap.beam.to_value("arcmin")
        ymap.noise = NoiseModel.from_empty_fields(
            ymap,
            exclude=known,
            radius=f"{max(3 * beam, 10)} arcmin",
            fields=_NOISE_FIELDS if ymap.nside is None else None,
        )
    elif noise is not None:
        ymap.noise = "planck" if noise == "planck" else NoiseModel.read(noise)
