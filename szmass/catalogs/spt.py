"""Clusters found by the South Pole Telescope."""

import numpy as np

from szmass._tables.columns import column_parts
from szmass.catalogs._columns import plain_numbers, with_prefix
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["SPTECSCatalog", "SPTSZCatalog"]


class _SPTCatalog(Catalog):
    """What the catalogues share: FITS files without units, and names with their prefix."""

    download_page = "https://pole.uchicago.edu/public/data/sptsz-clusters/"
    unitless_forms = ("fits",)

    @classmethod
    def _prepare(cls, table):
        return with_prefix(table, "SPT-CL", "SPT-CL")


@register_catalog
class SPTSZCatalog(_SPTCatalog):
    """The SPT-SZ 2500 deg2 survey: 677 candidates, 516 of them with redshift and mass.

    Its forms are the authors' file ``SPT2500d.fits``, which has no units, VizieR's table, and
    what `write` writes.

    Notes
    -----
    **The file does not say whether its masses are in solMass or in solMass/h.** They are taken
    to be in solMass, since for 83 clusters in common with PSZ2 the median of M500/MSZ is then
    1.26, in line with 1-b = 0.8, and would be 1.80 otherwise.

    Eight clusters stand twice in the file, as detections in two fields of the survey: the
    detection with the higher ``snr`` is kept, and ``meta["rows_left_out"]`` has the others'
    rows. 0 for an unknown redshift or mass is masked.

    ``m500`` is for a fixed cosmology and relation; the masses marginalised over the cosmological
    analysis, which the file also has, are not read. Of VizieR's labels only ``SPT-CL``, the
    position and ``z`` are known.

    References
    ----------
    Bleem et al. 2015, ApJS 216, 27; Bocquet et al. 2019, ApJ 878, 55.
    """

    tag = "spt-sz"
    description = "SPT-SZ clusters, 2500 deg2"
    vizier_id = "J/ApJ/878/55/table5"
    expected_rows = 677
    references = ("2019ApJ...878...55B", "2015ApJS..216...27B")
    columns = catalog_columns(
        """
        name          SPT_ID SPT-CL             str
        ra            RA RAJ2000                deg      Right ascension (J2000)
        dec           DEC DEJ2000               deg      Declination (J2000)
        snr           xi                        float    Signal-to-noise ratio at the best of all
                                                         filter scales
        redshift      redshift z                float
        redshift_err  redshift_err e_z          float    Error; 0 if spectroscopic or unknown
        m500          M500 M500c                solMass  M500c for fixed cosmology and relation; h
                                                         is not stated
        m500_errn     M500_lerr e_M500c e_M500  solMass
        m500_errp     M500_uerr E_M500c E_M500  solMass
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": 0, "m500": 0, "m500_errn": 0, "m500_errp": 0},
        published_units={"solMass": "1e14 solMass"},
    )

    @classmethod
    def _prepare(cls, table):
        table = super()._prepare(table)
        if not {"SPT_ID", "xi"}.issubset(table.colnames):
            return table
        names = np.char.strip(column_parts(table["SPT_ID"])[0].astype(str))
        best = np.argsort(-plain_numbers(table["xi"], "xi"), kind="stable")
        first = np.unique(names[best], return_index=True)[1]
        keep = np.sort(best[first])
        result = table[keep]
        left_out = np.setdiff1d(np.arange(len(table)), keep)
        result.meta["rows_left_out"] = [int(row) for row in left_out]
        return result


@register_catalog
class SPTECSCatalog(_SPTCatalog):
    """The SPTpol Extended Cluster Survey, 2770 deg2: 470 candidates.

    Its forms are the authors' file ``sptecs_catalog_oct919.fits``, VizieR's table, and what `write`
    writes.

    Notes
    -----
    No file of it was at hand when this was written: the labels of both forms, and that masses are
    in 1e14 solMass without h, are those that public programs read. An unknown redshift or mass is
    0 or -1 there, and is masked. Errors and richness stand in the FITS file alone, and are masked
    for tables from VizieR.

    References
    ----------
    Bleem et al. 2020, ApJS 247, 25.
    """

    tag = "spt-ecs"
    description = "SPTpol Extended Cluster Survey, 2770 deg2"
    vizier_id = "J/ApJS/247/25/cand"
    expected_rows = 470
    references = ("2020ApJS..247...25B",)
    columns = catalog_columns(
        """
        name          SPT_ID SPT-CL   str
        ra            RA RAJ2000      deg      Right ascension (J2000)
        dec           DEC DEJ2000     deg      Declination (J2000)
        snr           XI Xi           float    Signal-to-noise ratio at the best of all filter
                                               scales
        redshift      REDSHIFT z      float
        redshift_err  REDSHIFT_UNC    float    Error; 0 if spectroscopic or unknown
        m500          M500 M500c      solMass  M500c for fixed cosmology and relation
        m500_errn     M500_LERR       solMass
        m500_errp     M500_UERR       solMass
        richness      LAMBDA_CHISQ    float    Richness by redMaPPer
        richness_err  LAMBDA_CHISQ_E  float
        """,
        required=("name", "ra", "dec"),
        optional=("redshift_err", "m500_errn", "m500_errp", "richness", "richness_err"),
        missing={
            **dict.fromkeys(("redshift", "m500", "m500_errn", "m500_errp"), (-1, 0)),
            **dict.fromkeys(("redshift_err", "richness", "richness_err"), -1),
        },
        published_units={"solMass": "1e14 solMass"},
    )
