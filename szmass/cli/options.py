"""Options that several commands share, how their values are read, and what the Tab key gives."""

import ast
import contextlib
import functools
import glob
import inspect
import os
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from szmass.cli.wording import tell_reader

__all__ = [
    "CATALOG_NAMES",
    "FILE",
    "FOLDER",
    "NOTHING_FOUND",
    "OLD_FILE",
    "OLD_FOLDER",
    "baryon_models_option",
    "build_estimators",
    "by_prefix",
    "catalog_argument",
    "catalog_option",
    "check_outputs",
    "column_options",
    "completer",
    "estimators_option",
    "interpolation_option",
    "map_options",
    "named_option",
    "noise_option",
    "offline_option",
    "output_options",
    "parse_pairs",
    "quiet_tensorflow",
    "range_option",
    "read_stdin",
    "read_table_options",
    "sample_of",
    "sample_options",
    "settings_of",
    "settings_option",
    "split_names",
    "state_noise",
    "workers_options",
]


def completer(*sources, files=False, several=False):
    """Make the ``shell_complete`` of an option or argument.

    Parameters
    ----------
    *sources : str
        A registry, ``"szmass.catalogs.CATALOGS"``, which is imported when its names are asked for,
        or a name.
    files : bool, optional
        Whether it can also be a file.
    several : bool, optional
        Whether it is a list with commas.

    Returns
    -------
    callable
        What click calls with context, parameter and what was typed.
    """

    def complete(ctx, param, incomplete):
        done = ""
        if several:
            done, comma, incomplete = incomplete.rpartition(",")
            done += comma
        taken = done.split(",")
        names = [(name, text) for name, text in _names(sources) if name not in taken]
        return _items(names, incomplete, done, files)

    return complete


def _complete_settings(ctx, param, incomplete):
    """Complete TAG.OPTION= of the estimators that the line names, or of all."""
    from szmass.estimators import ESTIMATORS
    from szmass.morphology import STATE_ESTIMATORS

    tag, dot, _ = incomplete.partition(".")
    state = ctx.info_name == "state"
    registry = STATE_ESTIMATORS if state else ESTIMATORS
    if dot and tag in registry:
        names = [(f"{tag}.{name}=", None) for name in inspect.signature(registry[tag]).parameters]
    else:
        chosen = [ctx.params.get("estimator")] if state else ctx.params.get("estimators")
        names = [(f"{name}.", None) for name in registry if not chosen or name in chosen]
    return _items(names, incomplete)


def _names(sources):
    """Yield names and what they are."""
    for source in sources:
        module, _, name = source.rpartition(".")
        if not module:
            yield source, None
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would stand in the line that is typed
            registry = getattr(import_module(module), name)
            for key, entry in registry.items():
                yield key, getattr(entry, "description", None) or getattr(entry, "title", None)


def _items(names, incomplete, done="", files=False):
    found = [
        CompletionItem(done + name, help=text)
        for name, text in names
        if name.startswith(incomplete)
    ]
    if not files:
        return found
    if not found:  # the shell knows files better: folders, ~, blanks
        return [CompletionItem(incomplete, type="file")]
    paths = sorted(glob.glob(glob.escape(incomplete) + "*"))
    return found + [CompletionItem(path) for path in paths if os.path.isfile(path)]


def baryon_models_option(text, **options):
    """Make the option that names baryon models, any number of them; ``text`` is its help."""
    return click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME|FOLDER",
        shell_complete=completer("szmass.physics.BARYON_MODELS", files=True),
        help=text,
        **options,
    )


def catalog_argument(name):
    """Make the argument that is a catalogue or a table of clusters."""
    return click.argument(
        name, metavar="FILE|TAG", callback=read_stdin, shell_complete=CATALOG_NAMES
    )


def catalog_option(columns, **options):
    """Make the option that names the clusters; ``columns`` are those that a table must have."""
    return click.option(
        "--catalog",
        callback=read_stdin,
        metavar="FILE|TAG",
        shell_complete=CATALOG_NAMES,
        help="A catalogue that 'szmass info' lists, as a file or by its tag, to fetch it; or any "
        f"table with {columns}.",
        **options,
    )


def interpolation_option(more=""):
    """Make the option that says how the map is sampled; ``more`` is added to its help."""
    return click.option(
        "--interpolation",
        type=click.Choice(["nearest", "bilinear"]),
        default="bilinear",
        help=f"How cutouts sample the map{more}.",
    )


def range_option(flag, text):
    """Make an option of two numbers, the lower and the higher end."""
    return click.option(flag, nargs=2, type=float, metavar="LOW HIGH", help=text)


def workers_options(text="Number of processes, of one thread each.", default=None):
    """Make a decorator that adds the options which say where the work is done."""

    def add(command):
        dask = "Address of a Dask scheduler, instead of --workers."
        command = click.option("--scheduler", help=dask)(command)
        kind = click.IntRange(min=1)
        return click.option("--workers", type=kind, default=default, help=text)(command)

    return add


def named_option(flag, registry, text, **options):
    """Make an option that is a name in a registry, given as text, which the Tab key completes."""
    return click.option(flag, shell_complete=completer(registry), help=text, **options)


#: Files and folders: those to write or fetch, and those that must be there.
FILE, FOLDER = click.Path(dir_okay=False), click.Path(file_okay=False)
OLD_FILE = click.Path(dir_okay=False, exists=True)
OLD_FOLDER = click.Path(file_okay=False, exists=True)
#: Completion of tags of catalogues and of files.
CATALOG_NAMES = completer("szmass.catalogs.CATALOGS", files=True)
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
        shell_complete=_complete_settings,
        help=f"Option of an estimator, for instance {example}; may be repeated.",
    )


