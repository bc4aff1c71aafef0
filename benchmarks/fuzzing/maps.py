"""Mutated maps and masks: HEALPix tables, images, arrays."""

import functools

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy_healpix import HEALPix

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case, changed, few_differ
from fuzzing.damage import pick
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.masks import apply_mask

NSIDE = 4
NPIX = 12 * NSIDE**2
GRIDS = {order: HEALPix(NSIDE, order=order, frame="galactic") for order in ("ring", "nested")}
CENTRES = GRIDS["ring"].healpix_to_skycoord(np.arange(NPIX))
NEST_OF_RING = GRIDS["nested"].skycoord_to_healpix(CENTRES)
GEOMETRY = CutoutGeometry(shape=(5, 5), pixel_scale=300 * u.arcmin)
MIDDLES = SkyCoord([40.0, 250.0], [20.0, -35.0], unit="deg", frame="galactic")
UNSEEN = -1.6375e30
_FREE_CARDS = ("BSCALE", "BZERO", "BLANK", "BAD_DATA", "TNULL1", "TSCAL1", "TZERO1")
_FREE_CARDS += ("RADESYS", "EQUINOX", "NAXIS1", "NAXIS2")
# A card with one of these that is changed to another number describes another map.
_VALUES = (
    "CRVAL",
    "CRPIX",
    "CDELT",
    "PC",
    "CD",
    "LONPOLE",
    "LATPOLE",
    "PV",
    "BMAJ",
    "BMIN",
    "FWHM",
)


def healpix_values():
    """Compton-y of the pixels in RING ordering."""
    return np.random.default_rng(1).normal(0, 3e-6, NPIX).astype(np.float32)


def _placed(ymap):
    """Values by place on the sky, in whatever order the map has them."""
    if ymap.nside != NSIDE:
        return ymap.values()
    lonlat = CENTRES.transform_to(ymap.celestial_frame).spherical
    grid = HEALPix(NSIDE, order=ymap.ordering)
    return ymap.values(grid.lonlat_to_healpix(lonlat.lon, lonlat.lat))


def read_map(path, **options):
    """What a map in a file is, as plain arrays."""
    ymap = ComptonMap.read(path, **options)
    result = {
        "frame": ymap.frame,
        "beam": np.nan if ymap.beam is None else ymap.beam.to_value(u.arcmin),
        "y": _placed(ymap) if ymap.nside else ymap.values(),
    }
    if ymap.nside:
        result["nside"] = ymap.nside
        cutouts = ymap.cutouts(MIDDLES, geometry=GEOMETRY)
        result["cutouts"], result["footprint"] = cutouts.data, cutouts.footprint
    else:
        middle = ymap.wcs.pixel_to_world(7, 6)
        geometry = CutoutGeometry(shape=(6, 6), pixel_scale=30 * u.arcmin)
        cutouts = ymap.cutouts(_POSITIONS, geometry=geometry, interpolation="nearest")
        result["cutouts"], result["footprint"] = cutouts.data, cutouts.footprint
        result["middle"] = [middle.icrs.ra.deg, middle.icrs.dec.deg]
    return result


def _healpix(values, *, ordering="RING", partial=False, dtype="E", name="Y", cards=(), more=()):
    """Bytes of a HEALPix table."""
    columns = [fits.Column(name, dtype, array=values)]
    if partial is not False:
        pixels = np.arange(20, 150) if partial is True else partial
        columns = [fits.Column("PIXEL", "J", array=pixels), *columns]
    columns += [fits.Column(other, "E", array=values * 2) for other in more]
    hdu = fits.BinTableHDU.from_columns(columns, name="MAP")
    header = hdu.header
    header["PIXTYPE"], header["ORDERING"] = "HEALPIX", ordering
    header["NSIDE"], header["COORDSYS"] = NSIDE, "G"
    header["INDXSCHM"] = "EXPLICIT" if partial is not False else "IMPLICIT"
    header["FWHM"] = (10.0, "[arcmin] beam")
    header["BAD_DATA"] = -99.0
    for keyword, value in cards:
        if value is None:
            header.remove(keyword, ignore_missing=True)
        else:
            header[keyword] = value
    return damage.written([fits.PrimaryHDU(), hdu])


@functools.cache
def _healpix_base(form):
    values = healpix_values()
    if form == "nested":
        nested = np.empty_like(values)
        nested[NEST_OF_RING] = values
        return _healpix(nested, ordering="NESTED")
    if form == "partial":
        return _healpix(values[20:150], partial=True)
    return _healpix(values)


