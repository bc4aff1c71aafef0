"""Data sets made of maps of other simulations: arrays, FITS, HDF5, npy, one file or many."""

import contextlib
import hashlib
import os
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

from szmass._io.download import file_sha256
from szmass._io.fits import open_fits
from szmass._tables.columns import column_parts, describe_rows, number_column, parse_unit
from szmass._tables.files import read_table
from szmass._utils.seeds import check_count
from szmass.clusters import ClusterSample
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps.cutouts import check_beam
from szmass.maps.geometry import CutoutGeometry
from szmass.physics.checks import check_mass, check_redshift
from szmass.simulations._observer import view_names
from szmass.simulations.dataset import _shards
from szmass.simulations.dataset._truth import describe_columns, table_digest
from szmass.simulations.dataset.core import SimulationDataset
from szmass.simulations.dataset.origin import array_digest
from szmass.simulations.population import from_masses

__all__ = ["import_maps"]

# Suffixes of files that maps may be in, beside .npy.
_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
_HDF5 = (".h5", ".hdf5", ".hdf")

# Columns that a data set has of its own.
_OURS = ("name", "coord", "redshift", "mass_true", "cluster_id", "projection")


def import_maps(
    path,
    maps,
    table,
    *,
    cluster,
    mass,
    redshift,
    geometry,
    beam,
    unit,
    mass_unit=None,
    coord=None,
    key=None,
    interpolation=None,
    seed=0,
    shard_size=2048,
    verify=False,
    overwrite=False,
):
    """Make a data set of the maps of another simulation, to train on them.

    Parameters
    ----------
    path : path-like
        The folder to write.
    maps : ndarray or path-like or sequence of path-like
        All maps in an array, a FITS cube, an HDF5 or an npy file, or a file for each. Shape
        (N, ny, nx), or (N, projections, ny, nx) with a row of the table for all projections of a
        cluster. Row 0 of a map is its lower edge. Pixels that are NaN are outside of the footprint.
    table : `~astropy.table.Table` or path-like
        One row per entry of ``maps``: a table, or an ECSV, FITS, VOTable or CSV file. All of its
        columns are kept. Equal names in a column ``name`` are numbered.
    cluster : str
        The column that says which cluster a map shows. Maps with the same entry are never on two
        sides of a split: several projections, and several snapshots or resolutions of one region.
    mass : str
        The column of true masses M500c.
    redshift : str
        The column of redshifts.
    geometry : `~szmass.maps.CutoutGeometry`
        The grid of the maps.
    beam : `~astropy.units.Quantity` or str or None
        FWHM of the Gaussian beam that is in the maps; None if there is none.
    unit : unit-like
        Of the maps: none (``""``), a number such as 1e-6, or a solid angle for y integrated over
        each pixel (``"arcmin2"``).
    mass_unit : unit-like, optional
        Unit of the masses, where their column has none, for instance ``"1e14 solMass"``. Masses in
        units of 1/h must be converted before.
    coord : str, optional
        A column of positions (`~astropy.coordinates.SkyCoord`). Without it positions are drawn
        evenly over the sky, as `from_masses` does it.
    key : str or int, optional
        The HDU of FITS files, the data set of an HDF5 file, where there are several.
    interpolation : {"nearest", "bilinear"}, optional
        How the maps were sampled from another grid, if they were.
    seed : int, optional
        Seed of the positions.
    shard_size, verify, overwrite : int, bool, optional
        As in `make_dataset`.

    Returns
    -------
    SimulationDataset
        The data set, with the columns name, coord, redshift, mass_true, cluster_id, projection, and
        those of the table.

    Raises
    ------
    InvalidInputError
        Maps, table and geometry do not fit together, or values cannot be.
    InvalidUnitError
        Masses have no unit, or a unit is of another kind.
    FileFormatError
        A file is damaged or of an unknown form.
    DiskSpaceError
        The disk is full, or will be.
    MissingDependencyError
        zarr, or for HDF5 files h5py, is not installed.
    """
    if not isinstance(geometry, CutoutGeometry) or geometry.relative:
        raise InvalidInputError(
            "'geometry' must be a CutoutGeometry with a pixel_scale in arcmin. "
            f"Received: {geometry!r}"
        )
    factor, beam = _unit_factor(unit, geometry), check_beam(beam)
    shard_size = check_count(shard_size, "shard_size")
    with _open_maps(maps, key) as (source, about):
        views = _check_shape(source, geometry)
        truth = _truth(table, source.shape[0])
        truth = _renamed(truth, cluster, mass, redshift, coord, mass_unit, seed)
        columns = describe_columns(_with_projections(truth[:1], views), masks=truth)
        layout = _shards.Layout.plan(len(truth) * views, views, geometry.shape, shard_size, columns)
        origin = {
            "kind": "import",
            "maps": {**about, "unit": u.Unit(unit).to_string(), "projections": views},
            "clusters": {"number": len(truth), "sha256": table_digest(truth)},
            "geometry": _shards.describe_geometry(geometry),
            "beam": None if beam is None else str(beam),
            "interpolation": interpolation,
            "shard": layout.shard,
        }
        cutouts = {
            "geometry": origin["geometry"],
            "beam": origin["beam"],
            "interpolation": interpolation,
            "meta": {"source": about.get("file", "import")},
        }

        def write_missing(folder, todo):
            step = layout.shard // views
            for number in todo:
                rows = slice(number * step, (number + 1) * step)
                part = _with_projections(truth[rows], views)
                pixels = np.asarray(source[rows]).reshape(-1, *geometry.shape)
                _check_pixels(pixels, part["name"])
                pixels = (pixels * factor).astype(np.float32)
                _shards.write_shard(folder, layout, number, pixels, part)
                yield number

        meta = {"source": about.get("file", "import"), "positions": coord or "drawn"}
        options = {"verify": verify, "overwrite": overwrite}
        _shards.build(path, origin, layout, cutouts, meta, write_missing, **options)
    return SimulationDataset.open(path)


