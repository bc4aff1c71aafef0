"""Releases of Compton-y maps: what is known of them, and how a file of one is recognised.

An address is marked as verified where this very address stands in the release's own pages or in
public programs that fetch it. None of these files was downloaded to write this table, so all
but one SHA-256 are not known. Those products are not pinned: the first download of a user is put on
record, and compared with from then on.
"""

from dataclasses import dataclass, field

import astropy.units as u

from szmass._utils.registry import Registry

#: The releases that are known by name. `Registry.add` takes further ones; other packages declare
#: theirs as entry points of the group ``szmass.map_products``. The name of an entry is the ``tag``
#: of the `MapProduct` that it points to, as in
#: ``[project.entry-points."szmass.map_products"] my-map = "my_package.maps:MY_MAP"``.
MAP_PRODUCTS = Registry("map product", entry_point_group="szmass.map_products")


@dataclass(frozen=True, kw_only=True)
class MapSource:
    """One place from which a product can be fetched.

    Parameters
    ----------
    url : str
        Address of the file, or of an archive that has it.
    member : str, optional
        Name of the file in a tar archive; folders do not matter.
    size : int, optional
        Number of bytes at ``url``, where it is known exactly: another number is refused.
    sha256 : str, optional
        SHA-256 of what is at ``url``, where it is known.
    verified : bool, optional
        Whether this very address stands in public pages or programs that fetch it. Otherwise it
        was put together from an archive's rules and a published file name.
    """

    url: str
    member: str | None = None
    size: int | None = None
    sha256: str | None = None
    verified: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class MapProduct:
    """A published Compton-y map, or the masks that belong to one.

    Parameters
    ----------
    tag : str
        Short name.
    title : str
        What it is, in a line.
    filename : str
        Name under which it is kept.
    homepage : str
        Page of the release, for people.
    kind : {"map", "mask"}, optional
        A map of y can be opened as a `ComptonMap`.
    sources : tuple of MapSource, optional
        Where it can be fetched, tried in this order; empty if no address is known.
    size : int, optional
        About how many bytes it has.
    sha256 : str, optional
        Its SHA-256, where it is known. Otherwise the one of the first download counts.
    pixels : {"healpix", "car"}, optional
        HEALPix table, or image in plate carree projection.
    nside : int, optional
        Resolution of a HEALPix map.
    ordering : {"ring", "nested"}, optional
        Ordering of its pixels, where it is known; the file says it as well.
    frame : str, optional
        Frame of the pixels.
    column : str, optional
        The column to be used of a table.
    columns : dict, optional
        Its columns that are of use, and what they hold.
    splits : tuple of str, optional
        The two columns whose half-difference is noise.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the Gaussian beam.
    noise : NoiseModel or {"planck"}, optional
        Noise of the map (of the whole data, not of the splits), where a model of it is at hand.
    sampling : Sampling or str, optional
        How its pixels hold the sky: "window" for means over pixels.
    year : int, optional
        Year of the release.
    references : tuple of str, optional
        What to cite: ADS bibcodes.
    notes : str, optional
        What else a user should know, above all what could not be verified.
    """

    tag: str
    title: str
    filename: str
    homepage: str
    kind: str = "map"
    sources: tuple[MapSource, ...] = ()
    size: int | None = None
    sha256: str | None = None
    pixels: str = "healpix"
    nside: int | None = None
    ordering: str | None = None
    frame: str | None = None
    column: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    beam: u.Quantity | None = None
    noise: object = None
    sampling: object = "window"
    year: int | None = None
    references: tuple[str, ...] = ()
    notes: str = ""

    @property
    def read_options(self):
        """Options of `ComptonMap.read` for any copy of this map, as a dict."""
        options = {"beam": self.beam, "noise": self.noise, "sampling": self.sampling}
        if self.pixels == "healpix":
            options.update(column=self.column, ordering=self.ordering, frame=self.frame)
        return {name: value for name, value in options.items() if value is not None}

    def has_file(self, name):
        """Tell whether a file is called as this map is, at home or in an archive.

        Parameters
        ----------
        name : str
            Name of the file, without folders.

        Returns
        -------
        bool
            Whether it is. Several editions of a release may share a name.
        """
        return name in {self.filename, *(source.member for source in self.sources)}


