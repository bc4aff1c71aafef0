"""The second Planck catalogue of Sunyaev-Zel'dovich sources (PSZ2), union of three codes."""

from szmass.catalogs.core import Catalog, CatalogColumn, register_catalog

__all__ = ["PSZ2Catalog"]

# Labels after the FITS name: those of the CDS ReadMe first, then other spellings that
# VizieR uses for such columns.
_COLUMNS = (
    CatalogColumn(
        name="index",
        fits="INDEX",
        vizier=("Index", "recno"),
        dtype="int",
        description="Number of the row in the release",
    ),
    CatalogColumn(
        name="name",
        fits="NAME",
        vizier=("Name", "PSZ2"),
        dtype="str",
        required=True,
        description="Name",
    ),
    CatalogColumn(
        name="glon", fits="GLON", unit="deg", required=True, description="Galactic longitude"
    ),
    CatalogColumn(
        name="glat", fits="GLAT", unit="deg", required=True, description="Galactic latitude"
    ),
    CatalogColumn(
        name="ra",
        fits="RA",
        vizier=("RAdeg", "RAJ2000", "RA_ICRS"),
        unit="deg",
        description="Right ascension (J2000), made from the Galactic position",
    ),
    CatalogColumn(
        name="dec",
        fits="DEC",
        vizier=("DEdeg", "DEJ2000", "DE_ICRS"),
        unit="deg",
        description="Declination (J2000), made from the Galactic position",
    ),
    CatalogColumn(
        name="pos_err",
        fits="POS_ERR",
        vizier=("e_pos", "e_Pos", "ePos"),
        unit="arcmin",
        description="Radius that holds the true position with 95 %",
    ),
    CatalogColumn(name="snr", fits="SNR", description="Signal-to-noise ratio of the detection"),
    CatalogColumn(
        name="pipeline",
        fits="PIPELINE",
        vizier=("Pipeline", "Pipe"),
        dtype="int",
        description="Code that the values are from: 1 MMF1, 2 MMF3, 3 PwS",
    ),
    CatalogColumn(
        name="pipe_det",
        fits="PIPE_DET",
        vizier=("PipeDet",),
        dtype="int",
        description="Codes that detect it, a digit each: hundreds MMF1, tens MMF3, units PwS",
    ),
    CatalogColumn(
        name="pccs2", fits="PCCS2", dtype="bool", description="Whether it matches a PCCS2 source"
    ),
    CatalogColumn(
        name="psz",
        fits="PSZ",
        vizier=("PSZ1",),
        dtype="int",
        missing=-1,
        description="Number of the row in PSZ1, masked for new detections",
    ),
    CatalogColumn(
        name="ir_flag",
        fits="IR_FLAG",
        vizier=("f_IR", "IR"),
        dtype="int",
        description="1 where infrared emission contaminates the signal heavily",
    ),
    CatalogColumn(
        name="q_neural",
        fits="Q_NEURAL",
        vizier=("q_neural", "Qneural", "QN", "Qn"),
        description="Quality by a neural network; below 0.4 is low",
    ),
    CatalogColumn(
        name="y5r500",
        fits="Y5R500",
        unit="arcmin2",
        published_unit="1e-3 arcmin2",
        description="Compton parameter inside 5 R500, mean over all sizes (blind)",
    ),
    CatalogColumn(
        name="y5r500_err",
        fits="Y5R500_ERR",
        vizier=("e_Y5R500",),
        unit="arcmin2",
        published_unit="1e-3 arcmin2",
        description="Error of y5r500",
    ),
    CatalogColumn(
        name="validation",
        fits="VALIDATION",
        vizier=("Val", "Valid"),
        dtype="int",
        description="Code of the best external identification, -1 for none",
    ),
    CatalogColumn(
        name="redshift_id",
        fits="REDSHIFT_ID",
        vizier=("zID", "RedID"),
        dtype="str",
        description="Name of the object that the redshift is of",
    ),
    CatalogColumn(
        name="redshift",
        fits="REDSHIFT",
        vizier=("z",),
        dtype="float32",
        missing=-1,
        description="Redshift",
    ),
    CatalogColumn(
        name="msz",
        fits="MSZ",
        unit="solMass",
        published_unit="1e14 solMass",
        missing=0,
        description="Hydrostatic-equivalent M500c from the Y-M relation, H0 = 70, Om0 = 0.3",
    ),
    CatalogColumn(
        name="msz_errp",
        fits="MSZ_ERR_UP",
        vizier=("E_MSZ",),
        unit="solMass",
        published_unit="1e14 solMass",
        missing=0,
        description="Distance up to the end of the 68 % interval of msz, statistical",
    ),
    CatalogColumn(
        name="msz_errn",
        fits="MSZ_ERR_LOW",
        vizier=("e_MSZ",),
        unit="solMass",
        published_unit="1e14 solMass",
        missing=0,
        description="Distance down to the end of the 68 % interval of msz, statistical",
    ),
    CatalogColumn(name="mcxc", fits="MCXC", dtype="str", description="Counterpart in MCXC"),
    CatalogColumn(
        name="redmapper",
        fits="REDMAPPER",
        vizier=("RedMAPPer", "redMaPPer", "RedMaPPer"),
        dtype="str",
        description="Counterpart in redMaPPer",
    ),
    CatalogColumn(name="act", fits="ACT", dtype="str", description="Counterpart in ACT"),
    CatalogColumn(name="spt", fits="SPT", dtype="str", description="Counterpart in SPT"),
    CatalogColumn(
        name="wise_flag",
        fits="WISE_FLAG",
        vizier=("f_WISE", "WISE"),
        dtype="int",
        description="Overdensity in WISE, -3 to 3; -10 where not analysed",
    ),
    CatalogColumn(
        name="ami_evidence",
        fits="AMI_EVIDENCE",
        vizier=("AMIevi", "AMI"),
        description="Bayesian evidence of a counterpart in AMI; -1000 and -100 are codes",
    ),
    CatalogColumn(
        name="cosmo",
        fits="COSMO",
        vizier=("Cosmo",),
        dtype="bool",
        description="Whether it is in a cosmology sample",
    ),
    CatalogColumn(
        name="comment",
        fits="COMMENT",
        vizier=("Comment", "Com"),
        dtype="str",
        description="Comment",
    ),
)