def _unit_factor(unit, geometry):
    unit = u.Unit(unit)
    if unit.is_equivalent(u.one):
        return unit.to(u.one)
    if unit.is_equivalent(u.arcmin**2):
        return (unit / geometry.pixel_scale.unit**2).to(u.one) / geometry.pixel_scale.value**2
    raise InvalidUnitError(
        "'unit' must be dimensionless, or a solid angle for y integrated over each pixel. "
        f"Received: {unit}"
    )


def _check_shape(source, geometry):
    shape = tuple(source.shape)
    if len(shape) not in (3, 4) or shape[-2:] != geometry.shape or 0 in shape:
        raise InvalidInputError(
            "'maps' must have the shape (N, ny, nx) or (N, projections, ny, nx) with the "
            f"{geometry.shape} pixels of 'geometry'. Received: {shape}"
        )
    if np.dtype(source.dtype).kind not in "fiu":
        raise InvalidInputError(f"'maps' must hold real numbers. Received: {source.dtype}")
    return shape[1] if len(shape) == 4 else 1


def _check_pixels(pixels, names):
    wrong = np.isinf(pixels).any(axis=(1, 2))
    if wrong.any():
        raise InvalidInputError(
            f"'maps' must be finite, or NaN outside of the footprint. Infinite in "
            f"{describe_rows(names[wrong], np.ones(np.count_nonzero(wrong), dtype=bool))}"
        )


def _truth(table, n):
    if isinstance(table, str | os.PathLike):
        table = read_table(table)
    if not isinstance(table, Table):
        raise InvalidInputError(
            f"'table' must be a table or a file. Received: {type(table).__name__}"
        )
    if len(table) != n:
        raise InvalidInputError(
            f"'table' must have a row for each entry of 'maps' ({n}). Received: {len(table)} rows"
        )
    return QTable(table)


def _renamed(table, cluster, mass, redshift, coord, mass_unit, seed):
    """Give the table our columns in front of its own."""
    given = {"cluster": cluster, "mass": mass, "redshift": redshift, "coord": coord}
    for argument, name in given.items():
        if name is not None and name not in table.colnames:
            raise InvalidInputError(
                f"'{argument}' names the column {name!r}, which the table does not have. It has "
                f"{', '.join(table.colnames)}."
            )
    masses = _masses(table[mass], mass, mass_unit)
    values = check_redshift(number_column(table[redshift], redshift)[0], positive=True)
    for what, array in (("mass", masses), ("redshift", values)):
        if (bad := ~np.isfinite(array)).any():
            raise InvalidInputError(
                f"The {what} must be known for every map: it is not in "
                f"{describe_rows(np.asarray(table[cluster]).astype(str), bad)}."
            )
    ids, mask, _ = column_parts(table[cluster])
    if ids.ndim != 1 or ids.dtype.kind not in "iuSU" or np.any(mask):
        raise InvalidInputError(
            f"The column {cluster!r} must hold a number or a name of the cluster in every row."
        )
    if ids.dtype.kind not in "iu":
        ids = np.unique(ids, return_inverse=True)[1]
    drawn = from_masses(masses * u.solMass, values, seed=seed)
    result = drawn.table
    if coord is not None:
        if not isinstance(table[coord], SkyCoord):
            raise InvalidInputError(f"The column {coord!r} must be a SkyCoord.")
        result["coord"] = table[coord]
    result["cluster_id"] = ids.astype(int)
    if "name" in table.colnames:
        result["name"] = _own_names(np.asarray(table["name"]).astype(str))
    for name in table.colnames:
        if name in (mass, redshift, coord, "name") or (name == cluster == "cluster_id"):
            continue
        if name in _OURS:
            raise InvalidInputError(
                f"The table has a column {name!r}, which is one of ours; rename it."
            )
        result[name] = table[name]
    result.meta.clear()
    return ClusterSample(result).table


