"""Weak-lensing masses of clusters: what every such table has to say about its masses."""

import astropy.units as u
import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass._io.files import naming
from szmass._tables.files import read_table
from szmass._utils.quantities import as_floats
from szmass.catalogs.core import Catalog
from szmass.catalogs.lensing._columns import (
    MassColumn,
    convert_lensing_mass,
    describe,
    describe_cosmology,
    record_of,
    told_of,
    with_units,
)
from szmass.exceptions import InvalidInputError
from szmass.physics.cosmology import get_cosmology
from szmass.physics.halos import MassDefinition

__all__ = ["OWN_TABLE", "LensingTable", "MassColumn", "PublishedLensingTable"]

#: Where ``meta`` of a table of one's own has the definition and the cosmology of its masses.
OWN_TABLE = "lensing_table"


class LensingTable(Catalog):
    """A table of weak-lensing masses.

    A table of your own is read by saying what its columns are; what `write` writes says it itself.
    Published tables are `PublishedLensingTable` and know it.

    Parameters
    ----------
    table : `~astropy.table.Table` or `pandas.DataFrame`
        The rows.
    columns : dict, optional
        The table's column names by ours: ``name``, ``redshift``, ``mass``; ``mass_errn`` and
        ``mass_errp``, or ``mass_err`` for both; ``ra`` and ``dec``, or ``glon`` and ``glat``, or
        ``coord``. Those that have our names need not be told, nor names, positions and redshifts
        that `ClusterSample.from_table <szmass.clusters.ClusterSample.from_table>` finds; errors and
        positions can be left out.
    mass_definition : str
        What ``mass`` is, for instance ``"500c"``.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology that the masses were derived in.
    units : dict, optional
        Units, by our names, of columns that have none; that of ``mass`` holds for its errors. A
        mass per h is in ``"1e14 solMass / littleh"``: it is divided by the h of ``cosmology``.
    missing : dict, optional
        Numbers that stand for "not known", by our names.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        The rows as published, under our names and in solMass.
    mass_columns : tuple of `MassColumn`
        The masses it has; the first is the one that the paper prefers.
    cosmology : `~astropy.cosmology.FLRW`
        The cosmology of the masses.

    Raises
    ------
    FileFormatError
        A column is not there, or has other units or values than it can have.
    DuplicateNameError
        Two rows have the same name.
    InvalidInputError
        Something that has to be said was not, or masses or errors are negative.
    InvalidUnitError
        A column has no unit or one that does not convert.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from szmass.catalogs import LensingTable
    >>> mine = Table({"ID": ["A85", "A2142"], "z": [0.0555, 0.0894], "M200": [8.4, 14.3]})
    >>> lensing = LensingTable(
    ...     mine,
    ...     columns={"name": "ID", "mass": "M200"},
    ...     mass_definition="200c",
    ...     cosmology="PSZ2",
    ...     units={"mass": "1e14 solMass"},
    ... )
    >>> masses = lensing.masses(mass_definition="500c", cosmology="Planck18")
    >>> print((masses["mass"] / 1e14).round(2))
    [ 5.93 10.09] solMass
    """

    #: The masses, the preferred one first.
    mass_columns = ()
    #: The cosmology the masses were derived in; None where the reader has to say it.
    cosmology = None

    def __init__(
        self,
        table,
        *,
        columns=None,
        mass_definition=None,
        cosmology=None,
        units=None,
        missing=None,
    ):
        record = getattr(table, "meta", {}).get(OWN_TABLE) or {}
        mass_definition, cosmology = told_of(record, mass_definition, cosmology)
        table, self.columns, self.mass_columns, self.position = describe(
            table, columns, mass_definition, missing
        )
        self._begin(table, cosmology, units)
        self.table.meta[OWN_TABLE] = record_of(self.mass_columns[0].definition, self.cosmology)

    def _begin(self, table, cosmology, units):
        if cosmology is None:
            raise InvalidInputError(
                "'cosmology' must say in which cosmology the masses were derived, for instance "
                "cosmology='PSZ2' for H0 = 70, Om0 = 0.3."
            )
        self.cosmology = get_cosmology(cosmology)
        super().__init__(with_units(table, self.columns, dict(units or {}), self.cosmology))
        self.table.meta["cosmology"] = describe_cosmology(self.cosmology)

    @classmethod
    def read(
        cls,
        path,
        *,
        readme=None,
        columns=None,
        mass_definition=None,
        cosmology=None,
        units=None,
        missing=None,
    ):
        """Read a table of your own.

        Parameters
        ----------
        path : path-like
            A FITS, ECSV, VOTable or CSV file, or a CDS file. What `write` wrote says itself what
            its masses are, unless it is CSV.
        readme : path-like, optional
            The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.
        columns : dict, optional
            The table's column names by ours.
        mass_definition : str
            What ``mass`` is, for instance ``"500c"``.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology that the masses were derived in.
        units : dict, optional
            Units, by our names, of columns that have none.
        missing : dict, optional
            Numbers that stand for "not known", by our names.

        Returns
        -------
        LensingTable
            The table.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        FileFormatError
            The form is not known, the file is damaged, or a column is not there.
        InvalidInputError
            Something that has to be said was not.
        InvalidUnitError
            A column has no unit or one that does not convert.
        """
        table = read_table(path, readme=readme)
        with naming(path):
            return cls(
                table,
                columns=columns,
                mass_definition=mass_definition,
                cosmology=cosmology,
                units=units,
                missing=missing,
            )

    def masses(
        self,
        *,
        mass_definition="500c",
        cosmology=None,
        column=None,
        concentration="diemer19",
        source_redshift=None,
    ):
        """Give the masses in one definition and cosmology.

        Parameters
        ----------
        mass_definition : str, optional
            The definition that is wanted.
        cosmology : str or `~astropy.cosmology.FLRW`, optional
            The cosmology that is wanted; None for that of the table.
        column : str, optional
            Which of ``mass_columns``; by default the first of that definition, else the first.
        concentration : str or float, optional
            Concentration for a change of definition, see `szmass.physics.convert_mass`.
        source_redshift : float, optional
            Effective redshift of the lensed galaxies, for a change of cosmology; by default 1
            or, for clusters beyond 0.5, that of the cluster plus 0.5.

        Returns
        -------
        `~astropy.table.QTable`
            One row per row of ``table``: ``name``, the position, ``redshift``, ``mass``,
            ``mass_errn``, ``mass_errp`` [solMass], NaN where unknown. ``meta`` has the column, the
            cosmologies, the definitions, and ``conversion``, what was done in words.

        Raises
        ------
        InvalidInputError
            There is no such mass, or the sources are not behind the clusters.

        Notes
        -----
        What is measured is shear at angles. For an isothermal sphere the same shear means a mass
        proportional to (D_s / D_ls)^(3/2) / sqrt(rho), where rho is the density that the
        definition refers to [1]_; so masses in solMass go as 1 / (h E(z)) for "500c". That
        factor is applied for a change of cosmology. It is exact in h, and an approximation in
        Om0, as clusters are not isothermal and the redshifts of the sources are not known here:
        between Om0 = 0.27 and 0.3 the masses of CLASH change by less than 1 %, and whether the
        sources are at redshift 1 or 1.5 matters by 0.1 %.

        The definition is changed afterwards, for an NFW halo. Errors keep their ratio to the
        mass; those of the conversions are not added.

        References
        ----------
        .. [1] Sereno 2015, MNRAS 450, 3665, section 4.
        """
        chosen = self._choose(column, str(MassDefinition.parse(mass_definition)))
        redshift = as_floats(self.table["redshift"], u.dimensionless_unscaled, "redshift")
        published = as_floats(self.table[chosen.name], u.solMass, chosen.name)
        wanted = self.cosmology if cosmology is None else get_cosmology(cosmology)
        mass, steps = convert_lensing_mass(
            published,
            redshift,
            from_definition=chosen.definition,
            to_definition=mass_definition,
            from_cosmology=self.cosmology,
            to_cosmology=wanted,
            concentration=concentration,
            source_redshift=source_redshift,
        )
        result = QTable()
        result["name"] = self.table["name"]
        for name in self.position[:2] if self.position else ():
            result[name] = self.table[name]
        result["redshift"] = MaskedColumn(redshift, mask=np.isnan(redshift))
        result["mass"] = mass * u.solMass
        for name, error in (("mass_errn", chosen.errn), ("mass_errp", chosen.errp)):
            relative = np.nan
            if error is not None:
                relative = as_floats(self.table[error], u.solMass, error) / published
            result[name] = relative * mass * u.solMass
        result.meta = {
            "catalog": self.tag,
            "kind": "lensing",
            "mass_scale": "lensing",
            "references": list(self.references),
            "column": chosen.name,
            "method": chosen.method,
            "published_definition": chosen.definition,
            "published_cosmology": describe_cosmology(self.cosmology),
            "mass_definition": str(MassDefinition.parse(mass_definition)),
            "cosmology": describe_cosmology(wanted),
            "conversion": steps or ["none"],
        }
        return result

    def _choose(self, column, definition):
        if column is None:
            same = [c for c in self.mass_columns if c.definition == definition]
            return (*same, self.mass_columns[0])[0]
        for candidate in self.mass_columns:
            if candidate.name == column:
                return candidate
        raise InvalidInputError(
            f"'column' must be one of {', '.join(c.name for c in self.mass_columns)}. "
            f"Received: {column!r}"
        )


class PublishedLensingTable(LensingTable):
    """A published table of weak-lensing masses: the base of those that szmass knows.

    A sub-class gives ``columns``, ``mass_columns`` and ``cosmology`` beside what every
    `~szmass.catalogs.Catalog` gives.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours. Numbers without a unit are in the
        published one.
    """

    def __init__(self, table):
        self._begin(table, self.cosmology, None)

    @classmethod
    def read(cls, path, *, readme=None):
        """Read the table from a file; its content tells the form.

        Parameters
        ----------
        path : path-like
            A CSV file with the documented columns, or any other form with units; also what
            `write` wrote.
        readme : path-like, optional
            The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.

        Returns
        -------
        PublishedLensingTable
            The table.

        Raises
        ------
        FileNotFoundError, FileFormatError
            As from `Catalog.read <szmass.catalogs.Catalog.read>`.
        """
        return cls._read(path, readme)