_REFERENCES = {}


def reference_of(key, path, content, read):
    """What a file is before mutation; read once."""
    if key not in _REFERENCES:
        path.write_bytes(content)
        _REFERENCES[key] = read(path)
    return _REFERENCES[key]


def healpix_case(rng, folder):
    """A HEALPix map."""
    form = pick(rng, ("ring", "nested", "partial"))
    content = _healpix_base(form)
    path = folder / "map.fits"
    reference = reference_of(("healpix", form), path, content, read_map)
    kind = pick(rng, ("card", "card", "card", "rewritten", "rewritten", "garbled", "data", "gzip"))
    if kind == "card":
        name, expected, content = _card_mutation(rng, content, reference, _HEALPIX_CARDS)
    elif kind == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif kind == "gzip":
        name, expected, content, path = _compressed(rng, content, path)
    elif kind == "data":
        name, expected, content = _hit_data(rng, content, reference)
    else:
        name, expected, content = _rewritten_healpix(rng, form, reference)
    path.write_bytes(content)
    return Case(f"{form} {name}", expected, lambda: read_map(path), reference)


def _compressed(rng, content, path):
    path = path.with_name(path.name + ".gz")
    kind = "bomb" if rng.random() < 0.03 else pick(rng, ("whole", "whole", "cut", "flip"))
    packed = damage.gzipped(content)
    if kind == "whole":
        return "gzip", SAME, packed, path
    if kind == "bomb":
        megabytes = pick(rng, (64, 800))
        packed = damage.gzip_bomb(content, megabytes)
        return f"gzip bomb of {megabytes} MB", SAME_OR_REFUSED, packed, path
    if kind == "cut":
        return "gzip, cut", SAME_OR_REFUSED, packed[: int(rng.integers(3, len(packed)))], path
    return "gzip, flip", SAME_OR_REFUSED, damage.flipped(rng, packed)[0], path


