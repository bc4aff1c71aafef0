"""Tables of clusters: which one, what its columns are, and which of its rows."""

import contextlib
import functools
import warnings

import click

from szmass.cli.options.files import OLD_FILE, read_stdin
from szmass.cli.options.names import CATALOG_NAMES, completer

__all__ = [
    "by_prefix",
    "catalog_argument",
    "catalog_option",
    "column_options",
    "offline_option",
    "parse_pairs",
    "range_option",
    "read_table_options",
    "sample_of",
    "sample_options",
    "split_names",
]


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


def range_option(flag, text):
    """Make an option of two numbers, the lower and the higher end."""
    return click.option(flag, nargs=2, type=float, metavar="LOW HIGH", help=text)


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
