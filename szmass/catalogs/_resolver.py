"""Positions, redshifts and further names by the name of an object: Sesame, SIMBAD and NED.

Each service is asked once; what it does not know is no error, and one that does not answer is told.
"""

from dataclasses import dataclass, field

import numpy as np
from astropy.coordinates import SkyCoord

from szmass._io.transfer import within
from szmass._tables.columns import is_nothing
from szmass.exceptions import InvalidInputError

# Services that place one name further apart than this mean different objects [arcmin].
_SAME_OBJECT = 20.0
_IDENTIFIERS = (
    "SELECT basic.main_id, basic.ra, basic.dec, basic.otype, basic.rvz_redshift, ids.ids "
    "FROM basic JOIN ident ON ident.oidref = basic.oid JOIN ids ON ids.oidref = basic.oid "
    "WHERE ident.id = '{}'"
)
# Types of clusters and groups of galaxies in SIMBAD and NED.
_CLUSTERS = ("ClG", "GrG", "CGG", "PCG", "SCG", "C?G", "Gr?", "SC?", "GClstr", "GGroup")


@dataclass
class Resolved:
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


def resolve(name, *, timeout):
    """Ask for a name: Sesame for the position, SIMBAD, then NED for the redshift.

    ``timeout`` is the longest silence of each [s].
    """
    found, places = Resolved(), {}
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