def _hit_data(rng, content, reference):
    """Change bytes of the pixels: what they hold is another number, and nothing else."""
    start = -(-damage.headers(content)[-1][1] // damage.BLOCK) * damage.BLOCK
    size = int(damage.headers(content)[-1][1])
    kind = pick(rng, ("flip", "cut"))
    if kind == "cut":
        stop = int(rng.integers(size, len(content)))
        rows = 4 * NPIX if b"PIXEL   " not in content else 8 * 130
        whole = stop >= start + rows
        return "cut data", SAME_OR_REFUSED if whole else REFUSED, content[:stop]
    content, _ = damage.flipped(rng, content, 1, start)

    def test(found):
        # A pixel's value is one number on the sky; its number moves it to another place.
        others = {"cutouts": found["cutouts"], "footprint": found["footprint"]}
        alike = few_differ(reference | others, "y", 2)
        return alike(found)

    return "flip in data", changed(test, refused=True), content


# By keyword: what comes when it is removed; all others are the same or refused.
_HEALPIX_CARDS = {
    "ORDERING": REFUSED,
    "COORDSYS": REFUSED,
    "TTYPE1": SAME_OR_REFUSED,
    "FWHM": changed({"beam": np.nan}),
}


def _card_mutation(rng, content, reference, removals):
    kind, keyword, value, content = damage.mutated_card(rng, content)
    name = f"card {keyword} {kind}" + ("" if value is None else f": {value}")
    expected = SAME_OR_REFUSED
    if kind == "removed" and keyword in removals:
        expected = removals[keyword].or_refused()
    elif kind == "garbage" or keyword.startswith(_VALUES) or keyword in _FREE_CARDS:
        expected = FREE
    elif keyword in ("LONPOLE", "CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2"):
        expected = FREE if kind in ("removed", "lower", "moved") else SAME_OR_REFUSED
    return name, expected, content


def _with(values, index, number):
    values = values.copy()
    values[index] = number
    return values


def _rewritten_healpix(rng, form, reference):
    """The same map written otherwise, or one with something wrong in it."""
    values = healpix_values()
    i = int(rng.integers(NPIX))
    lost = changed({"y": _with(reference["y"], i, np.nan)})
    lost = changed(_like_y(lost.changed[0]["y"], reference))
    inside = 20 <= i < 150
    partial = form == "partial"
    rows = np.arange(20, 150)
    if partial:
        if not inside:
            i = int(rng.integers(20, 150))
        lost = changed(_like_y(_with(reference["y"], i, np.nan), reference))
    kinds = _PARTIAL if partial else _WHOLE
    kind = pick(rng, kinds)
    if partial and kind == "NSIDE 8":  # there are such pixels
        kind = "NSIDE 0"
    order = np.arange(NPIX)
    if form == "nested":
        values_in_order = np.empty_like(values)
        values_in_order[NEST_OF_RING] = values
        order = NEST_OF_RING
    else:
        values_in_order = values
    options = {"ordering": "NESTED" if form == "nested" else "RING"}

    def write(data=None, **more):
        data = values_in_order if data is None else data
        data = data[20:150] if partial and len(data) == NPIX else data
        if partial:
            more = {"partial": rows} | more
        return _healpix(data, **(options | more))

    at = order[i]
    if kind in _BAD:
        number = _BAD[kind]
        return f"pixel {kind}", lost, write(_with(values_in_order, at, number))
    if kind in _CARDS:
        cards, expected = _CARDS[kind]
        return kind, expected, write(cards=cards)
    if kind == "double":
        return kind, SAME, write(values_in_order.astype(float), dtype="D")
    if kind == "scaled":
        return kind, *_scaled_column(write, values_in_order, reference)
    if kind == "rows of 16":
        return kind, SAME, write(values_in_order.reshape(-1, 16), dtype="16E")
    if kind == "integers":
        zero = changed(lambda found: not np.any(np.nan_to_num(found["y"])), refused=True)
        return kind, zero, write(values_in_order.astype(int), dtype="J")
    if kind == "text":
        return kind, REFUSED, write(values_in_order.astype("S12"), dtype="12A")
    if kind == "bool":
        return kind, REFUSED, write(values_in_order > 0, dtype="L")
    if kind == "complex":
        return kind, REFUSED, write(values_in_order.astype(complex), dtype="C")
    if kind == "short":
        return kind, REFUSED, write(values_in_order[: -int(rng.integers(1, 100))])
    if kind == "long":
        return kind, REFUSED, write(np.append(values_in_order, [0, 0]))
    if kind == "empty":
        return kind, FREE if partial else REFUSED, write(values_in_order[:0])
    if kind == "renamed":
        return kind, SAME, write(name=pick(rng, ("y", "COMPTON", "FULL", "I_STOKES", "signal")))
    if kind == "two columns":
        return kind, REFUSED, write(more=("OTHER",))
    if kind == "FULL and another":
        return kind, SAME, write(name="FULL", more=("OTHER",))
    if kind == "shuffled rows":
        shuffled = rng.permutation(130)
        return kind, SAME, write(values[20:150][shuffled], partial=rows[shuffled])
    if kind == "row lost":
        kept = np.delete(np.arange(130), i - 20)
        return kind, lost, write(values[20:150][kept], partial=rows[kept])
    if kind == "pixel twice":
        pixels = _with(rows, 5, rows[6])
        return kind, REFUSED, write(partial=pixels)
    # What is no pixel of the map: beyond its end, below 0.
    number = NPIX + 3 if kind == "pixel beyond" else -4
    return kind, REFUSED, write(partial=_with(rows, 9, number))


def _like_y(y, reference):
    """A test that the values are these; cutouts follow from them."""

    def test(found):
        alike = np.allclose(found["y"], y, rtol=1e-6, atol=0, equal_nan=True)
        return alike and found["frame"] == reference["frame"]

    return test


def _scaled_column(write, values, reference):
    scale = 2e-9
    whole = np.rint(values.astype(float) / scale).astype(np.int16)
    content = write(whole, dtype="I", cards=(("TSCAL1", scale),))
    name = b"TSCAL2" if b"PIXEL   " in content else b"TSCAL1"
    content = content.replace(b"TSCAL1", name)

    def test(found):
        return np.allclose(found["y"], reference["y"], rtol=0, atol=scale, equal_nan=True)

    return changed(test), content


_BAD = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "UNSEEN": UNSEEN, "BAD_DATA": -99.0}
_CARDS = {
    "ordering NEST in small letters": ((("PIXTYPE", None),), SAME),
    "no NSIDE": ((("NSIDE", None),), SAME_OR_REFUSED),
    "NSIDE 8": ((("NSIDE", 8),), REFUSED),
    "NSIDE 3": ((("NSIDE", 3),), REFUSED),
    "NSIDE 0": ((("NSIDE", 0),), REFUSED),
    "NSIDE huge": ((("NSIDE", 2**30),), REFUSED),
    "NSIDE text": ((("NSIDE", "4"),), SAME_OR_REFUSED),
    "NSIDE real": ((("NSIDE", 4.0),), SAME_OR_REFUSED),
    "ordering unknown": ((("ORDERING", "SPIRAL"),), REFUSED),
    "ordering number": ((("ORDERING", 1),), REFUSED),
    "frame unknown": ((("COORDSYS", "X"),), REFUSED),
    "frame in words": ((("COORDSYS", "GALACTIC"),), SAME_OR_REFUSED),
    "frame celestial": ((("COORDSYS", "C"),), changed(lambda found: found["frame"] == "icrs")),
    "unit K": ((("TUNIT1", "K_CMB"), ("TUNIT2", "K_CMB")), REFUSED),
    "unit uK": ((("TUNIT1", "uK"), ("TUNIT2", "uK")), REFUSED),
    "unit empty": ((("TUNIT1", ""), ("TUNIT2", "")), SAME),
    "unit y": ((("TUNIT1", "y"), ("TUNIT2", "y")), SAME_OR_REFUSED),
    "unit number": ((("TUNIT1", 3), ("TUNIT2", 3)), SAME_OR_REFUSED),
    "explicit without pixels": ((("INDXSCHM", "EXPLICIT"),), SAME_OR_REFUSED),
    "implicit": ((("INDXSCHM", "IMPLICIT"),), SAME_OR_REFUSED),
    "no INDXSCHM": ((("INDXSCHM", None),), SAME_OR_REFUSED),
    "bad data text": ((("BAD_DATA", "-99.0"),), SAME_OR_REFUSED),
    "bad data bool": ((("BAD_DATA", True),), SAME_OR_REFUSED),
    "bad data large": ((("BAD_DATA", 1e300),), SAME_OR_REFUSED),
    "beam text": ((("FWHM", "10 arcmin"),), changed({"beam": np.nan}, same=True, refused=True)),
    "beam negative": ((("FWHM", -10.0),), changed({"beam": np.nan}, refused=True)),
    "beam zero": ((("FWHM", 0.0),), changed({"beam": np.nan}, refused=True)),
    "beam bool": ((("FWHM", True),), changed({"beam": np.nan}, refused=True)),
}
_COMMON = (*_BAD, *_CARDS, "double", "scaled", "text", "bool", "complex", "empty", "renamed")
_COMMON += ("integers", "two columns", "FULL and another")
_WHOLE = (*_COMMON, "short", "long", "rows of 16")
_PARTIAL = (*_COMMON, "shuffled rows", "row lost", "pixel twice", "pixel beyond", "pixel negative")


