"""Weak-lensing masses of Planck clusters in HSC (Medezinski et al. 2018)."""

from szmass.catalogs.core import register_catalog
from szmass.catalogs.lensing._columns import layout
from szmass.catalogs.lensing.core import PublishedLensingTable

__all__ = ["Medezinski2018Table"]


@register_catalog
class Medezinski2018Table(PublishedLensingTable):
    """Weak-lensing masses of five Planck clusters in the first HSC field.

    VizieR is not known to carry the table. `read` takes it typed in as CSV, or in any other form,
    with the columns ``cluster``, ``ra_deg``, ``dec_deg``, ``z``, ``M500c``, ``e_M500c``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with these columns or with ours.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology of the paper.
    units : dict
        Unit of ``mass``, if the columns have none.

    Notes
    -----
    Cosmology and unit have to be said: no copy of the table was at hand when this was written,
    and of two copies of the abstract one gives the mean mass as 4.15e14 solMass, the other as
    4.15e14 solMass/h. Compare with the paper.

    References
    ----------
    Medezinski et al. 2018, PASJ 70, S28.
    """

    tag = "medezinski2018"
    description = "Weak-lensing masses of Planck clusters in HSC (Medezinski et al. 2018)"
    expected_rows = 5
    references = ("2018PASJ...70S..28M",)
    download_page = "https://arxiv.org/abs/1706.00434"
    columns, mass_columns = layout(("500c",), unit=None)

    def __init__(self, table, *, cosmology=None, units=None):
        self._begin(table, cosmology, units)

    @classmethod
    def read(cls, path, *, readme=None, cosmology=None, units=None):
        """Read the table from a file; its content tells the form.

        Parameters
        ----------
        path : path-like
            A CSV file with the documented columns, or any other form; also what `write` wrote.
        readme : path-like, optional
            The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology of the paper.
        units : dict
            Unit of ``mass``, if the columns have none.

        Returns
        -------
        Medezinski2018Table
            The table.

        Raises
        ------
        FileNotFoundError, FileFormatError
            As from `Catalog.read <szmass.catalogs.Catalog.read>`.
        InvalidInputError
            The cosmology was not said.
        InvalidUnitError
            The masses have no unit.
        """
        return cls._read(path, readme, cosmology=cosmology, units=units)
