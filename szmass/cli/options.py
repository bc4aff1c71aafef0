"""Options that several commands share, and how their values are read."""

import ast
import functools
import inspect
import os
from pathlib import Path

import click

from szmass.cli.wording import tell_reader

__all__ = [
    "AT_A_TIME",
    "FILE",
    "FOLDER",
    "NOTHING_FOUND",
    "OLD_FILE",
    "OLD_FOLDER",
    "build_estimators",
    "by_prefix",
    "catalog_option",
    "check_outputs",
    "column_options",
    "estimators_option",
    "interpolation_option",
    "map_options",
    "noise_option",
    "offline_option",
    "output_options",
    "parse_pairs",
    "quiet_tensorflow",
    "read_table_options",
    "sample_options",
    "settings_of",
    "settings_option",
    "split_names",
    "state_noise",
]

#: Files and folders: those to write or fetch, and those that must be there.
FILE, FOLDER = click.Path(dir_okay=False), click.Path(file_okay=False)
OLD_FILE = click.Path(dir_okay=False, exists=True)
OLD_FOLDER = click.Path(file_okay=False, exists=True)
#: Clusters of a catalogue that are dealt with together.
AT_A_TIME = 2048
#: Exit code where the output was written, but no cluster was weighed or matched.
NOTHING_FOUND = 3