# Images

_POSITIONS = SkyCoord([83.0, 85.5], [-4.0, -2.5], unit="deg")


def image_wcs(projection="TAN"):
    """WCS of 16 x 14 pixels of 1 deg about a place that is on the equator of cylinders."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = f"RA---{projection}", f"DEC--{projection}"
    wcs.wcs.crpix = (8.5, 7.5) if projection == "TAN" else (8.5, 11.0)
    wcs.wcs.crval = (84.0, -3.5) if projection == "TAN" else (84.0, 0.0)
    wcs.wcs.cdelt, wcs.wcs.cunit = (-1.0, 1.0), ("deg", "deg")
    return wcs


def _image_values():
    return np.random.default_rng(2).normal(0, 3e-6, (14, 16)).astype(np.float32)


def _image(data, header, *, extension=False):
    if extension:
        return damage.written([fits.PrimaryHDU(), fits.ImageHDU(data, header)])
    return damage.written([fits.PrimaryHDU(data, header)])


def _image_header(projection):
    header = image_wcs(projection).to_header()
    header["BMAJ"], header["BMIN"], header["BUNIT"] = 10 / 60, 10 / 60, ""
    return header


@functools.cache
def _image_base(projection):
    return _image(_image_values(), _image_header(projection))


def image_case(rng, folder):
    """A map that is an image."""
    projection = pick(rng, ("TAN", "CAR", "CEA", "ZEA"))
    content = _image_base(projection)
    path = folder / "image.fits"
    reference = reference_of(("image", projection), path, content, read_map)
    kind = pick(rng, ("card", "card", "rewritten", "rewritten", "garbled", "gzip"))
    if kind == "card":
        removals = {"BMAJ": changed({"beam": np.nan}), "CTYPE1": REFUSED, "CTYPE2": REFUSED}
        name, expected, content = _card_mutation(rng, content, reference, removals)
        if "card BMIN" in name or "card BUNIT" in name:
            expected = changed({"beam": np.nan}, same=True, refused=True)
    elif kind == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif kind == "gzip":
        name, expected, content, path = _compressed(rng, content, path)
    else:
        name, expected, content = _rewritten_image(rng, projection, reference)
    path.write_bytes(content)
    return Case(f"{projection} {name}", expected, lambda: read_map(path), reference)


def _rewritten_image(rng, projection, reference):
    data, header = _image_values(), _image_header(projection)
    spot = int(rng.integers(14)), int(rng.integers(16))
    lost = _like_y(_with(reference["y"], spot, np.nan), reference)
    kind = pick(rng, (*_IMAGE_BAD, *_IMAGE_CARDS, *_IMAGE_FORMS))
    if kind in _IMAGE_BAD:
        return f"pixel {kind}", changed(lost), _image(_with(data, spot, _IMAGE_BAD[kind]), header)
    if kind in _IMAGE_CARDS:
        cards, expected = _IMAGE_CARDS[kind]
        for keyword, value in cards:
            if value is None:
                header.remove(keyword, ignore_missing=True)
            else:
                header[keyword] = value(header) if callable(value) else value
        return kind, expected, _image(data, header)
    if kind == "double":
        return kind, SAME, _image(data.astype(float), header)
    if kind == "extension":
        return kind, SAME, _image(data, header, extension=True)
    if kind == "third axis of one":
        return kind, SAME_OR_REFUSED, _image(data[np.newaxis], header)
    if kind == "four planes":
        return kind, REFUSED, _image(np.stack(4 * [data]), header)
    if kind == "one row":
        return kind, FREE, _image(data[:1], header)
    if kind == "one dimension":
        return kind, REFUSED, _image(data[0], header)
    if kind == "columns turned":
        header["CDELT1"], header["CRPIX1"] = 1.0, 17 - header["CRPIX1"]
        same = _same_sky(reference)
        return kind, changed(same), _image(data[:, ::-1], header)
    scale = 2e-9
    whole = np.rint(data.astype(float) / scale).astype(np.int16)
    hdu = fits.PrimaryHDU(whole, header)
    hdu.header["BSCALE"], hdu.header["BZERO"] = scale, 0.0
    if kind == "scaled":
        return kind, changed(_near_y(reference["y"], scale)), damage.written([hdu])
    whole[spot] = -32768
    hdu = fits.PrimaryHDU(whole, header)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = scale, 0.0, -32768
    expected = _near_y(_with(reference["y"], spot, np.nan), scale)
    return "scaled with BLANK", changed(expected), damage.written([hdu])


def _near_y(y, atol):
    return lambda found: np.allclose(found["y"], y, rtol=0, atol=atol, equal_nan=True)


def _same_sky(reference):
    def test(found):
        names = ("cutouts", "footprint", "beam", "frame")
        return all(
            np.allclose(found[n], reference[n], rtol=1e-5, atol=1e-12, equal_nan=True)
            if n != "frame"
            else found[n] == reference[n]
            for n in names
        )

    return test


_IMAGE_BAD = {"NaN": np.nan, "inf": np.inf, "UNSEEN": UNSEEN, "1e31": 1e31}
_IMAGE_CARDS = {
    "round the sky": ((("CRVAL1", 84.0 - 360),), SAME),
    "arcmin": (
        (
            *(("CUNIT1", "arcmin"), ("CUNIT2", "arcmin"), ("CDELT1", -60.0), ("CDELT2", 60.0)),
            *(("CRVAL1", 84.0 * 60), ("CRVAL2", lambda h: h["CRVAL2"] * 60)),
        ),
        SAME,
    ),
    "no CTYPE": ((("CTYPE1", None), ("CTYPE2", None)), REFUSED),
    "CTYPE unknown": ((("CTYPE1", "RA---XYZ"), ("CTYPE2", "DEC--XYZ")), REFUSED),
    "CTYPE of two kinds": ((("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--ZEA")), REFUSED),
    "CTYPE twice": ((("CTYPE1", "RA---TAN"), ("CTYPE2", "RA---TAN")), REFUSED),
    "no pixel size": ((("CDELT1", 0.0), ("CDELT2", 0.0)), REFUSED),
    "CUNIT unknown": ((("CUNIT1", "furlong"),), REFUSED),
    "CUNIT of length": ((("CUNIT1", "km"), ("CUNIT2", "km")), REFUSED),
    "unit K": ((("BUNIT", "K"),), REFUSED),
    "unit uK_CMB": ((("BUNIT", "uK_CMB"),), REFUSED),
    "unit Jy/beam": ((("BUNIT", "Jy/beam"),), REFUSED),
    "unit y": ((("BUNIT", "y"),), SAME_OR_REFUSED),
    "unit number": ((("BUNIT", 1.0),), SAME_OR_REFUSED),
    "beam zero": ((("BMAJ", 0.0), ("BMIN", 0.0)), changed({"beam": np.nan}, refused=True)),
    "beam text": ((("BMAJ", "wide"),), changed({"beam": np.nan}, refused=True)),
    "beam of two widths": ((("BMIN", 0.01),), changed({"beam": np.nan}, refused=True)),
    "latitude beyond": ((("CRVAL2", 123.0),), FREE),
    "EQUINOX text": ((("EQUINOX", "J2000"),), SAME_OR_REFUSED),
    "RADESYS unknown": ((("RADESYS", "NOWHERE"),), FREE),
    "CD matrix": (
        (("CDELT1", None), ("CDELT2", None), ("CD1_1", -1.0), ("CD2_2", 1.0)),
        SAME,
    ),
    "singular matrix": ((("PC1_1", 1.0), ("PC1_2", 1.0), ("PC2_1", 1.0), ("PC2_2", 1.0)), REFUSED),
    "WCSAXES 3": ((("WCSAXES", 3),), SAME_OR_REFUSED),
    "BLANK of real numbers": ((("BLANK", -1),), SAME_OR_REFUSED),
    "BSCALE text": ((("BSCALE", "1"),), SAME_OR_REFUSED),
}
_IMAGE_FORMS = (
    *("double", "extension", "third axis of one", "four planes", "one row", "one dimension"),
    *("columns turned", "scaled", "scaled with BLANK"),
)


# Masks, as arrays


@functools.cache
def _stack():
    ymap = ComptonMap.from_healpix(healpix_values(), ordering="ring", frame="galactic")
    return ymap.cutouts(MIDDLES, geometry=GEOMETRY)


def mask_case(rng, folder):
    """A mask of a map or of cutouts."""
    stack = _stack()
    of_map = bool(rng.integers(2))
    n = NPIX if of_map else stack.data[0].shape
    base = np.zeros(n, bool) if of_map else np.ones(n, bool)
    base.flat[[3, 17]] = of_map

    def read(mask):
        if of_map:
            made = ComptonMap.from_healpix(
                healpix_values(), ordering="ring", frame="galactic", mask=mask
            )
            return {"y": made.values()}
        masked = apply_mask(stack, mask)
        return {"y": masked.data, "footprint": masked.footprint}

    masks = {
        "int": (base.astype(int), SAME_OR_REFUSED),
        "float": (base.astype(float), SAME_OR_REFUSED),
        "list": (base.tolist(), SAME),
        "object": (base.astype(object), SAME_OR_REFUSED),
        "text": (base.astype(str), REFUSED),
        "bytes": (base.tobytes(), REFUSED),
        "short": (base.ravel()[:-1], REFUSED),
        "turned": (base[::-1], changed(lambda found: True)),
        "more axes": (base[np.newaxis, np.newaxis], REFUSED),
        "None": (None, changed(lambda found: not np.isnan(found["y"]).all(), refused=True)),
        "scalar": (True, REFUSED),
        "strided": (np.repeat(base, 2, axis=0)[::2], SAME),
        "read-only": (_read_only(base), SAME),
        "masked": (np.ma.masked_array(base, np.zeros(n, bool)), SAME_OR_REFUSED),
        "quantity": (u.Quantity(base.astype(float)), REFUSED),
        "dict": ({"mask": 1}, REFUSED),
        "NaN": (np.full(n, np.nan), REFUSED),
        "empty": (np.zeros(0, bool), REFUSED),
        "ragged": ([[True], [True, False]], REFUSED),
        "set": ({True}, REFUSED),
        "complex": (base.astype(complex), REFUSED),
        "date": (np.zeros(n, "M8[s]"), REFUSED),
    }
    kind = pick(rng, tuple(masks))
    mask, expected = masks[kind]
    where = "map" if of_map else "cutouts"
    return Case(f"mask of {where}: {kind}", expected, lambda: read(mask), read(base))


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array
