"""Words of a report: flags, positions, links to other services, file names of pages."""

import re
import unicodedata
from urllib.parse import quote_plus

import numpy as np

from szmass.results import FLAG_WORDS, MassFlag

__all__ = ["flag_names", "page_name", "position_facts", "sky_links"]

_SLUG_LENGTH = 40


def flag_names(value):
    """Split a flag into (name, meaning) of its bits; those not known stand as numbers."""
    value = int(value)
    found = [(bit.name, FLAG_WORDS.get(bit, bit.name)) for bit in MassFlag if value & bit]
    unknown = value & ~sum(MassFlag)
    if unknown:
        found.append((str(unknown), "A flag that this version of szmass does not know."))
    return found


def page_name(number, total, name):
    """Make the file name of a cluster's page: lower-case letters, digits and hyphens, no suffix.

    The number, from 1, makes the name unique, also where case does not count.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-")
    return f"{number:0{len(str(total))}d}" + (f"-{plain}" if plain else "")


def sky_links(name, ra, dec, radius=5.0):
    """Make links to other services about a place (ICRS [deg]), and objects in a radius [arcmin].

    Each is (label, address, what is there). The name is used where the position is not known.
    """
    if not (np.isfinite(ra) and np.isfinite(dec)):
        ident = quote_plus(name)
        return [
            (
                "SIMBAD",
                f"https://simbad.cds.unistra.fr/simbad/sim-id?Ident={ident}",
                "the object of this name",
            ),
            (
                "NED",
                f"https://ned.ipac.caltech.edu/byname?objname={ident}",
                "the object of this name",
            ),
        ]
    around = f"objects within {radius:g} arcmin"
    place, degrees = (quote_plus(f"{ra:.5f}{d} {dec:+.5f}{d}") for d in ("", "d"))
    return [
        (
            "SIMBAD",
            f"https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={place}"
            f"&CooFrame=ICRS&Radius={radius:g}&Radius.unit=arcmin",
            around,
        ),
        (
            "NED",
            "https://ned.ipac.caltech.edu/conesearch?search_type=Near+Position+Search"
            f"&in_csys=Equatorial&in_equinox=J2000&coordinates={degrees}"
            f"&radius={radius:g}",
            around,
        ),
        (
            "Aladin Lite",
            f"https://aladin.cds.unistra.fr/AladinLite/?target={place}"
            "&fov=0.50&survey=P%2FDSS2%2Fcolor",
            "optical image of half a degree",
        ),
    ]


def position_facts(ra, dec):
    """Write ICRS positions [deg] in degrees, in hours and degrees, and Galactic.

    There are three str for each, or None where it is not known.
    """
    from astropy.coordinates import SkyCoord

    known = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
    facts = [None] * len(ra)
    if not known.any():
        return facts
    coord = SkyCoord(ra[known], dec[known], unit="deg")
    hours = zip(
        coord.ra.to_string("hour", sep=":", precision=1, pad=True),
        coord.dec.to_string("deg", sep=":", precision=0, pad=True, alwayssign=True),
        strict=True,
    )
    galactic = coord.galactic
    rows = zip(np.flatnonzero(known), hours, galactic.l.deg, galactic.b.deg, strict=True)
    for i, (hour, degree), lon, lat in rows:
        facts[i] = (f"{ra[i]:.4f}°, {dec[i]:+.4f}°", f"{hour} {degree}", f"{lon:.4f}°, {lat:+.4f}°")
    return facts
