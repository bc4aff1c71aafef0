"""Clusters and groups of the first eROSITA all-sky survey (eRASS1)."""

import numpy as np

from szmass.catalogs._columns import plain_numbers
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog
from szmass.exceptions import FileFormatError

__all__ = ["ERASS1Catalog"]

_LIMITS = (("M500", "M500_L", "M500_H"), ("M500", "b_M500", "B_M500"))


@register_catalog
class ERASS1Catalog(Catalog):
    """The primary catalogue of clusters and groups of eRASS1: 12247 rows.

    Its forms are the file ``erass1cl_main_v3.2.fits``, VizieR's table, and what `write` writes.

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
    columns = catalog_columns(
        """
        name               NAME Name          str
        ra                 RA RAJ2000         deg      Right ascension (J2000) of the X-ray source
        dec                DEC DEJ2000        deg      Declination (J2000) of the X-ray source
        redshift           BEST_Z zBest       float
        redshift_type      BEST_Z_TYPE zType  str      How the redshift was measured
        extent_likelihood  EXT_LIKE ExtLike   float    Likelihood that the source is extended
        p_contamination    PCONT pcont Pcont  float    Probability that it is no cluster
        m500               M500               solMass  M500c from the X-ray signal
        m500_errn          M500_L b_M500      solMass
        m500_errp          M500_H B_M500      solMass
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": -1, "p_contamination": -1, "m500": -1},
        published_units={"solMass": "1e13 solMass"},
    )

    @classmethod
    def _prepare(cls, table):
        found = next((names for names in _LIMITS if set(names) <= set(table.colnames)), None)
        if found is None:
            return table
        # The three share a unit, which is looked at later.
        mass, low, high = (plain_numbers(table[name], name) for name in found)
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