_PLA = "https://pla.esac.esa.int/pla/aio/product-action?MAP.MAP_ID="
_IRSA = "https://irsa.ipac.caltech.edu/data/Planck/{}/all-sky-maps/maps/component-maps/foregrounds/"
_ZENODO_PR4 = "https://zenodo.org/records/7940377/files/"
_LAMBDA = "https://lambda.gsfc.nasa.gov/data/"
_PLANCK_2015_ARCHIVES = {
    "R2.00": (
        MapSource(url=_IRSA.format("release_2") + "COM_CompMap_YSZ_R2.00.fits.tgz", verified=True),
    ),
    "R2.01": (
        MapSource(
            url=_IRSA.format("release_2") + "COM_CompMap_Compton-SZMap_R2.01.tgz", verified=True
        ),
        MapSource(url=_IRSA.format("release_2") + "COM_CompMap_YSZ_R2.01.fits.tgz"),
    ),
    "R2.02": (
        MapSource(
            url=_IRSA.format("release_3") + "COM_CompMap_Compton-SZMap_R2.02.tgz",
            size=12_252_877_791,
            verified=True,
        ),
    ),
}
_PLANCK_2015_PAGE = (
    "https://irsa.ipac.caltech.edu/data/Planck/release_2/all-sky-maps/ysz_index.html"
)
_PR4_PAGE = "https://wiki.cosmos.esa.int/planck-legacy-archive/index.php/NILC_PR4_Compton_y-map"
_TEN_ARCMIN = 10 * u.arcmin


def _from_archives(release, member, verified=True):
    return tuple(
        MapSource(
            url=source.url, member=member, size=source.size, verified=verified and source.verified
        )
        for source in _PLANCK_2015_ARCHIVES[release]
    )


def _planck_2015(method, release):
    """Give MILCA or NILC of one of the three editions of the 2015 release."""
    member = f"{method}_ymaps.fits"
    columns = {"FULL": "full mission", "FIRST": "first half-ring", "LAST": "last half-ring"}
    sources = _from_archives(release, member)
    if release == "R2.00":
        tag, filename = method, f"COM_CompMap_Compton-SZMap-{method}-ymaps_2048_R2.00.fits"
        sources = (MapSource(url=_PLA + filename, verified=True), *sources)
        notes = "The Planck Legacy Archive has the map alone; IRSA has it in a large archive."
        if method == "nilc":
            columns["MASK"] = "1 where the map was made (only in this edition)"
    else:
        tag, filename = f"{method}-{release.lower()}", f"{method}_ymaps_{release}.fits"
        notes = "Only in a large archive."
    return MapProduct(
        tag=tag,
        title=f"Planck 2015 {method.upper()} y-map, {release}",
        filename=filename,
        homepage=_PLANCK_2015_PAGE,
        sources=sources,
        size=604_000_000 if len(columns) == 3 else 805_000_000,
        nside=2048,
        frame="galactic",
        column="FULL",
        columns=columns,
        splits=("FIRST", "LAST"),
        beam=_TEN_ARCMIN,
        noise="planck",
        year=2015,
        references=("2016A&A...594A..22P",),
        notes=notes,
    )


def _pyilc(tag, deprojected):
    """Give a map of McCarthy & Hill (2023)."""
    what = f"{deprojected} deprojected" if deprojected else "nothing deprojected"
    return MapProduct(
        tag=tag,
        title=f"Planck PR4 needlet-ILC y-map of McCarthy & Hill (2023), {what}",
        filename=f"{tag}.fits",
        homepage="https://users.flatironinstitute.org/~fmccarthy/ymaps_PR4_McCH23/",
        nside=2048,
        frame="galactic",
        beam=_TEN_ARCMIN,
        year=2023,
        references=("2023arXiv230701043M",),
        notes=(
            "The names of the files are not on record here, so this map has to be downloaded by "
            "hand; the page leads to https://zenodo.org/records/18405044. The beam is the one that "
            "the makers' example states."
        ),
    )


