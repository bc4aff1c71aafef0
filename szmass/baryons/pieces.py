"""Properties of haloes from file to file, whatever the number of haloes."""

import contextlib
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from szmass._io.files import check_output_file
from szmass._tables.appending import appendable_format, appending_table
from szmass._tables.columns import column_parts
from szmass._utils.progress import progress_bar
from szmass._utils.seeds import check_count, check_seed
from szmass._utils.workers import check_workers, run_tasks
from szmass.baryons._columns import MASSES, RADII
from szmass.baryons._reading import Reading
from szmass.baryons.halos import HaloCatalog
from szmass.exceptions import InvalidInputError, SzmassWarning
from szmass.physics import BaryonFlag, get_baryon_model

__all__ = ["predict_in_pieces"]

_ROWS = 500_000
# What masses and concentrations are derived from.
_SOURCES = {*MASSES, *RADII, "rs", "c200c", "c500c"}


def predict_in_pieces(
    halos,
    models,
    output,
    *,
    hosts_only=False,
    keep=(),
    draw=False,
    seed=None,
    rows=_ROWS,
    workers=None,
    scheduler=None,
    overwrite=False,
    **reading,
):
    """Predict the properties of all haloes of a file into another, in bounded memory.

    Each piece is read, predicted and written before the next but few. Workers read their pieces
    themselves; the file is the same to the byte whatever their number.

    Parameters
    ----------
    halos : path-like, `~astropy.table.Table` or `HaloCatalog`
        What `HaloCatalog.iterate` reads, a table for `HaloCatalog.from_table`, or a catalogue.
    models : str, `~szmass.physics.BaryonModel`, or list of these
        One physics or several. With several, names of columns end in that of the model, such as
        ``mgas500_tng``.
    output : path-like
        The table to write: .fits, .hdf5, .parquet, .ecsv, or .csv without units.
    hosts_only : bool, optional
        Leave out haloes that lie in larger ones. Otherwise they have the flag ``SUBHALO``.
    keep : list of str, optional
        Columns of the haloes to hand on, such as ``["x", "y", "z"]``.
    draw : bool, optional
        Draw each halo from its distribution, where the median would stand.
    seed : int, optional
        Seed of the draw, which needs one. Draws depend on ``rows`` as well.
    rows : int, optional
        How many haloes make a piece, about so many for text.
    workers : int, optional
        Number of processes, of one thread each. By default all is done in this one.
    scheduler : str or ``distributed.Client``, optional
        Address of a Dask scheduler whose workers see the file, or its client.
    overwrite : bool, optional
        Replace an existing file.
    **reading : dict
        Options of `HaloCatalog.iterate`: ``format``, ``columns``, ``units``, ``missing``, ``h``,
        ``redshift``, ``cosmology``, ``mass_definition``.

    Returns
    -------
    dict
        ``"haloes"``, the number of rows written, and by model ``"predicted"``, how many of them
        have values, and ``"flags"``, the number of each.

    Raises
    ------
    InvalidInputError
        The file lacks what a model needs (the message has all of it), or as in `HaloCatalog.read`.
    FileFormatError
        As in `HaloCatalog.read`; then nothing is written.
    WorkerError
        A process was killed.

    Warns
    -----
    SzmassWarning
        Nothing tells sub-haloes from hosts; or rows hold what is no number.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass.baryons import predict_in_pieces
    >>> table = QTable({"id": [1, 2], "host": [-1, 1], "m500c": [4e14, 1e14] * u.solMass})
    >>> told = predict_in_pieces(table, "tng", getfixture("tmp_path") / "halos.fits", redshift=0.1)
    >>> told["haloes"], told["tng"]["flags"]["SUBHALO"]
    (2, 1)
    """
    appendable_format(output)
    check_output_file(output, overwrite=overwrite)
    models = [models] if isinstance(models, str) or not np.iterable(models) else list(models)
    models = [get_baryon_model(model) for model in models]
    names = [model.name for model in models]
    if not models or len(set(names)) < len(names):
        raise InvalidInputError(f"'models' must name one model or some, once. Received: {names}")
    if draw:
        if seed is None:
            raise InvalidInputError("'seed' must be an integer with draw=True. Received: None")
        seed = check_seed(seed)
    rows, fresh = check_count(rows, "rows"), workers is not None
    workers = check_workers(workers if fresh else 1, scheduler)
    job = _Job(_prepared(halos, models, keep, hosts_only, reading), models, hosts_only,
               tuple(keep), draw, seed)  # fmt: skip
    pieces = job.reading.source.pieces(rows) or [(0, 0)]
    results = run_tasks(
        _predict_piece, job, enumerate(pieces), workers=workers, scheduler=scheduler,
        fresh=fresh, in_order=True,
    )  # fmt: skip
    told = {"haloes": 0} | {
        name: {"predicted": 0, "flags": {bit.name: 0 for bit in BaryonFlag}} for name in names
    }
    said = set()
    bar = progress_bar(total=len(pieces), unit="piece")
    with (
        appending_table(output, overwrite=overwrite) as writer,
        contextlib.closing(results),
        bar,
    ):
        for table, counts, messages in results:
            writer.write(table)
            told["haloes"] += len(table)
            for name, (predicted, flags) in counts.items():
                told[name]["predicted"] += predicted
                for bit, count in flags.items():
                    told[name]["flags"][bit] += count
            for message in messages:
                if message not in said:
                    said.add(message)
                    warnings.warn(message, SzmassWarning, stacklevel=2)
            bar.update()
    return told