settings_option = settings_of("scaling.one_minus_b=0.8")
noise_option = click.option(
    "--noise",
    metavar="FILE|planck|empty-fields",
    shell_complete=completer("planck", "empty-fields", files=True),
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


_STREAMS = f"{__name__}.streams"  # names of such files, in ``meta`` of the context


class _Stream(str):
    """The path of a file that stands for standard input or output, and is shown as that."""

    shown = ""

    def __format__(self, spec):
        return format(self.shown, spec)


def _stream(ctx, shown, name):
    """Give the path of a file that is there until the command ends, called so in messages."""
    # The context of a command is not closed where its arguments are wrong.
    folder = ctx.find_root().with_resource(tempfile.TemporaryDirectory())
    path = _Stream(Path(folder, name))
    path.shown = shown
    streams = ctx.meta.setdefault(_STREAMS, {})
    streams[str(path)] = shown
    tell_reader(ctx, streams=streams)
    return path


def read_stdin(ctx, param, value):
    """Give the path of a file with what is on standard input, for the value "-"; a callback."""
    if value != "-":
        return value
    if any(shown == "standard input" for shown in ctx.meta.get(_STREAMS, {}).values()):
        raise click.UsageError("standard input ('-') can be read once")
    # Its content tells the form; what has none is text with commas, semicolons or tabs.
    path = _stream(ctx, "standard input", "standard-input.csv")
    Path(os.fspath(path)).write_bytes(sys.stdin.buffer.read())
    return path


def output_options(command):
    """Add the options that say which table to write; to standard output, as ECSV, for "-"."""

    @functools.wraps(command)
    def piped(output, **others):
        if output != "-":
            return command(output=output, **others)
        path = _stream(click.get_current_context(), "standard output", "standard-output.ecsv")
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return command(output=path, **others)
        finally:
            if os.path.exists(path):
                sys.stdout.buffer.write(Path(os.fspath(path)).read_bytes())

    overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
    text = (
        "Table to write: .ecsv, .fits, .vot, or .csv and .tsv without units; - writes ECSV to "
        "standard output"
    )
    return click.option("-o", "--output", type=FILE, required=True, help=text)(overwrite(piped))


def check_outputs(*outputs, overwrite, inputs=(), pieces=False):
    """Refuse tables that cannot be written, before anything is read or made; give their formats.

    ``inputs`` are as in `check_files`, ``pieces`` is for tables that are written in pieces.
    """
    from szmass._tables.appending import appendable_format
    from szmass._tables.files import table_format

    formats = [appendable_format(path) if pieces else table_format(path) for path in outputs]
    check_files(*outputs, overwrite=overwrite, inputs=inputs)
    return formats


def check_files(*outputs, overwrite, inputs=()):
    """Refuse files that cannot be written, before anything is read or made.

    ``inputs`` are paths or names of what is read, or None: no output may take the place of one.
    """
    from szmass._io.files import check_output_file

    taken = [path for path in inputs if path and os.path.exists(path)]
    for output in outputs:
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


def estimators_option(**options):
    """Make the option that takes the tags of estimators."""
    text = "What to weigh with, side by side; 'szmass info' lists the tags."
    options |= {"callback": split_names, "metavar": "TAG,..."}
    options["shell_complete"] = completer("szmass.estimators.ESTIMATORS", several=True)
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
    import astropy.cosmology.units as cu
    import astropy.units as u

    from szmass._tables.columns import parse_unit

    with contextlib.suppress(ValueError, TypeError), u.add_enabled_units(cu):
        u.Unit(text)  # with littleh
        return text
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
    def packed(redshift, redshifts, columns, units, missing, readme, **others):
        reading = read_table_options(columns, units, missing)
        reading |= {"readme": readme} if readme else {}
        reading |= {"redshift": redshift} if redshift else {}
        reading |= {"redshifts": redshifts} if redshifts else {}
        return command(reading=reading, **others)

    packed = click.option(
        "--redshifts",
        metavar="upcluster-sz[:FILE]",
        shell_complete=completer("upcluster-sz"),
        help="Take newer redshifts of psz2 from UPCluster-SZ, which is fetched without a file.",
    )(packed)
    packed = range_option("--redshift", "Keep clusters with LOW < z <= HIGH.")(packed)
    text = "ReadMe of a CDS table.  [default: the file ReadMe in its folder]"
    packed = click.option("--readme", type=OLD_FILE, help=text)(packed)
    return column_options()(packed)


def sample_of(catalog, names, reading):
    """Load the clusters of a catalogue, or those of some names in it or wherever they are found."""
    from szmass.catalogs import find_cluster, load_catalog, load_sample
    from szmass.clusters import ClusterSample
    from szmass.exceptions import SzmassWarning

    if not names:
        return load_sample(catalog, **reading)
    if {"redshift", "redshifts"} & set(reading):
        raise click.UsageError(
            "--redshift chooses among the rows of a catalogue, and --redshifts replaces theirs: "
            "leave --name out"
        )
    if reading and not catalog:
        raise click.UsageError("--column, --unit, --missing and --readme need --catalog")
    given = load_catalog(catalog, **reading) if catalog else None
    found, first = [find_cluster(name, catalog=given) for name in names], {}
    for name, cluster in zip(names, found, strict=True):
        place = cluster.measurements["found_as"]
        click.echo(f"{name}: found as {place}")
        if first.setdefault(place, name) != name:
            warnings.warn(
                f"{first[place]!r} and {name!r} are names of one cluster, which has a row for each "
                "of them. Leave one out.",
                SzmassWarning,
                stacklevel=2,
            )
    return ClusterSample.from_clusters(found)


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