def _act_dr6_02(tag, suffix, deprojected):
    """Give a map of ACT DR6.02; the beam and the names are explained on LAMBDA's page."""
    filename = f"act-planck_dr6.02_nilc_ComptonY{suffix}.fits"
    what = f"{deprojected} deprojected" if deprojected else "nothing deprojected"
    return MapProduct(
        tag=tag,
        title=f"ACT DR6.02 + Planck needlet-ILC y-map, {what}",
        filename=filename,
        homepage="https://lambda.gsfc.nasa.gov/product/act/act_dr6.02/act_dr6.02_nilc_info.html",
        sources=(MapSource(url=f"{_LAMBDA}act/nilc/published/{filename}", verified=True),),
        size=1_783_000_000,
        pixels="car",
        frame="icrs",
        beam=1.6 * u.arcmin,
        year=2025,
        references=("2024PhRvD.109f3530C", "2025arXiv250314451N"),
        notes="Pixels of 0.5 arcmin. The map without deprojection has much residual CIB.",
    )


_RELEASES = (
    *(
        _planck_2015(method, release)
        for method in ("milca", "nilc")
        for release in ("R2.00", "R2.01", "R2.02")
    ),
    MapProduct(
        tag="planck-masks",
        title="Planck 2015 masks for y-maps, R2.01",
        kind="mask",
        filename="COM_CompMap_Compton-SZMap-masks_2048_R2.01.fits",
        homepage=_PLANCK_2015_PAGE,
        sources=(
            MapSource(url=_PLA + "COM_CompMap_Compton-SZMap-masks_2048_R2.01.fits", verified=True),
            *_from_archives(
                "R2.02", "COM_CompMap_Compton-SZMap-masks_2048_R2.01.fits", verified=False
            ),
        ),
        size=1_007_000_000,
        nside=2048,
        frame="galactic",
        columns={
            "M1": "Galactic mask, 40 % of the sky",
            "M2": "Galactic mask, 50 %",
            "M3": "Galactic mask, 60 %",
            "M4": "Galactic mask, 70 %",
            "M5": "point sources",
        },
        year=2015,
        references=("2016A&A...594A..22P",),
    ),
    MapProduct(
        tag="pr4-nilc",
        title="Planck PR4 NILC y-map of Chandran et al. (2023)",
        filename="PR4_NILC_y_map.fits",
        homepage=_PR4_PAGE,
        sources=(
            MapSource(url=_ZENODO_PR4 + "PR4_NILC_y_map.fits"),
            MapSource(url=_PLA + "Compton-SZMap-NILC-ymap_2048_PR4.fits"),
        ),
        size=1_208_000_000,
        nside=2048,
        ordering="ring",
        frame="galactic",
        column="FULL",
        columns={
            "FULL": "full mission",
            "HALF-RING 1": "first half-ring",
            "HALF-RING 2": "second half-ring",
        },
        splits=("HALF-RING 1", "HALF-RING 2"),
        beam=_TEN_ARCMIN,
        noise="planck",
        year=2023,
        references=("2023arXiv230510193C",),
        notes=(
            "Covers 98 % of the sky. The noise is that of the 2015 release, which is higher. "
            "Record and file name are the makers'; the addresses were put together from them by "
            "the rules of Zenodo and of the Planck Legacy Archive."
        ),
    ),
    MapProduct(
        tag="pr4-nilc-masks",
        title="Masks of the Planck PR4 NILC y-map",
        kind="mask",
        filename="PR4_NILC_masks.fits",
        homepage=_PR4_PAGE,
        sources=(MapSource(url=_ZENODO_PR4 + "Masks.fits"),),
        nside=2048,
        ordering="ring",
        frame="galactic",
        columns={
            "NILC-MASK": "processed pixels, 98 % of the sky",
            "GAL-MASK": "Galactic mask, 60 %",
            "PS-MASK": "point sources, 93 %",
        },
        year=2023,
        references=("2023arXiv230510193C",),
        notes="Address as for pr4-nilc; the spelling of the columns in the file is not verified.",
    ),
    _pyilc("pr4-pyilc", ""),
    _pyilc("pr4-pyilc-cib", "CIB"),
    _pyilc("pr4-pyilc-cib-dbeta", "CIB and its first moment in beta"),
    MapProduct(
        tag="act-dr6",
        title="ACT DR6 + Planck needlet-ILC y-map of Coulton et al. (2024)",
        filename="ilc_actplanck_ymap.fits",
        homepage="https://lambda.gsfc.nasa.gov/product/act/actadv_dr6_compton_maps_info.html",
        sources=(
            MapSource(
                url=_LAMBDA + "suborbital/ACT/ACT_adv/Compton_y_maps/ilc_actplanck_ymap.fits",
                size=1_783_298_880,
                verified=True,
            ),
            MapSource(
                url="https://portal.nersc.gov/project/act/dr6_nilc/ymaps_20230220/"
                "ilc_actplanck_ymap.fits",
                size=1_783_298_880,
            ),
        ),
        size=1_783_298_880,
        sha256="0f47b211d98a09ad67b60cbfe5f76c08366393db96903722a8a3caf67171f423",
        pixels="car",
        frame="icrs",
        beam=1.6 * u.arcmin,
        year=2024,
        references=("2024PhRvD.109f3530C",),
        notes=(
            "A third of the sky, pixels of 0.5 arcmin, l < 17000. The SHA-256 stands in one public "
            "report of a download from LAMBDA in 2026."
        ),
    ),
    MapProduct(
        tag="act-dr6-mask",
        title="Mask of the ACT DR6 y-map, 70 % Galactic, apodised by 1.5 deg",
        kind="mask",
        filename="wide_mask_GAL070_apod_1.50_deg_wExtended.fits",
        homepage="https://lambda.gsfc.nasa.gov/product/act/actadv_dr6_compton_maps_info.html",
        sources=(
            MapSource(
                url=_LAMBDA + "suborbital/ACT/ACT_adv/Compton_y_maps/"
                "wide_mask_GAL070_apod_1.50_deg_wExtended.fits",
                size=1_783_298_880,
                verified=True,
            ),
        ),
        size=1_783_298_880,
        pixels="car",
        frame="icrs",
        year=2024,
        references=("2024PhRvD.109f3530C",),
    ),
    _act_dr6_02("act-dr6.02", "", ""),
    _act_dr6_02("act-dr6.02-cib", "_deproj_cib_1.0_10.7", "CIB (beta 1.0, 10.7 K)"),
    _act_dr6_02("act-dr6.02-cib-1.6", "_deproj_cib_1.6_10.7", "CIB (beta 1.6, 10.7 K)"),
    _act_dr6_02(
        "act-dr6.02-cib-dbeta",
        "_deproj_cib_cibdBeta_1.0_10.7",
        "CIB (beta 1.0, 10.7 K) and its first moment in beta",
    ),
    MapProduct(
        tag="act-dr4-d56",
        title="ACT DR4 + Planck y-map of the field D56, Madhavacheril et al. (2020)",
        filename="tilec_single_tile_D56_comptony_map_v1.2.0_joint.fits",
        homepage="https://lambda.gsfc.nasa.gov/product/act/act_dr4_derived_maps_info.html",
        sources=(
            MapSource(
                url="https://phy-act1.princeton.edu/public/zatkins/"
                "tilec_single_tile_D56_comptony_map_v1.2.0_joint.fits",
                verified=True,
            ),
        ),
        pixels="car",
        frame="icrs",
        year=2020,
        references=("2020PhRvD.102b3534M",),
        notes="The beam is in a file of its own in the release and has to be stated.",
    ),
)
for _product in _RELEASES:
    MAP_PRODUCTS.add(_product.tag, _product)


def noise_of_file(name, column, beam):
    """Noise that all releases with such a file, column and beam have; None if there is none."""
    known = [
        product.noise if column == product.column and beam == product.beam else None
        for product in MAP_PRODUCTS.values()
        if product.kind == "map" and product.has_file(name)
    ]
    return known[0] if known and all(noise == known[0] for noise in known) else None
