"""Clusters found by the Atacama Cosmology Telescope."""

from szmass.catalogs._columns import with_prefix
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["ACTDR5Catalog", "ACTDR6Catalog", "ACTED56Catalog"]


class _ACTCatalog(Catalog):
    """What the catalogues share: FITS files without units, and names with their prefix."""

    unitless_forms = ("fits",)

    @classmethod
    def _prepare(cls, table):
        return with_prefix(table, "ACT-CL", "ACT-CL ")


@register_catalog
class ACTED56Catalog(_ACTCatalog):
    """The 182 clusters of the two-season ACTPol survey (E-D56 field).

    Its forms are the authors' file ``E-D56Clusters.fits``, which has no units, and what `write`
    writes.

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
    aliases = ("alternative_names",)
    download_page = "https://lambda.gsfc.nasa.gov/product/act/actpol_prod_table.html"
    columns = catalog_columns(
        """
        name                   name ACT-CL        str
        ra                     RADeg RAJ2000      deg      Right ascension (J2000) of the detection
        dec                    decDeg DEJ2000     deg      Declination (J2000) of the detection
        snr                    SNR S/N            float    Signal-to-noise ratio at the best of all
                                                           filter scales
        fixed_snr              SNR2p4             float    Signal-to-noise ratio at 2.4 arcmin
        redshift               z                  float
        redshift_err           zErr               float    Error; 0 if spectroscopic
        redshift_type          zType              str      spec or phot
        alternative_names      AltName            str      Another name
        psz2                   PSZ2Match          bool     Whether it is in PSZ2
        m500                   M500cUPP           solMass  M500c for the universal pressure profile
        m500_errn              M500cUPP_errMinus  solMass
        m500_errp              M500cUPP_errPlus   solMass
        m200m                  M200mUPP           solMass  M200m, made from m500
        m200m_errn             M200mUPP_errMinus  solMass
        m200m_errp             M200mUPP_errPlus   solMass
        m500_uncorrected       M500cUnc           solMass  M500c without correction for selection
        m500_uncorrected_errn  M500cUnc_errMinus  solMass
        m500_uncorrected_errp  M500cUnc_errPlus   solMass
        m500_cal               M500cCal           solMass  M500c rescaled by a calibration of
                                                           richness with weak lensing
        m500_cal_errn          M500cCal_errMinus  solMass
        m500_cal_errp          M500cCal_errPlus   solMass
        """,
        required=("name", "ra", "dec", "redshift"),
        published_units={"solMass": "1e14 solMass"},
    )


@register_catalog
class ACTDR5Catalog(_ACTCatalog):
    """The 4195 clusters of ACT's data release 5.

    Its forms are the file ``DR5_cluster-catalog_v1.1.fits``, VizieR's table, and what `write`
    writes.

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
    columns = catalog_columns(
        """
        name           name ACT-CL                 str
        ra             RADeg RAJ2000               deg      Right ascension (J2000) of the detection
        dec            decDeg DEJ2000              deg      Declination (J2000) of the detection
        snr            SNR S/N                     float    Signal-to-noise ratio at the best of all
                                                            filter scales
        fixed_snr      fixed_SNR S/N2.4            float    Signal-to-noise ratio at 2.4 arcmin
        redshift       redshift z                  float
        redshift_err   redshiftErr e_z             float    Error; 0 if spectroscopic
        redshift_type  redshiftType r_z f_z Type   str      spec or phot
        m500           M500c                       solMass  M500c for the universal pressure profile
        m500_errn      M500c_errMinus e_M500c      solMass
        m500_errp      M500c_errPlus E_M500c       solMass
        m200m          M200m                       solMass  M200m, made from m500
        m200m_errn     M200m_errMinus e_M200m      solMass
        m200m_errp     M200m_errPlus E_M200m       solMass
        m500_cal       M500cCal M500cC             solMass  M500c rescaled by a calibration of
                                                            richness with weak lensing
        m500_cal_errn  M500cCal_errMinus e_M500cC  solMass
        m500_cal_errp  M500cCal_errPlus E_M500cC   solMass
        """,
        required=("name", "ra", "dec", "redshift"),
        published_units={"solMass": "1e14 solMass"},
    )


@register_catalog
class ACTDR6Catalog(_ACTCatalog):
    """The 10040 clusters of ACT's data release 6.

    Its forms are the file ``DR6_cluster-catalog_v1.0.fits`` and what `write` writes; VizieR did not
    have it when this was written.

    Notes
    -----
    ``m500`` assumes a relation between signal and mass that is consistent with weak lensing: it is
    to be compared with ``m500_cal`` of `ACTDR5Catalog`, and with MSZ / (1-b). The page of the
    release says what ``flags`` other than 0 and ``warnings`` mean.

    No file of it was at hand when this was written. The columns from ``name`` to ``template`` are
    those of that page, the others those that public programs read from the file, which has more.
    Errors of masses, template and warnings are masked for a file without them.

    References
    ----------
    ACT-DES-HSC Collaboration 2025, arXiv:2507.21459.
    """

    tag = "act-dr6-clusters"
    description = "ACT clusters, data release 6"
    expected_rows = 10040
    references = ("2025arXiv250721459A",)
    download_page = "https://extragalactic.phys.wits.ac.za/act-dr6-clusters/v1.0/"
    columns = catalog_columns(
        """
        name           name                 str
        ra             RADeg                deg      Right ascension (J2000) of the detection
        dec            decDeg               deg      Declination (J2000) of the detection
        snr            SNR                  float    Signal-to-noise ratio at the best of all
                                                     filter scales
        fixed_snr      fixed_SNR            float    Signal-to-noise ratio at 2.4 arcmin
        y_c            y_c                  float    Central Compton parameter at the best scale, in
                                                     1e-4
        y_c_err        err_y_c              float
        fixed_y_c      fixed_y_c            float    Central Compton parameter at 2.4 arcmin, in
                                                     1e-4
        fixed_y_c_err  fixed_err_y_c        float
        template       template             str      Filter of the highest signal-to-noise ratio
        redshift       redshift             float
        redshift_err   redshiftErr          float    Error; 0 if spectroscopic
        redshift_type  redshiftType         str      spec or phot
        m500           M500c                solMass  M500c from fixed_y_c, on the scale of lensing
        m500_errn      M500c_errMinus       solMass
        m500_errp      M500c_errPlus        solMass
        flags          flags                int      0 where nothing is noted
        warnings       warnings             str      What is noted
        """,
        required=("name", "ra", "dec", "redshift"),
        optional=("y_c_err", "template", "m500_errn", "m500_errp", "warnings"),
        published_units={"solMass": "1e14 solMass"},
    )
