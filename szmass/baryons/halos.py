"""Catalogues of dark-matter haloes of any simulation, with one set of names and units."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, vstack

from szmass._tables.columns import column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.seeds import check_count
from szmass.baryons._columns import MASSES, RADII
from szmass.baryons._reading import Reading
from szmass.exceptions import InvalidInputError
from szmass.physics import MassDefinition, convert_mass, get_cosmology, overdensity_radius
from szmass.physics.checks import MASS_RANGE

__all__ = ["HaloCatalog"]

_AT_A_TIME = 1_000_000
# Concentrations that NFW profiles are converted with.
_CONCENTRATIONS = (0.5, 200.0)


class HaloCatalog:
    """Haloes with one set of names and units, whoever found them.

    `read`, `iterate` and `from_table` make catalogues; ``halos["m500c"]`` is a column. Columns that
    the catalogue lacks and that follow from others are made when they are asked for, and said in
    ``meta["derived"]``: ``m500_m200``, ``coord``, radii from masses, and with ``rs`` or ``c200c``
    and a cosmology concentrations and masses in other definitions, for NFW profiles. No
    concentration is ever taken from a relation.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns of these names, in units that convert to: ``id``; ``host``, the identifier of the
        larger halo that one lies in, masked for hosts (or -1 or 0, where nothing is masked);
        ``redshift``; ``m200c``, ``m500c``,
        ``m200m``, ``mvir``, ``mpeak`` [solMass]; ``r200c``, ``r500c``, ``rvir``, ``rs`` [Mpc,
        physical]; ``vmax``, ``vpeak``, ``vrms`` [km/s]; ``c200c``, ``c500c``, ``spin``,
        ``c_to_a``, ``b_to_a``, ``half_mass_scale``, ``last_merger_scale``, ``accretion_rate``
        [solMass/yr], ``delta_r``, ``f_s``, ``eta``, ``relaxed``; ``m500c_at_0.9`` and the like
        [solMass], M500c at these shares of the scale factor; ``x``, ``y``, ``z`` [Mpc, comoving],
        or ``ra``, ``dec`` [deg]; and baryons of a simulation that has them, by the names of
        ``szmass.physics.PROPERTIES``. None but the redshift is needed.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        That of the simulation.
    meta : dict, optional
        Where the haloes are from, in plain texts and numbers.

    Raises
    ------
    InvalidInputError
        There is no column ``redshift``.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass.baryons import HaloCatalog
    >>> table = QTable({"id": [3, 8], "M": [4e14, 1e14], "pid": [-1, 3], "rs": [0.4, 0.2] * u.Mpc})
    >>> halos = HaloCatalog.from_table(
    ...     table, columns={"mvir": "M", "host": "pid"}, units={"mvir": "solMass/h"}, h=0.7,
    ...     redshift=0.1)
    >>> halos["mvir"].round(-12)
    <Quantity [5.71e+14, 1.43e+14] solMass>
    >>> len(halos.hosts)
    1
    """

    def __init__(self, table, *, cosmology=None, meta=None):
        check_kind(table, "Table", "table")
        if "redshift" not in table.colnames:
            raise InvalidInputError(
                "'table' must have a column 'redshift'. It has "
                f"{', '.join(table.colnames) or 'no columns'}; HaloCatalog.from_table(table, "
                "redshift=...) gives all haloes the same."
            )
        self.table = QTable(table, copy=False)
        if "host" in table.colnames:
            values, mask, _ = column_parts(table["host"])
            # Where hosts are masked, 0 is the first halo of a file.
            none = mask | (values < (0 if hasattr(table["host"], "mask") else 1))
            self.table["host"] = MaskedColumn(np.where(none, 0, values), mask=none)
        self.cosmology = None if cosmology is None else get_cosmology(cosmology)
        self.meta = dict(meta or {})
        self._derived = {}

    @classmethod
    def read(cls, path, **options):
        """Read a whole file.

        Parameters
        ----------
        path : path-like
            ``out_*.list`` of Rockstar, ``hlist_*.list`` of consistent-trees, their form in HDF5,
            ``*_halos`` of AHF, or a table in HDF5, Parquet, FITS, ECSV, VOTable or CSV.
        **options : dict
            As in `iterate`, but for ``rows``.

        Returns
        -------
        `HaloCatalog`
            The haloes in the order of the file.

        Raises
        ------
        FileFormatError
            The file is truncated, of mixed versions, or no halo catalogue.
        InvalidInputError
            A value is not known (redshift, h, units, the definition of AHF's masses), or is
            implausible, as where h was forgotten.

        Warns
        -----
        SzmassWarning
            Some rows hold what is no number; they are kept, with NaN.
        """
        reading = Reading(path, **options)
        return cls._of(reading, reading.source.pieces(_AT_A_TIME))

    @classmethod
    def iterate(
        cls, path, *, rows=_AT_A_TIME, format=None, columns=None, units=None, missing=None, h=None,
        redshift=None, cosmology=None, mass_definition=None, only=None, also=(),
    ):  # fmt: skip
        """Read a file of any length in pieces; memory is bounded by that of one.

        Parameters
        ----------
        path : path-like
            As in `read`. ECSV, VOTable and CSV are read as a whole first.
        rows : int, optional
            How many haloes a piece has, about so many for text.
        format : str, optional
            ``"rockstar"``, ``"consistent-trees"``, ``"rockstar-hdf5"``, ``"ahf"``, ``"hdf5"``,
            ``"parquet"``, ``"fits"``, ``"ecsv"``, ``"votable"`` or ``"csv"``; by default what the
            content tells.
        columns : dict, optional
            Names of columns by ours, such as ``{"m200c": "M200"}``; over those that are known.
        units : dict, optional
            Units of columns, over those of the file: as astropy's, and with "/h" and "(comoving)"
            behind, such as ``"solMass/h"`` or ``"kpc/h (comoving)"``.
        missing : dict, optional
            Numbers that stand for "not known", such as ``{"c200c": -1}``.
        h : float, optional
            H0 / (100 km/s/Mpc), where units have it in them and the file does not say it.
        redshift : float, optional
            Redshift of all haloes, where the file does not say it.
        cosmology : str or `~astropy.cosmology.FLRW`, optional
            That of the simulation, where the file does not say it.
        mass_definition : str, optional
            What masses and radii of AHF are: ``"200c"``, ``"200m"``, ``"500c"`` or ``"vir"``.
        only : list of str, optional
            Columns to read, by our names; fewer are faster. Identifiers and redshifts always are.
        also : list of str, optional
            Further columns, by their names in the file, to hand on as they are.

        Yields
        ------
        `HaloCatalog`
            Some of the haloes, in the order of the file.

        Raises
        ------
        FileFormatError, InvalidInputError
            As in `read`.
        """
        reading = Reading(
            path, format=format, columns=columns, units=units, missing=missing, h=h,
            redshift=redshift, cosmology=cosmology, mass_definition=mass_definition, only=only,
            also=also,
        )  # fmt: skip
        for piece in reading.source.pieces(check_count(rows, "rows")):
            yield cls._of(reading, [piece])

    @classmethod
    def from_table(cls, table, **options):
        """Make a catalogue of a table.

        Parameters
        ----------
        table : `~astropy.table.Table`
            The table; it is not changed.
        **options : dict
            ``columns``, ``units``, ``missing``, ``h``, ``redshift``, ``cosmology``, ``only`` and
            ``also``, as in `iterate`.

        Returns
        -------
        `HaloCatalog`
            The haloes.

        Raises
        ------
        InvalidInputError
            As in `read`.
        """
        check_kind(table, "Table", "table")
        reading = Reading(table, **options)
        return cls._of(reading, [(0, len(table))])

    @classmethod
    def _of(cls, reading, pieces):
        tables = [reading.table(piece) for piece in pieces or [(0, 0)]]
        table = tables[0] if len(tables) == 1 else vstack(tables, metadata_conflicts="silent")
        return cls(table, cosmology=reading.cosmology, meta=reading.meta)

    def __len__(self):
        return len(self.table)

    def __repr__(self):
        source = self.meta.get("file", self.meta.get("format", "table"))
        return f"<HaloCatalog of {len(self)} haloes from {source}: {', '.join(self.colnames)}>"

    def __contains__(self, name):
        return name in self.colnames

    def __getitem__(self, item):
        """Give a column by its name, made of others where need be, or some of the haloes."""
        if not isinstance(item, str):
            part = type(self)(self.table[item], cosmology=self.cosmology, meta=self.meta)
            part._derived = {name: column[item] for name, column in self._derived.items()}
            return part
        if item in self.table.colnames:
            return self.table[item]
        if item not in self._derived:
            made = self._derive(item)
            if made is None:
                raise KeyError(f"{item!r}: the catalogue has {', '.join(self.colnames)}")
            self._derived[item], how = made
            self.meta["derived"] = {**self.meta.get("derived", {}), item: how}
        return self._derived[item]

    @property
    def colnames(self):
        """Names of the columns that the catalogue has, without those that would be derived."""
        return list(self.table.colnames)

    @property
    def is_host(self):
        """Which haloes lie in no larger one, shape (N,).

        Raises
        ------
        InvalidInputError
            There is no column ``host``.
        """
        if "host" not in self.table.colnames:
            raise InvalidInputError(
                "The haloes do not say which of them lie in larger ones: there is no column "
                "'host'. Rockstar's find_parents adds it to its lists (PID); in a table say which "
                "column has it, for instance columns={'host': 'PID'}."
            )
        return np.array(self.table["host"].mask)

    @property
    def hosts(self):
        """The haloes that lie in no larger one.

        Raises
        ------
        InvalidInputError
            There is no column ``host``.
        """
        return self[self.is_host]

    def require(self, names, purpose="this"):
        """Check that columns are there or can be made; the error has all that are not.

        Parameters
        ----------
        names : sequence of str
            Names of columns.
        purpose : str, optional
            Who needs them, for the message.

        Raises
        ------
        InvalidInputError
            Some are not there.
        """
        few, lost = self[:0], []
        for name in names:
            try:
                _ = few[name]
            except KeyError:
                lost.append(name)
        if lost:
            hint = ""
            if set(lost) & {*MASSES, "c200c", "c500c", "m500_m200"}:
                hint = (
                    " A mass in one definition gives those in others with a scale radius 'rs', or "
                    "'c200c', and the cosmology"
                    + ("." if self.cosmology is not None else ", which is not known: give one.")
                )
            raise InvalidInputError(
                f"The haloes lack {', '.join(map(repr, lost))}, which {purpose} needs. They have "
                f"{', '.join(self.colnames)}.{hint}"
            )

    def _derive(self, name):
        """Make a column of others: it and how, or None."""
        if name == "m500_m200":
            if None in (m500 := self._get("m500c"), m200 := self._get("m200c")):
                return None
            return (m500 / m200).to_value(u.dimensionless_unscaled), "m500c / m200c"
        if name == "coord":
            if "ra" not in self or "dec" not in self:
                return None
            return SkyCoord(self["ra"], self["dec"]), "ra and dec"
        if self.cosmology is None:
            return None
        if name in RADII:
            mass = next((m for m, definition in MASSES.items() if definition == RADII[name]))
            if (values := self._get(mass)) is None:
                return None
            return self._radius(values, RADII[name]), f"{mass} and cosmology"
        if name in ("c200c", "c500c") and "rs" in self:
            if (radius := self._get(f"r{name[1:]}")) is None:
                return None
            return (radius / self["rs"]).to_value(u.dimensionless_unscaled), f"r{name[1:]} / rs"
        if name in MASSES:
            return self._convert(name)
        return None

    def _get(self, name):
        try:
            return self[name]
        except KeyError:
            return None

    def _radius(self, mass, definition):
        mass = np.where(_possible(mass), mass, np.nan)
        return overdensity_radius(
            mass, np.asarray(self["redshift"]), cosmology=self.cosmology, mass_definition=definition
        )

    def _convert(self, name):
        """Convert the mass whose concentration is known."""
        for mass, definition in MASSES.items():
            if mass == name or mass not in self:
                continue
            given = f"c{definition}"
            if given in self:
                concentration, of = np.asarray(self[given], float), given
            elif "rs" in self:
                radius = self._radius(self[mass], definition)
                concentration, of = (radius / self["rs"]).to_value(""), "rs"
            else:
                continue
            low, high = _CONCENTRATIONS
            possible = (concentration > low) & (concentration < high) & _possible(self[mass])
            values = np.where(possible, self[mass].to_value(u.solMass), np.nan)
            converted = convert_mass(
                values * u.solMass, np.asarray(self["redshift"]), definition,
                MassDefinition.parse(MASSES[name]), cosmology=self.cosmology,
                concentration=np.where(possible, concentration, np.nan),
            )  # fmt: skip
            return converted, f"NFW profile of {mass} and {of}"
        return None


def _possible(mass):
    """Tell which masses are those of haloes that profiles are known of."""
    low, high = MASS_RANGE * u.solMass
    return (mass >= low) & (mass <= high)
