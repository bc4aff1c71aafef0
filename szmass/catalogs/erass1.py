"""Clusters and groups of the first eROSITA all-sky survey (eRASS1)."""

import numpy as np

from szmass.catalogs.core import Catalog, CatalogColumn, register_catalog
from szmass.exceptions import FileFormatError

__all__ = ["ERASS1Catalog"]

_LIMITS = (("M500", "M500_L", "M500_H"), ("M500", "b_M500", "B_M500"))


@register_catalog
class ERASS1Catalog(Catalog):
    """The primary catalogue of clusters and groups of eRASS1: 12247 rows.

    Its forms are the file ``erass1cl_main_v3.2.fits``, VizieR's table, and what `write` writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

    Notes
    -----
    ``m500`` is M500c from the X-ray signal by a relation that weak lensing calibrates; -1 where
    unknown is masked. The file has the ends of its 68 % interval, which are checked to lie on
    either side of the mass and become ``m500_errn`` and ``m500_errp``.

    No file of it was at hand when this was written: the columns are those that public analyses
    of it read. VizieR's labels of the limits of the mass, and the unit it gives, are not known.

    References
    ----------
    Bulbul et al. 2024, A&A 685, A106; Kluge et al. 2024, A&A 688, A210.
    """

    tag = "erass1"
    description = "eROSITA clusters and groups, first all-sky survey"
    vizier_id = "J/A+A/685/A106/emain"
    expected_rows = 12247
    references = ("2024A&A...685A.106B", "2024A&A...688A.210K")
    download_page = "https://erosita.mpe.mpg.de/dr1/AllSkySurveyData_dr1/Catalogues_dr1/"
    unitless_forms = ("fits",)
    columns = (
        CatalogColumn(
            name="name",
            fits="NAME",
            vizier=("Name",),
            dtype="str",
            required=True,
            description="Name",
        ),
        CatalogColumn(
            name="ra",
            fits="RA",
            vizier=("RAJ2000",),
            unit="deg",
            required=True,
            description="Right ascension (J2000) of the X-ray source",
        ),
        CatalogColumn(
            name="dec",
            fits="DEC",
            vizier=("DEJ2000",),
            unit="deg",
            required=True,
            description="Declination (J2000) of the X-ray source",
        ),
        CatalogColumn(
            name="redshift", fits="BEST_Z", vizier=("zBest",), missing=-1, description="Redshift"
        ),
        CatalogColumn(
            name="redshift_type",
            fits="BEST_Z_TYPE",
            vizier=("zType",),
            dtype="str",
            description="How the redshift was measured",
        ),
        CatalogColumn(
            name="extent_likelihood",
            fits="EXT_LIKE",
            vizier=("ExtLike",),
            description="Likelihood that the source is extended",
        ),
        CatalogColumn(
            name="p_contamination",
            fits="PCONT",
            vizier=("pcont", "Pcont"),
            missing=-1,
            description="Probability that it is no cluster",
        ),
        CatalogColumn(
            name="m500",
            fits="M500",
            unit="solMass",
            published_unit="1e13 solMass",
            missing=-1,
            description="M500c from the X-ray signal",
        ),
        CatalogColumn(
            name="m500_errn",
            fits="M500_L",  # `_prepare` makes errors of the limits
            vizier=("b_M500",),
            unit="solMass",
            published_unit="1e13 solMass",
            description="Distance down to the end of the 68 % interval",
        ),
        CatalogColumn(
            name="m500_errp",
            fits="M500_H",
            vizier=("B_M500",),
            unit="solMass",
            published_unit="1e13 solMass",
            description="Distance up to the end of the 68 % interval",
        ),
    )

    @classmethod
    def _prepare(cls, table):
        found = next((names for names in _LIMITS if set(names) <= set(table.colnames)), None)
        if found is None:
            return table
        mass, low, high = (np.ma.asarray(table[name]).astype(float).filled(-1) for name in found)
        known = np.isfinite(mass) & (mass > 0)
        if np.any(known & ~((low <= mass) & (mass <= high))):
            raise FileFormatError(
                f"'{found[1]}' and '{found[2]}' are not the limits of '{found[0]}' on either side "
                "of it: this is another version of the catalogue."
            )
        result = table.copy()
        for name, error in (("m500_errn", mass - low), ("m500_errp", high - mass)):
            result[name] = np.ma.masked_array(error, mask=~known)
            result[name].unit = table[found[0]].unit
        return result
