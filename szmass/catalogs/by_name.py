"""One cluster by its name: in the catalogues at hand, then by the services that resolve names."""

import functools
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from szmass._io.transfer import within
from szmass._tables.columns import column_parts, is_nothing
from szmass._utils.names import NameIndex
from szmass.catalogs._remote import conf, latest_snapshot
from szmass.catalogs.core import CATALOGS, Catalog
from szmass.catalogs.lensing import LensingTable
from szmass.catalogs.load import load_catalog
from szmass.clusters import Cluster, ClusterSample
from szmass.exceptions import (
    InvalidInputError,
    RemoteDataError,
    SzmassError,
    SzmassWarning,
    UnknownNameError,
)

__all__ = ["find_cluster"]

# It has the signal that all estimators can use.
_FIRST = "psz2"
# Services that place one name further apart than this mean different objects [arcmin].
_SAME_OBJECT = 20.0
_IDENTIFIERS = (
    "SELECT basic.main_id, basic.ra, basic.dec, basic.otype, basic.rvz_redshift, ids.ids "
    "FROM basic JOIN ident ON ident.oidref = basic.oid JOIN ids ON ids.oidref = basic.oid "
    "WHERE ident.id = '{}'"
)
# Types of clusters and groups of galaxies in SIMBAD and NED.
_CLUSTERS = ("ClG", "GrG", "CGG", "PCG", "SCG", "C?G", "Gr?", "SC?", "GClstr", "GGroup")