def _own_names(names):
    """Number the maps that have one name, as projections are."""
    _, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    if np.all(counts == 1):
        return names
    order = np.argsort(inverse, kind="stable")
    which = np.empty(len(names), dtype=int)
    which[order] = np.concatenate([np.arange(n) for n in counts])
    return np.array(view_names(names, which))


def _masses(column, name, mass_unit):
    own = parse_unit(getattr(column, "unit", None))
    given = None if mass_unit is None else parse_unit(mass_unit)
    if own is None and given is None:
        raise InvalidUnitError(
            f"The column {name!r} has no unit. Say what it is in, for instance mass_unit='solMass'."
        )
    if own is not None and given is not None and own != given:
        raise InvalidUnitError(
            f"The column {name!r} is in {own}, and 'mass_unit' says {given}. Leave that out."
        )
    values, _ = number_column(column, name, u.solMass, unit=given)
    return check_mass(values * u.solMass, name)


def _with_projections(truth, views):
    table = truth[np.repeat(np.arange(len(truth)), views)]
    which = np.tile(np.arange(views), len(truth))
    if views > 1:
        table["name"] = view_names(table["name"], which)
    table["projection"] = which
    return table


@contextlib.contextmanager
def _open_maps(maps, key):
    """Open maps, with ``shape`` and read by slices, and what tells them from others, a dict."""
    if isinstance(maps, np.ndarray):
        yield maps, {"sha256": array_digest(maps)}
    elif isinstance(maps, str | os.PathLike):
        path = Path(maps)
        if not path.exists():
            raise FileNotFoundError(f"There is no file {str(path)!r}.")
        with _open_file(path, key) as data:
            yield data, {"file": path.name, "key": key, "sha256": file_sha256(path)}
    else:
        files = _Files([Path(path) for path in maps], key)
        yield files, {"files": len(files.paths), "key": key, "sha256": files.digest()}


@contextlib.contextmanager
def _open_file(path, key):
    name = path.name.lower()
    if name.endswith(".npy"):
        try:
            yield np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as err:
            raise FileFormatError(f"{path} cannot be read as npy: {err}") from err
    elif name.endswith(_FITS):
        with open_fits(path) as hdus:
            yield _hdu(hdus, key, path).data
    elif name.endswith(_HDF5):
        import h5py  # slow

        try:
            file = h5py.File(path, "r")
        except OSError as err:
            raise FileFormatError(f"{path} cannot be read as HDF5: {err}") from err
        with file:
            yield _hdf5_dataset(h5py, file, key, path)
    else:
        known = ", ".join([".npy", *_FITS, *_HDF5])
        raise FileFormatError(f"{path} has none of the suffixes {known}.")


def _hdu(hdus, key, path):
    if key is not None:
        try:
            hdu = hdus[key]
        except (KeyError, IndexError) as err:
            raise InvalidInputError(f"{path} has no HDU {key!r}.") from err
    else:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
        if len(images) != 1:
            raise InvalidInputError(
                f"{path} has {len(images)} images; say with 'key' which HDU holds the maps."
            )
        hdu = images[0]
    if not hdu.is_image or hdu.data is None:
        raise FileFormatError(f"The HDU {key!r} of {path} holds no image.")
    return hdu


def _hdf5_dataset(h5py, file, key, path):
    if key is None:
        found = []

        def collect(name, node):
            if isinstance(node, h5py.Dataset) and node.ndim >= 3:
                found.append(name)

        file.visititems(collect)
        if len(found) != 1:
            raise InvalidInputError(
                f"{path} has {len(found)} data sets of maps ({', '.join(found[:5])}); say with "
                "'key' which one."
            )
        key = found[0]
    if key not in file or not isinstance(file[key], h5py.Dataset):
        raise InvalidInputError(f"{path} has no data set {key!r}.")
    return file[key]


class _Files:
    """One map per file, as if they were one array."""

    def __init__(self, paths, key):
        if not paths:
            raise InvalidInputError("'maps' holds no files.")
        self.paths, self.key = paths, key
        first = self._read(paths[0])
        self.shape = (len(paths), *first.shape)
        self.dtype = first.dtype

    def _read(self, path):
        with _open_file(path, self.key) as data:
            return np.array(data)

    def __getitem__(self, index):
        part = [self._read(path) for path in self.paths[index]]
        for path, image in zip(self.paths[index], part, strict=True):
            if image.shape != self.shape[1:]:
                raise InvalidInputError(
                    f"{path} has the shape {image.shape}, the first file has {self.shape[1:]}."
                )
        return np.stack(part)

    def digest(self):
        """SHA-256 of names, sizes and dates: reading a hundred thousand files twice takes long."""
        digest = hashlib.sha256()
        for path in self.paths:
            stat = path.stat()
            digest.update(repr((path.name, stat.st_size, stat.st_mtime_ns)).encode())
        return digest.hexdigest()