@register_catalog
class PSZ2Catalog(Catalog):
    """PSZ2, the union catalogue R2.08: 1653 detections, 1094 with redshift and mass.

    Its forms are the FITS file of the Planck Legacy Archive, the CDS file ``psz2.dat`` with its
    ReadMe, VizieR's table, and what `write` writes. -1 for an unknown redshift or PSZ1 row, 0
    for an unknown mass, and empty strings are masked.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

    Notes
    -----
    The positions of `sample` are the Galactic ones, which the published cutouts are centred on.

    Redshifts have the single precision of the release in all forms. So the five clusters at
    0.2 and the two at 0.4 lie just above these numbers and fall into the upper one of the bins
    (0.1, 0.2], (0.2, 0.4], (0.4, 1], as in the published tables.

    ``y5r500`` is the mean over all cluster sizes and not the Y that ``msz`` was derived from.
    The errors of ``msz`` hold neither the scatter nor the errors of the Y-M relation.

    References
    ----------
    Planck Collaboration 2016, A&A 594, A27.
    """

    tag = "psz2"
    description = "Second Planck catalogue of Sunyaev-Zel'dovich sources, union"
    vizier_id = "J/A+A/594/A27/psz2"
    expected_rows = 1653
    references = ("2016A&A...594A..27P",)
    columns = _COLUMNS
    position = ("glon", "glat", "galactic")
    download_page = "https://cdsarc.cds.unistra.fr/ftp/J/A+A/594/A27/ (psz2.dat and ReadMe)"
