"""Clusters found by the Atacama Cosmology Telescope."""

import numpy as np

from szmass.catalogs.core import Catalog, CatalogColumn, register_catalog

__all__ = ["ACTDR5Catalog", "ACTED56Catalog"]


def _mass(name, fits, description, vizier=(), errors=((), ())):
    """Describe a mass and its two errors, in units of 1e14 solMass."""
    common = {"unit": "solMass", "published_unit": "1e14 solMass"}
    return (
        CatalogColumn(name=name, fits=fits, vizier=vizier, description=description, **common),
        CatalogColumn(
            name=f"{name}_errn",
            fits=f"{fits}_errMinus",
            vizier=errors[0],
            description="Distance down to the end of the 68 % interval",
            **common,
        ),
        CatalogColumn(
            name=f"{name}_errp",
            fits=f"{fits}_errPlus",
            vizier=errors[1],
            description="Distance up to the end of the 68 % interval",
            **common,
        ),
    )


_NAME = CatalogColumn(
    name="name", fits="name", vizier=("ACT-CL",), dtype="str", required=True, description="Name"
)
_RA = CatalogColumn(
    name="ra",
    fits="RADeg",
    vizier=("RAJ2000",),
    unit="deg",
    required=True,
    description="Right ascension (J2000) of the detection",
)
_DEC = CatalogColumn(
    name="dec",
    fits="decDeg",
    vizier=("DEJ2000",),
    unit="deg",
    required=True,
    description="Declination (J2000) of the detection",
)
_SNR = CatalogColumn(
    name="snr",
    fits="SNR",
    vizier=("S/N",),
    description="Signal-to-noise ratio at the best of all filter scales",
)
_CALIBRATED = "M500c rescaled by a calibration of richness with weak lensing"


class _ACTCatalog(Catalog):
    """What both catalogues share: FITS files without units, and names with their prefix."""

    unitless_forms = ("fits",)

    @classmethod
    def _prepare(cls, table):
        if "ACT-CL" in table.colnames:  # VizieR leaves the prefix out
            table = table.copy()
            names = np.char.strip(np.asarray(table["ACT-CL"], dtype=str))
            bare = ~np.char.startswith(names, "ACT-CL")
            table["ACT-CL"] = np.where(bare, np.char.add("ACT-CL ", names), names)
        return table


@register_catalog
class ACTED56Catalog(_ACTCatalog):
    """The 182 clusters of the two-season ACTPol survey (E-D56 field).

    Its forms are the authors' file ``E-D56Clusters.fits``, which has no units, and what `write`
    writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

    Notes
    -----
    ``m500`` and ``m200m`` assume the relation of Arnaud et al. (2010) and are to be compared with
    MSZ; ``m500_cal`` is the mass for a calibration by weak lensing, larger by 1 / 0.68.

    References
    ----------
    Hilton et al. 2018, ApJS 235, 20.
    """

    tag = "act-ed56"
    description = "ACTPol clusters, E-D56 field (two seasons)"
    expected_rows = 182
    references = ("2018ApJS..235...20H",)
    download_page = "https://lambda.gsfc.nasa.gov/product/act/actpol_prod_table.html"
    columns = (
        _NAME,
        _RA,
        _DEC,
        _SNR,
        CatalogColumn(
            name="fixed_snr", fits="SNR2p4", description="Signal-to-noise ratio at 2.4 arcmin"
        ),
        CatalogColumn(name="redshift", fits="z", required=True, description="Redshift"),
        CatalogColumn(name="redshift_err", fits="zErr", description="Error; 0 if spectroscopic"),
        CatalogColumn(name="redshift_type", fits="zType", dtype="str", description="spec or phot"),
        CatalogColumn(
            name="alternative_names", fits="AltName", dtype="str", description="Another name"
        ),
        CatalogColumn(
            name="psz2", fits="PSZ2Match", dtype="bool", description="Whether it is in PSZ2"
        ),
        *_mass("m500", "M500cUPP", "M500c for the universal pressure profile"),
        *_mass("m200m", "M200mUPP", "M200m, made from m500"),
        *_mass("m500_uncorrected", "M500cUnc", "M500c without correction for selection"),
        *_mass("m500_cal", "M500cCal", _CALIBRATED),
    )


@register_catalog
class ACTDR5Catalog(_ACTCatalog):
    """The 4195 clusters of ACT's data release 5.

    Its forms are the file ``DR5_cluster-catalog_v1.1.fits``, VizieR's table, and what `write`
    writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

    Notes
    -----
    ``m500`` and ``m200m`` assume the relation of Arnaud et al. (2010) and are to be compared with
    MSZ; ``m500_cal`` is the mass for a calibration by weak lensing, larger by 1 / 0.69.

    No file of it was at hand when this was written. The columns of the FITS file are those of
    its published description; of VizieR's labels only ``ACT-CL``, the position, ``z`` and
    ``M500cC`` are known.

    References
    ----------
    Hilton et al. 2021, ApJS 253, 3.
    """

    tag = "act-dr5"
    description = "ACT clusters, data release 5"
    vizier_id = "J/ApJS/253/3/clusters"
    expected_rows = 4195
    references = ("2021ApJS..253....3H",)
    download_page = "https://lambda.gsfc.nasa.gov/product/act/actpol_dr5_szcluster_catalog_get.html"
    columns = (
        _NAME,
        _RA,
        _DEC,
        _SNR,
        CatalogColumn(
            name="fixed_snr",
            fits="fixed_SNR",
            vizier=("S/N2.4",),
            description="Signal-to-noise ratio at 2.4 arcmin",
        ),
        CatalogColumn(
            name="redshift", fits="redshift", vizier=("z",), required=True, description="Redshift"
        ),
        CatalogColumn(
            name="redshift_err",
            fits="redshiftErr",
            vizier=("e_z",),
            description="Error; 0 if spectroscopic",
        ),
        CatalogColumn(
            name="redshift_type",
            fits="redshiftType",
            vizier=("r_z", "f_z", "Type"),
            dtype="str",
            description="spec or phot",
        ),
        *_mass(
            "m500",
            "M500c",
            "M500c for the universal pressure profile",
            errors=(("e_M500c",), ("E_M500c",)),
        ),
        *_mass("m200m", "M200m", "M200m, made from m500", errors=(("e_M200m",), ("E_M200m",))),
        *_mass(
            "m500_cal",
            "M500cCal",
            _CALIBRATED,
            vizier=("M500cC",),
            errors=(("e_M500cC",), ("E_M500cC",)),
        ),
    )