def quiet_tensorflow():
    """Keep TensorFlow's notes on the machine that it found from users of the command line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def settings_of(example):
    """Make the option that takes options of estimators."""
    return click.option(
        "--set",
        "options",
        multiple=True,
        callback=lambda ctx, param, values: _parse_settings(ctx, values),
        metavar="TAG.OPTION=VALUE",
        help=f"Option of an estimator, for instance {example}; may be repeated.",
    )


def catalog_option(columns):
    """Make the option that names the clusters; ``columns`` are those that a table must have."""
    return click.option(
        "--catalog",
        required=True,
        metavar="FILE|TAG",
        help="A catalogue that 'szmass info' lists, as a file or by its tag, to fetch it; or any "
        f"table with {columns}.",
    )


def interpolation_option(more=""):
    """Make the option that says how the map is sampled; ``more`` is added to its help."""
    return click.option(
        "--interpolation",
        type=click.Choice(["nearest", "bilinear"]),
        default="bilinear",
        help=f"How cutouts sample the map{more}.",
    )


settings_option = settings_of("scaling.one_minus_b=0.8")
noise_option = click.option(
    "--noise",
    metavar="FILE|planck|empty-fields",
    help="Noise of the map: a file that NoiseModel.write wrote, that of the Planck y-maps, or "
    "measured in the map away from the clusters of the catalogue. By default that of the release.",
)


def _go_offline(ctx, param, offline):
    """Ask no server for catalogues until the command has ended."""
    if offline:
        from szmass.catalogs import conf

        ctx.with_resource(conf.set_temp("offline", True))


offline_option = click.option(
    "--offline",
    is_flag=True,
    expose_value=False,
    callback=_go_offline,
    help="Ask no server for catalogues: use what was kept of them.",
)


def output_options(command):
    """Add the options that say which table to write."""
    overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
    text = "Table to write: .ecsv, .fits, .vot, or .csv without units"
    return click.option("-o", "--output", type=FILE, required=True, help=text)(overwrite(command))


def check_outputs(*outputs, overwrite, inputs=(), pieces=False):
    """Refuse tables that cannot be written, before anything is read or made; give their formats.

    ``inputs`` are paths or names of what is read, or None: no output may take the place of one.
    ``pieces`` is for tables that are written in pieces.
    """
    from szmass._io.files import check_output_file
    from szmass._tables.appending import appendable_format
    from szmass._tables.files import table_format

    formats, taken = [], [path for path in inputs if path and os.path.exists(path)]
    for output in outputs:
        formats.append(appendable_format(output) if pieces else table_format(output))
        path = check_output_file(output, overwrite=overwrite)
        for other in taken:
            if path.absolute() == Path(other).absolute() or (
                path.exists() and os.path.exists(other) and os.path.samefile(path, other)
            ):
                raise click.UsageError(
                    f"{str(output)!r} cannot be written: this command reads it, or writes "
                    "something else to it. Choose another name"
                )
        taken.append(output)
    return formats


def estimators_option(**options):
    """Make the option that takes the tags of estimators."""
    text = "What to weigh with, side by side; 'szmass info' lists the tags."
    options |= {"callback": split_names, "metavar": "TAG,..."}
    return click.option("--estimators", help=text, **options)


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
        return click.option("--map", "map_path", metavar="FILE|NAME", help=text)(packed)

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


def parse_pairs(what, convert=str):
    """Make a callback that reads KEY=VALUE, any number of them, into a dict."""

    def parse(ctx, param, values):
        pairs = {}
        for value in values:
            key, equals, text = value.partition("=")
            try:
                if not (equals and key and text):
                    raise ValueError
                given = convert(text)
            except ValueError as err:
                told = f": {err}" if str(err) else ""
                raise click.BadParameter(f"{value!r} is not of the form {what}{told}") from None
            if key in pairs:
                raise click.BadParameter(f"{key!r} is given twice")
            pairs[key] = given
        return pairs

    return parse


def _unit(text):
    """Refuse a text that is no unit; how it is spelled stays."""
    import astropy.units as u

    from szmass._tables.columns import parse_unit

    if parse_unit(text) is None or isinstance(parse_unit(text), u.UnrecognizedUnit):
        raise ValueError(f"{text!r} is no unit")
    return text


def _number(text):
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


_COLUMN_OPTIONS = (
    ("--column", "columns", "OURS=THEIRS", str, "Column that has another name here"),
    ("--unit", "units", "COLUMN=UNIT", _unit, "Unit of a column that has none"),
    ("--missing", "missing", "COLUMN=NUMBER", _number, "Number that stands for 'not known'"),
)


def column_options(prefix="", examples=("msz=M500", "msz='1e14 solMass'", "z=-1"), unit=_unit):
    """Make a decorator that adds the options which say what the columns of a table are.

    ``unit`` checks what is said to be one.
    """

    def add(command):
        for option, example in zip(reversed(_COLUMN_OPTIONS), reversed(examples), strict=True):
            flag, dest, what, convert, text = option
            convert = unit if dest == "units" else convert
            command = click.option(
                flag,
                dest,
                multiple=True,
                metavar=prefix + what,
                callback=parse_pairs(prefix + what, convert),
                help=f"{text}, for instance {example}; may be repeated.",
            )(command)
        return command

    return add


def read_table_options(columns, units, missing):
    """Turn the column options into those of `ClusterSample.read`."""
    for pair in (("ra", "dec"), ("glon", "glat")):
        found = [name for name in pair if name in columns]
        if len(found) == 1:
            raise click.UsageError(f"--column {found[0]}=... needs --column for both of {pair}")
    options = {"columns": columns, "units": units, "missing": missing}
    return {name: value for name, value in options.items() if value}


def sample_options(command):
    """Add the options that say how to read clusters: ``reading``, arguments of `load_sample`."""

    @functools.wraps(command)
    def packed(redshift, columns, units, missing, **others):
        reading = read_table_options(columns, units, missing)
        return command(reading=reading | {"redshift": redshift or None}, **others)

    text = "Keep clusters with LOW < z <= HIGH."
    packed = click.option("--redshift", nargs=2, type=float, metavar="LOW HIGH", help=text)(packed)
    return column_options()(packed)


def split_names(ctx, param, value):
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("give at least one name")
    return names


def _parse_settings(ctx, values):
    """Read TAG.OPTION=VALUE, any number of them, into dicts of options by tag."""
    options = {}
    for value in values:
        key, equals, text = value.partition("=")
        estimator, dot, name = key.partition(".")
        if not (equals and dot and estimator and name):
            raise click.BadParameter(f"{value!r} is not of the form ESTIMATOR.OPTION=VALUE")
        try:
            parsed = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            parsed = text
        if name in options.setdefault(estimator, {}):
            raise click.BadParameter(f"{key!r} is given twice")
        options[estimator][name] = parsed
    tell_reader(ctx, settings=options)
    return options


def build_estimators(tags, options):
    """Make estimators by tag, with the options of `_parse_settings`."""
    from szmass._utils.names import did_you_mean
    from szmass.estimators import ESTIMATORS

    if twice := [tag for tag in tags if tags.count(tag) > 1]:
        raise click.UsageError(f"--estimators names {twice[0]!r} twice")
    unused = set(options) - set(tags)
    if unused:
        raise click.UsageError(f"--set names {sorted(unused)[0]!r}, which is not in --estimators")
    for tag, given in options.items():
        known = inspect.signature(ESTIMATORS[tag]).parameters
        for name in given.keys() - known:
            raise click.UsageError(
                f"--set: the estimator {tag!r} has no option {name!r}."
                f"{did_you_mean(name, known)} Its options: {', '.join(known) or 'none'}"
            )
    return {tag: ESTIMATORS[tag](**options.get(tag, {})) for tag in tags}


def by_prefix(given, prefixes, flag):
    """Sort {"PREFIX.COLUMN": value} by prefix."""
    sorted_ = {prefix: {} for prefix in prefixes}
    for key, value in given.items():
        prefix, _, column = key.partition(".")
        if prefix not in sorted_ or not column:
            raise click.UsageError(
                f"{flag}: {key!r} must begin with {' or '.join(f'{p}.' for p in prefixes)}"
            )
        sorted_[prefix][column] = value
    return sorted_