def _prepared(halos, models, keep, hosts_only, options):
    """Give how to read the haloes, with the columns that are needed; all is checked first."""
    if isinstance(halos, HaloCatalog):
        halos, options = halos.table, {"cosmology": halos.cosmology} | options
    reading = Reading(halos, **options)
    few = HaloCatalog(reading.table((0, 0)), cosmology=reading.cosmology)
    needed = dict.fromkeys(name for model in models for name in model.features)
    for model in models:
        few.require(model.features, f"the model {model.name!r}")
    few.require(keep, "'keep'")
    if "host" not in few:
        if hosts_only:
            _ = few.is_host  # says what to do
        warnings.warn(
            "Nothing tells sub-haloes from hosts (there is no column 'host'; Rockstar's "
            "find_parents adds PID): all haloes are taken for hosts.",
            SzmassWarning,
            stacklevel=3,
        )
    reading.look()
    wanted = {*needed, *keep}
    if not wanted <= set(few.colnames):
        wanted |= _SOURCES
    reading.keep(wanted & {*reading.columns, *reading.ratios})
    return reading


@dataclass
class _Job:
    """What all pieces have in common."""

    reading: Reading
    models: list
    hosts_only: bool
    keep: tuple
    draw: bool
    seed: int | None


def _predict_piece(job, number, piece):
    """Give the table of a piece, by model how many have values and flags, and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        halos = HaloCatalog(
            job.reading.table(piece), cosmology=job.reading.cosmology, meta=job.reading.meta
        )
        if job.hosts_only:
            halos = halos.hosts
        tables = {}
        for model in job.models:
            seed = None
            if job.draw:  # a stream for each piece and model
                key = (number, zlib.crc32(model.name.encode()))
                seed = int(np.random.SeedSequence(job.seed, spawn_key=key).generate_state(1)[0])
            tables[model.name] = model.predict(halos, draw=job.draw, seed=seed)
    messages = [str(entry.message) for entry in caught if issubclass(entry.category, SzmassWarning)]
    counts = {name: _counts(table) for name, table in tables.items()}
    return _joined(job, halos, tables), counts, messages


def _counts(table):
    flags = np.asarray(table["flag"])
    values = table[_first_property(table)].value
    bits = {bit.name: int(np.count_nonzero(flags & bit)) for bit in BaryonFlag}
    return int(np.count_nonzero(np.isfinite(values))), bits


def _first_property(table):
    return next(name[: -len("_errn")] for name in table.colnames if name.endswith("_errn"))


def _joined(job, halos, tables):
    """Give one table of all models, without masks."""
    result = QTable()
    for name in ("id", "name", "host"):
        if name in halos:
            values, mask, _ = column_parts(halos[name])
            none = "" if values.dtype.kind == "U" else -1
            if np.any(mask) and values.dtype.kind == "u":
                none = 0
            result[name] = np.where(mask, np.array(none, values.dtype), values)
    for name in ("redshift", "m500c", *job.keep):
        if name not in result.colnames:
            values, mask, unit = column_parts(halos[name])
            values = np.where(mask, np.nan, values) if np.any(mask) else values
            result[name] = values if unit is None else values * unit
    single = len(tables) == 1
    about = {}
    for model, table in tables.items():
        about[model] = table.meta["baryon_model"] | ({"seed": job.seed} if job.draw else {})
        for name in table.colnames:
            if name not in ("id", "name", "redshift", "m500c"):
                result[name if single else f"{name}_{model}"] = table[name]
    result.meta["baryon_model" if single else "baryon_models"] = (
        next(iter(about.values())) if single else about
    )
    result.meta["halos"] = dict(halos.meta) | {"hosts_only": job.hosts_only}
    return result