def find_cluster(name, *, catalog=None, redshift=None, offline=False, timeout=None):
    """Find a cluster by any of its usual names.

    The catalogues are asked first, by the name, in all spellings that cross-matching takes for the
    same, and by the further names that their rows have. Only what they do not know is asked of
    Sesame (the position), SIMBAD and NED (the redshift, and further names, by which the catalogues
    are asked again).

    Parameters
    ----------
    name : str
        The name, for instance ``"Abell 2142"``.
    catalog : str, path-like, `Catalog`, `~szmass.clusters.ClusterSample` or list of these, optional
        Where to look, the preferred one first: tags, which are fetched, files, or what was read. By
        default all catalogues that were fetched before (``szmass fetch psz2``), PSZ2 first.
    redshift : float, optional
        Its redshift, instead of that which is found.
    offline : bool, optional
        Ask no server; also if ``szmass.catalogs.conf.offline`` is set.
    timeout : float, optional
        Longest silence of a server [s]; ``szmass.catalogs.conf.vizier_timeout`` if None.

    Returns
    -------
    `~szmass.clusters.Cluster`
        The cluster under the name that was asked for, with the position and measurements of the
        first catalogue that has it. ``measurements["found_as"]`` says where it was found, and
        ``measurements["redshift_by"]`` whose redshift it is, if not the same.

    Raises
    ------
    UnknownNameError
        Nobody knows the name; the message says who was asked, and the nearest names.
    InvalidInputError
        The name is ambiguous: several rows of a catalogue have it, or services place it apart.
    RemoteDataError
        No catalogue has it, and a service did not answer.

    Warns
    -----
    SzmassWarning
        The redshift is not known, the object is no cluster, or a catalogue cannot be read.

    Examples
    --------
    >>> from szmass.catalogs import find_cluster
    >>> from szmass.estimators.checks import make_check_sample
    >>> sample = make_check_sample(3)
    >>> cluster = find_cluster("check 1", catalog=sample, offline=True)
    >>> bool(cluster.redshift == sample.redshift[1])
    True
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidInputError(f"'name' must be a name. Received: {name!r:.80}")
    name, offline = name.strip(), bool(offline or conf.offline)
    timeout = conf.vizier_timeout if timeout is None else timeout
    catalogs = _at_hand() if catalog is None else _given(catalog, offline)
    rows, known = _rows_in(catalogs, [name]), None
    if not rows:
        if offline:
            _raise_unknown(name, catalogs, ["nobody else (offline)"])
        known = _resolve(name, timeout=timeout)
        rows = _rows_in(catalogs, known.names)
        if not rows and known.coord is None:
            _raise_unresolved(name, catalogs, known)
    cluster = _cluster(name, catalogs, rows, known)
    if redshift is not None:
        cluster.redshift = redshift
    elif cluster.redshift is None:
        _find_redshift(cluster, catalogs, rows, known, None if offline else timeout)
    if known is not None and not rows and not known.is_cluster:
        warnings.warn(
            f"{name!r} is of type {known.kind}, no cluster of galaxies.",
            SzmassWarning,
            stacklevel=2,
        )
    return cluster


def _at_hand():
    """Catalogues of which there is a snapshot, by tag, PSZ2 first."""
    found = {}
    for tag in sorted(CATALOGS, key=lambda tag: (tag != _FIRST, tag)):
        cls = CATALOGS[tag]
        path = (
            None if cls.position is None or issubclass(cls, LensingTable) else latest_snapshot(tag)
        )
        if path is not None:
            try:
                found[tag] = _read(tag, path, os.stat(path).st_mtime_ns)
            except (SzmassError, OSError) as err:
                warnings.warn(f"{err} It is not looked at.", SzmassWarning, stacklevel=3)
    return found


@functools.lru_cache(maxsize=8)
def _read(tag, path, changed):
    return CATALOGS[tag].fetch(offline=True)


def _given(catalog, offline):
    """Catalogues or samples by the name that messages call them."""
    if not isinstance(catalog, list | tuple):
        catalog = [catalog]
    found = {}
    for number, source in enumerate(catalog):
        label = None
        if isinstance(source, str | os.PathLike):
            label = Path(source).name
            source = load_catalog(source, offline=offline)
        if not isinstance(source, Catalog | ClusterSample):
            raise InvalidInputError(
                "'catalog' must be a tag, a file, a Catalog or a ClusterSample, or a list of them. "
                f"Received: {source!r:.200}"
            )
        if isinstance(source, Catalog) and source.position is None:
            raise InvalidInputError(f"The catalogue {source.tag!r} has no positions.")
        found[label or getattr(source, "tag", None) or f"catalogue {number}"] = source
    return found


def _index_of(catalog):
    return catalog._index if isinstance(catalog, Catalog) else NameIndex(catalog.names)


def _rows_in(catalogs, names):
    """The row of each catalogue that has one of some names, or one that another row adds."""
    rows, names = {}, list(names)
    indices = {label: _index_of(catalog) for label, catalog in catalogs.items()}
    for _ in catalogs:  # a row can add the name by which another catalogue knows the cluster
        for label, index in indices.items():
            if label in rows:
                continue
            found = sorted({row for name in names for row in index.rows_of(name)})
            if len(found) > 1:
                listed = ", ".join(repr(str(index.names[row])) for row in found)
                raise InvalidInputError(
                    f"The name {names[0]!r} is ambiguous in {label}: {listed} have it. Ask for one "
                    "of these."
                )
            if found:
                rows[label] = found[0]
                names += index.names_of(found[0])
    return {label: rows[label] for label in catalogs if label in rows}


def _cluster(name, catalogs, rows, known):
    """The cluster in the first catalogue that has it, else as it was resolved."""
    for label, row in rows.items():
        catalog = catalogs[label]
        cluster = catalog[str(_index_of(catalog).names[row])]
        cluster.measurements["found_as"] = f"{cluster.name} ({label})"
        cluster.name = name
        return cluster
    cluster = Cluster(name, known.coord, known.redshift)
    cluster.measurements["found_as"] = f"{known.names[0] if known.names else name} (Sesame)"
    if known.redshift is not None:
        cluster.measurements["redshift_by"] = known.redshift_by
    return cluster


def _find_redshift(cluster, catalogs, rows, known, timeout):
    """Take the redshift from other catalogues, or from the services, or warn."""
    for label, row in rows.items():
        values, mask, _ = column_parts(catalogs[label].table["redshift"])
        if not mask[row] and np.isfinite(values[row]):
            cluster.redshift, cluster.measurements["redshift_by"] = float(values[row]), label
            return
    if known is None and timeout is not None:
        known = _resolve(cluster.name, timeout=timeout)
    if known is not None and known.redshift is not None:
        cluster.redshift = known.redshift
        cluster.measurements["redshift_by"] = known.redshift_by
        return
    asked = [*rows, *(["SIMBAD", "NED"] if known is not None else [])]
    silent = "".join(f" {who} did not answer." for who in (known.silent if known else ()))
    warnings.warn(
        f"The redshift of {cluster.name!r} is not known to {', '.join(asked)}.{silent} Say it "
        "where you know it, with redshift=..., or set cluster.redshift.",
        SzmassWarning,
        stacklevel=3,
    )


def _raise_unknown(name, catalogs, others):
    nearest = {label: _index_of(catalog).nearest(name) for label, catalog in catalogs.items()}
    told = [
        label + (f" (nearest: {', '.join(map(repr, close))})" if close else "")
        for label, close in nearest.items()
    ]
    raise UnknownNameError(
        f"No cluster is named {name!r}. Asked: {', '.join([*told, *others])}."
        + ("" if catalogs else _NONE_AT_HAND)
    )


_NONE_AT_HAND = (
    " No catalogue is at hand; 'szmass fetch psz2' fetches one, which is then asked first."
)


def _raise_unresolved(name, catalogs, known):
    if not known.silent:
        _raise_unknown(name, catalogs, known.unknown)
    silent = "; ".join(f"{who} did not answer ({why})" for who, why in known.silent.items())
    asked = ", ".join([*catalogs, *known.unknown])
    raise RemoteDataError(
        f"The name {name!r} could not be resolved: {silent}."
        + (f" {asked} do not know it." if asked else "")
        + ("" if catalogs else _NONE_AT_HAND)
        + " Try again later, or make the cluster of its position: Cluster(name, coord, redshift)."
    )


# Sesame, SIMBAD and NED. Each is asked once; what it does not know is no error, and one that does
# not answer is told.


@dataclass
class _Resolved:
    """What services know of a name."""

    coord: SkyCoord | None = None
    redshift: float | None = None
    redshift_by: str = ""  # which service knows it
    names: list = field(default_factory=list)  # further ones
    kind: str = ""  # type of the object, with the service that says so
    unknown: list = field(default_factory=list)  # services that do not know the name
    silent: dict = field(default_factory=dict)  # services that did not answer, and why

    @property
    def is_cluster(self):
        """Whether its type is one of clusters or groups, or not known."""
        return not self.kind or self.kind.partition(" ")[0] in _CLUSTERS


def _resolve(name, *, timeout):
    """Ask for a name: Sesame for the position, SIMBAD, then NED for the redshift.

    ``timeout`` is the longest silence of each [s].
    """
    found, places = _Resolved(), {}
    for service, ask in (("Sesame", _sesame), ("SIMBAD", _simbad), ("NED", _ned)):
        if service == "NED" and found.redshift is not None:
            break
        try:
            known = within(timeout, ask, name)
        except Exception as err:  # noqa: BLE001 - a service that is down can raise anything
            found.silent[service] = f"{type(err).__name__}: {err}" if str(err) else repr(err)
            continue
        if known is None:
            found.unknown.append(service)
            continue
        coord, facts = known
        if coord is not None:
            places[service] = coord
        if facts.get("kind") and not found.kind:
            found.kind = f"{facts['kind']} ({service})"
        found.names += facts.get("names", [])
        if facts.get("redshift") is not None:
            found.redshift, found.redshift_by = facts["redshift"], service
    _require_one_place(name, places)
    found.coord = next(iter(places.values()), None)
    return found


def _require_one_place(name, places):
    (first, here), *others = places.items() or [(None, None)]
    for service, there in others:
        apart = here.separation(there).arcmin
        if apart > _SAME_OBJECT:
            raise InvalidInputError(
                f"The name {name!r} is ambiguous: {first} and {service} have objects {apart:.0f} "
                "arcmin apart. Use another name of the cluster, or make it of its position: "
                "Cluster(name, coord, redshift)."
            )


def _sesame(name):
    from astropy.coordinates.name_resolve import NameResolveError

    try:
        return SkyCoord.from_name(name), {}
    except NameResolveError as err:
        # The same kind of error for a name that is not known and for servers that do not answer.
        if "Unable to find coordinates" in str(err):
            return None
        raise


def _simbad(name):
    from astroquery.simbad import Simbad

    quoted = name.replace("'", "''")
    table = Simbad.query_tap(_IDENTIFIERS.format(quoted))
    if table is None or not len(table):
        return None
    row = table[0]
    names = [text.strip() for text in str(row["ids"]).split("|")]
    facts = {"names": [str(row["main_id"]), *names], "kind": str(row["otype"])}
    return _place(row["ra"], row["dec"]), facts | {"redshift": _number(row["rvz_redshift"])}


def _ned(name):
    from astroquery.exceptions import RemoteServiceError
    from astroquery.ipac.ned import Ned

    try:
        table = Ned.query_object(name)
    except RemoteServiceError as err:
        # What it says of names that it does not know; without a reason it failed.
        if "ERROR:" in str(err):
            return None
        raise
    if not len(table):
        return None
    row, columns = table[0], table.colnames
    lon, lat = (next(c for c in columns if c in (axis, f"{axis}(deg)")) for axis in ("RA", "DEC"))
    facts = {"names": [str(row["Object Name"])], "kind": str(row["Type"])}
    return _place(row[lon], row[lat]), facts | {"redshift": _number(row["Redshift"])}


def _number(value):
    if is_nothing(value) or np.ma.is_masked(value) or not np.isfinite(value):
        return None
    return float(value)


def _place(lon, lat):
    """A position [deg], or None where it is not known."""
    lon, lat = _number(lon), _number(lat)
    return None if lon is None or lat is None else SkyCoord(lon, lat, unit="deg")
