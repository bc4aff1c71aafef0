"""Cross-matching of catalogues: by position, redshift and name, with the probability of chance.

Positions are compared as unit vectors in a k-d tree, whatever their frames: a million against
a million takes seconds. A name matches in all its usual spellings.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields

import astropy.units as u
import numpy as np
from astropy.coordinates import ConvertError, SkyCoord
from astropy.table import QTable, Table

from szmass._tables.angles import known_positions
from szmass._tables.columns import as_qtable, column_parts, number_column
from szmass._tables.roles import (
    as_table,
    by_column,
    find_role,
    given_column,
    position_columns,
    split_pairs,
)
from szmass._tables.samples import as_dict, positions_of
from szmass.catalogs.crossmatch._matching import Matching, name_keys
from szmass.catalogs.crossmatch._table import assemble, require_prefixes
from szmass.exceptions import InvalidInputError

__all__ = ["crossmatch", "crossmatch_many"]

_ROLES = (
    *("name", "coord", "ra", "dec", "glon", "glat", "redshift", "pos_err", "aliases", "frame"),
    *("units", "missing"),
)
# A cluster's peculiar velocity cannot do this: -1 and the like mean "not known".
_LOWEST_REDSHIFT = -0.01


def crossmatch(
    a,
    b,
    *,
    radius="10 arcmin",
    n_sigma=None,
    delta_redshift=None,
    redshift_scale="absolute",
    keep_unknown_redshift=False,
    by="position",
    mode="best",
    unmatched=False,
    prefixes=("a", "b"),
    columns=(None, None),
    density=None,
):
    """Match the rows of two catalogues.

    Parameters
    ----------
    a, b : `~astropy.table.Table` or `~szmass.catalogs.Catalog` or `~szmass.clusters.ClusterSample`
        The catalogues; anything with a ``table``, or a DataFrame. They are not changed.
    radius : `~astropy.units.Quantity` or str or None, optional
        Largest separation: one angle, or one per row of ``a``. None where ``n_sigma`` alone
        is to limit it.
    n_sigma : float, optional
        Largest separation in units of the position error of the pair, which is
        sqrt(pos_err_a^2 + pos_err_b^2); a catalogue without errors counts as exact. What a
        ``pos_err`` means is the catalogue's affair: that of PSZ2 is a 95 % radius.
    delta_redshift : float, optional
        Largest difference of the redshifts; None for any.
    redshift_scale : {"absolute", "1+z"}, optional
        Whether ``delta_redshift`` limits abs(z_b - z_a), or that divided by 1 + (z_a + z_b) / 2.
    keep_unknown_redshift : bool, optional
        With ``delta_redshift``: keep pairs of which a redshift is not known.
    by : {"position", "name", "position_or_name"}, optional
        What makes a pair. A pair of the same name may be any distance apart, and is better
        than every pair by position alone.
    mode : {"best", "nearest", "all"}, optional
        ``"best"`` is one-to-one: pairs are taken in the order of their separation (with
        ``n_sigma``: in units of the error), each row once. A close pair is never given up
        so that more rows find a partner. ``"nearest"`` gives each row of ``a`` its best row
        of ``b``, which several can share. Equal separations go by the order of the rows.
    unmatched : bool or {"a", "b"}, optional
        Also give the rows without a partner, of both or of one; the other's columns are masked.
    prefixes : (str, str), optional
        What the column names begin with.
    columns : (dict or None, dict or None), optional
        Columns of a table where their names do not tell, by ours, as in `ClusterSample.from_table
        <szmass.clusters.ClusterSample.from_table>`, for instance ``({"name": "MCXC", "aliases":
        ["OName", "AName"]}, None)``: ``name``, ``ra`` and ``dec``, or ``glon`` and ``glat``, or
        ``coord`` (a name or two), ``redshift``, ``pos_err``, and ``aliases``, columns of more
        names, separated by commas if several. Further keys are ``frame``, and ``units`` and
        ``missing``, dicts by our names or theirs.
    density : `~astropy.units.Quantity`, optional
        Number of rows of ``b`` per solid angle, for ``p_chance``. By default it is measured
        around each match.

    Returns
    -------
    `~astropy.table.QTable`
        In the order of ``a``: the columns of both with their prefixes, positions as ``ra`` and
        ``dec`` [deg, ICRS]; then ``separation`` [arcmin], ``delta_redshift`` (z_b - z_a),
        ``p_chance`` and ``matched_by`` ("position", "name" or "position+name").
        ``meta["crossmatch"]`` has the options and how many rows matched.

    Raises
    ------
    InvalidInputError
        A column is not there or holds values that cannot be, or an option is not known.
    InvalidUnitError
        An angle has no angular unit.

    Notes
    -----
    ``p_chance`` is the probability that at least one unrelated row of ``b`` is as close to
    the row of ``a``, 1 - exp(-n 4 pi sin^2(separation / 2)), with the surface density n
    of ``b``. It tells of one row and of positions alone: among N rows N p_chance false matches
    are expected, and a redshift tolerance makes them fewer. The density is the median, over the
    12 rows of ``b`` nearest to the match, of (5 - 1/3) / (solid angle of the cap to
    their fifth neighbour).

    Rows without a position (masked or NaN) never match by position. Rows without a name
    never match by name. Rows of the same name in one catalogue all match by it, and ``mode``
    chooses among them. Proper motions are ignored.

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from astropy.table import QTable
    >>> from szmass.catalogs import crossmatch
    >>> sz = QTable({"name": ["PSZ2 G115.25-72.07", "PSZ2 G044.20+48.66"]})
    >>> sz["redshift"] = [0.0555, 0.0894]
    >>> sz["coord"] = SkyCoord([115.254, 44.205], [-72.069, 48.656], unit="deg", frame="galactic")
    >>> wl = QTable({"name": ["A2142", "A85"], "redshift": [0.091, 0.055]})
    >>> wl["coord"] = SkyCoord([239.583, 10.460], [27.233, -9.303], unit="deg")
    >>> pairs = crossmatch(sz, wl, radius="10 arcmin", delta_redshift=0.03, prefixes=("sz", "wl"))
    >>> print(pairs["sz_name", "wl_name"])
         sz_name       wl_name
    ------------------ -------
    PSZ2 G115.25-72.07     A85
    PSZ2 G044.20+48.66   A2142
    """
    require_prefixes(prefixes, 2)
    if not (isinstance(unmatched, bool) or unmatched in ("a", "b")):
        raise InvalidInputError(
            f"'unmatched' must be True, False, 'a' or 'b'. Received: {unmatched!r}"
        )
    if len(columns) != 2:
        raise InvalidInputError(f"'columns' must be a pair. Received: {columns!r}")
    matching = Matching(
        radius=radius,
        n_sigma=n_sigma,
        delta_redshift=delta_redshift,
        redshift_scale=redshift_scale,
        keep_unknown_redshift=keep_unknown_redshift,
        by=by,
        mode=mode,
        density=density,
    )
    first, second = read_sources(a, columns[0], "a"), read_sources(b, columns[1], "b")
    pairs = matching.match(first, second)
    counts = {
        "rows": [len(first), len(second)],
        "without_position": [int(np.count_nonzero(~s.known)) for s in (first, second)],
        "pairs": len(pairs.i),
        "matched": [np.count_nonzero(np.bincount(rows)) for rows in (pairs.i, pairs.j)],
    }
    if unmatched in (True, "a"):
        pairs = pairs.with_unmatched_a(len(first))
    if unmatched in (True, "b"):
        pairs = pairs.with_unmatched_b(len(second))
    parts = [(prefixes[0], first, pairs.i), (prefixes[1], second, pairs.j)]
    result = assemble(parts, {"": pairs})
    result.meta["crossmatch"] = matching.to_dict() | {"unmatched": unmatched} | counts
    return result


def crossmatch_many(catalogs, *, reference, mode="best", unmatched=True, columns=None, **options):
    """Match several catalogues with one of them.

    Parameters
    ----------
    catalogs : dict of str to table
        The catalogues as `crossmatch` takes them; the keys become the prefixes.
    reference : str
        Key of the one whose rows the result has.
    mode : {"best", "nearest"}, optional
        See `crossmatch`, with the reference as ``a``.
    unmatched : bool, optional
        Whether rows of the reference that have no match at all are kept.
    columns : dict of str to dict, optional
        By key, see `crossmatch`.
    **options : dict
        ``radius``, ``n_sigma``, ``delta_redshift``, ``redshift_scale``,
        ``keep_unknown_redshift``, ``by`` and ``density`` of `crossmatch`; a dict gives the
        values by key.

    Returns
    -------
    `~astropy.table.QTable`
        One row per row of the reference, in its order. The columns of the reference, then for
        each other catalogue its columns and ``<key>_separation``, ``<key>_delta_redshift``,
        ``<key>_p_chance``, ``<key>_matched_by``; masked where there is no match.

    Raises
    ------
    InvalidInputError
        A key or an option is not known, or see `crossmatch`.

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from astropy.table import QTable
    >>> from szmass.catalogs import crossmatch_many
    >>> coord = SkyCoord([10.460, 239.583], [-9.303, 27.233], unit="deg")
    >>> sz = QTable({"name": ["PSZ2 G115.25-72.07", "PSZ2 G044.20+48.66"], "coord": coord})
    >>> wl = QTable({"name": ["A2142", "A85"], "coord": coord[::-1]})
    >>> x = QTable({"name": ["J0041.8-0918"], "coord": coord[:1]})
    >>> table = crossmatch_many({"sz": sz, "wl": wl, "x": x}, reference="sz")
    >>> print(table["sz_name", "wl_name", "x_name"])
         sz_name       wl_name    x_name
    ------------------ ------- ------------
    PSZ2 G115.25-72.07     A85 J0041.8-0918
    PSZ2 G044.20+48.66   A2142           --
    """
    if not isinstance(catalogs, Mapping) or len(catalogs) < 2:
        raise InvalidInputError("'catalogs' must be a dict of at least two tables.")
    require_prefixes(tuple(catalogs), len(catalogs))
    if reference not in catalogs:
        raise InvalidInputError(
            f"'reference' must be one of {', '.join(catalogs)}. Received: {reference!r}"
        )
    if mode == "all":
        raise InvalidInputError(
            "'mode' must be 'best' or 'nearest': the result has one row per row of the reference. "
            "Use crossmatch for all pairs of two catalogues."
        )
    known = [field.name for field in fields(Matching) if field.name != "mode"]
    unknown = sorted(set(options).difference(known))
    if unknown:
        raise InvalidInputError(f"Unknown: {', '.join(unknown)}. Options are {', '.join(known)}.")
    by_key = {name: value for name, value in options.items() if isinstance(value, Mapping)}
    for name, value in (by_key | {"columns": columns or {}}).items():
        if not isinstance(value, Mapping) or set(value).difference(catalogs):
            raise InvalidInputError(
                f"'{name}' must be a dict by the keys of 'catalogs' ({', '.join(catalogs)}). "
                f"Received: {value!r}"
            )
    sources = {
        key: read_sources(catalog, (columns or {}).get(key), key)
        for key, catalog in catalogs.items()
    }
    first = sources.pop(reference)
    parts, matches, meta = [(reference, first, np.arange(len(first)))], {}, {}
    matched = np.zeros(len(first), dtype=bool)
    for key, other in sources.items():
        given = {name: value for name, value in options.items() if name not in by_key}
        given |= {name: values[key] for name, values in by_key.items() if key in values}
        matching = Matching(mode=mode, **given)
        pairs = matching.match(first, other)
        meta[key] = matching.to_dict() | {"rows": len(other), "matched": len(pairs.i)}
        matched[pairs.i] = True
        matches[key] = pairs.with_unmatched_a(len(first))
        parts.append((key, other, matches[key].j))
    result = assemble(parts, matches)
    result.meta["crossmatch"] = {"reference": reference, "catalogs": meta}
    return result if unmatched else result[matched]


@dataclass
class Sources:
    """The rows of one table as plain arrays; ``label`` is how messages call it."""

    table: QTable
    given: Table  # as it was given: text can have units there
    label: str
    names: list  # columns of names, the first the name itself
    positions: tuple  # columns of the position; empty without one
    unclear: str  # why none was chosen among several
    frame: str | None  # what the caller says about the position
    units: dict  # by column
    missing: dict  # by column
    redshift: np.ndarray  # NaN where unknown
    pos_err: np.ndarray | None  # [arcmin]

    def __len__(self):
        return len(self.table)

    @functools.cached_property
    def vectors(self):
        """ICRS unit vectors, shape (N, 3), NaN where the position is not known."""
        vectors = np.full((len(self), 3), np.nan)
        if not self.positions or not len(self):
            return vectors
        coord = positions_of(
            self.given,
            self.positions,
            self.frame,
            self.units,
            self.missing,
            label=f"'{self.label}': ",
        )
        known = known_positions(coord)
        if known.any():
            coord = coord[known]
            unmasked = getattr(coord, "unmasked", coord)
            try:
                sky = unmasked.icrs.spherical
            except (ConvertError, AttributeError) as err:  # the latter for AltAz without a place
                raise InvalidInputError(
                    f"'{self.label}': positions in the frame {coord.frame.name!r} cannot be "
                    f"converted to ICRS: {err}"
                ) from err
            lon, lat = sky.lon.rad, sky.lat.rad
            vectors[known] = np.stack(
                (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1
            )
        return vectors

    @functools.cached_property
    def known(self):
        """Where the position is known, shape (N,)."""
        return np.isfinite(self.vectors[:, 0])

    @functools.cached_property
    def keys(self):
        """Rows and keys of all names, see `szmass.catalogs.crossmatch._matching.name_keys`."""
        if not self.names:
            raise InvalidInputError(
                f"'{self.label}' has no column 'name' or 'cluster' to match names by. Say which "
                f"it is, for instance {{'name': '{(self.table.colnames or ['column'])[0]}'}} in "
                f"'columns'. It has {', '.join(self.table.colnames) or 'no columns'}."
            )
        columns = [column_parts(self.table[name])[:2] for name in self.names]
        return name_keys(columns, split=range(1, len(columns)))


def read_sources(catalog, columns, label):
    """Find what matching needs in a table, or in an object that has one, with its columns by role.

    Names and positions are looked at when they are needed.
    """
    table = getattr(catalog, "table", catalog)
    table = as_table(table, label, "a Table, a DataFrame, a Catalog or a ClusterSample")
    columns = as_dict(columns, "columns")
    roles = {name: columns.pop(name) for name in ("units", "missing", "aliases") if name in columns}
    coord, frame, angles = split_pairs(table, columns, None, None)
    unknown = sorted(set(columns).difference(_ROLES))
    if unknown:
        raise InvalidInputError(
            f"'columns' of '{label}' takes {', '.join(_ROLES)}. Received: {', '.join(unknown)}"
        )
    given = functools.partial(given_column, table, label=f"'{label}'")
    find = functools.partial(find_role, table, label=f"'{label}'")
    aliases = roles.get("aliases") or ()
    names = [find("name", columns.get("name"))]
    names += [given(name) for name in ([aliases] if isinstance(aliases, str) else aliases)]
    redshift = find("redshift", columns.get("redshift"))
    pos_err = find("pos_err", columns.get("pos_err"))
    ours = {"redshift": redshift, "pos_err": pos_err}
    said = {}
    for what in ("units", "missing"):
        by_name = by_column(table, as_dict(roles.get(what), what), angles)
        said[what] = {given(ours.get(name) or name): value for name, value in by_name.items()}
    about = {"said": said, "label": f"'{label}': "}
    positions, unclear = _positions(table, coord, frame, said)
    return Sources(
        table=as_qtable(table),
        given=table,
        label=label,
        names=[name for name in names if name is not None],
        positions=positions,
        unclear=unclear,
        frame=frame,
        units=said["units"],
        missing=said["missing"],
        redshift=_redshifts(table, redshift, **about),
        pos_err=None if pos_err is None else _errors(table, pos_err, **about),
    )


def _positions(table, coord, frame, said):
    """Columns of the position, empty without one, and why not if that is not the reason."""

    def read(some, pair):
        return positions_of(some, pair, frame, said["units"], said["missing"])

    told = coord is not None or frame is not None
    try:
        return tuple(position_columns(table, coord, frame, read, required=told)), ""
    except InvalidInputError as err:
        if told or any(isinstance(column, SkyCoord) for column in table.itercols()):
            raise
        return (), str(err)  # matched by name only, or an error when positions are asked for


def _redshifts(table, column, said, label):
    if column is None:
        return np.full(len(table), np.nan)
    about = {"unit": said["units"].get(column), "missing": said["missing"].get(column)}
    redshift, _ = number_column(table[column], column, label=label, **about)
    marks = redshift < _LOWEST_REDSHIFT
    if marks.any():
        raise InvalidInputError(
            f"{label}the redshift '{column}' is {redshift[marks][0]:g} in "
            f"{np.count_nonzero(marks)} rows. Mask what is not known; szmass catalogues do."
        )
    return redshift


def _errors(table, column, said, label):
    about = {"unit": said["units"].get(column), "missing": said["missing"].get(column)}
    errors, _ = number_column(table[column], column, u.arcmin, label=label, **about)
    if np.any(errors < 0):
        raise InvalidInputError(
            f"{label}the position error '{column}' must not be negative. "
            f"Received: {np.nanmin(errors)} arcmin"
        )
    return errors
