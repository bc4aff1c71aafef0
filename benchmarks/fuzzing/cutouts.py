"""Mutated files of cutouts, stacks of cutouts, and noise models."""

import functools

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME_OR_REFUSED, Case, changed
from fuzzing.damage import pick
from fuzzing.maps import _compressed, reference_of
from szmass.maps import Cutout, CutoutGeometry, CutoutStack, NoiseModel

GEOMETRY = CutoutGeometry(shape=(8, 8), pixel_scale=3 * u.arcmin)
COORD = SkyCoord([120.0, 240.5], [33.0, -61.0], unit="deg", frame="galactic")


@functools.cache
def _noise():
    ell = np.geomspace(2, 2000, 12)
    return NoiseModel(ell, 1e-12 / ell * u.sr, beam=10 * u.arcmin, meta={"made": "up"})


def _make_stack():
    data = np.random.default_rng(3).normal(0, 1e-5, (2, 8, 8)).astype(np.float32)
    data[1, 2, 3] = np.nan
    return CutoutStack(
        data,
        np.isfinite(data),
        coord=COORD,
        geometry=GEOMETRY,
        names=["A 1", "B 2"],
        beam=10 * u.arcmin,
        noise=_noise(),
        meta={"MADE": "up"},
    )


@functools.cache
def _base(kind, folder):
    path = folder / f"made.{'ecsv' if kind == 'noise table' else 'fits'}"
    path.unlink(missing_ok=True)
    made = {
        "stack": _make_stack,
        "cutout": lambda: _make_stack()[0],
        "noise": _noise,
        "noise table": _noise,
    }[kind]()
    made.write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def _about(cutouts):
    noise = cutouts.noise
    return {
        "data": cutouts.data,
        "footprint": cutouts.footprint,
        "lon": cutouts.coord.galactic.l.deg,
        "lat": cutouts.coord.galactic.b.deg,
        "beam": np.nan if cutouts.beam is None else cutouts.beam.to_value(u.arcmin),
        "scale": cutouts.geometry.pixel_side(u.arcmin),
        "frame": cutouts.geometry.frame,
        "rotation": cutouts.geometry.rotation.to_value(u.deg),
        "noise": np.zeros(0) if noise is None else noise.spectrum(noise.ell).value,
    }


def _read_cutout(path):
    cutout = Cutout.read(path)
    return _about(cutout) | {"name": cutout.name}


def _read_stack(path):
    stack = CutoutStack.read(path)
    return _about(stack) | {"names": np.asarray(stack.names)}


def _read_noise(path):
    model = NoiseModel.read(path)
    return {
        "ell": model.ell,
        "spectrum": model.spectrum(model.ell).to_value("sr"),
        "beam": np.nan if model.beam is None else model.beam.to_value(u.arcmin),
    }


# Cards whose other number or text makes another cutout, and those of the user.
_OTHERS = (
    *(
        "CRVAL",
        "CRPIX",
        "CDELT",
        "PC",
        "LONPOLE",
        "LATPOLE",
        "CUNIT",
        "CTYPE",
        "RADESYS",
        "EQUINOX",
    ),
    *("NAME", "BMAJ", "BMIN", "MADE", "NOISE", "SAMPLING", "MAPSAMP", "MAPPIX", "TUNIT", "MJDREF"),
    *("PIXSCALE", "ROTATION", "GEOFRAME", "BTYPE", "ABOUT", "CONTINUE", "BSCALE", "BZERO", "BLANK"),
    *("TSCAL", "TZERO", "TNULL", "TTYPE", "SHAPE", "INTERPOL"),
)


def _case(rng, folder, kind, read, rewritten):
    suffix = "ecsv" if kind == "noise table" else "fits"
    content = _base(kind, folder)
    path = folder / f"{kind.replace(' ', '-')}.{suffix}"
    reference = reference_of(kind, path, content, read)
    path.unlink(missing_ok=True)
    ways = ("garbled", "gzip", "card", "card", "card", *(["rewritten"] * 3 if rewritten else []))
    way = pick(rng, ways if suffix == "fits" else ("garbled", "gzip", "garbled"))
    if way == "card":
        what, keyword, value, content = damage.mutated_card(rng, content)
        name = f"card {keyword} {what}" + ("" if value is None else f": {value}")
        free = keyword.startswith(_OTHERS) or what == "garbage" or not keyword
        expected = FREE if free else SAME_OR_REFUSED
    elif way == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif way == "gzip":
        name, expected, content, path = _compressed(rng, content, path)
        expected = SAME_OR_REFUSED
    else:
        name, expected, content = rewritten(rng, content, reference)
    path.write_bytes(content)
    return Case(f"{kind} {name}", expected, lambda: read(path), reference)


def _edited(content, edit):
    """Content after an edit of its HDUs."""
    import io

    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        hdus = fits.HDUList([hdu.copy() for hdu in hdus])
        edit(hdus)
        return damage.written(hdus)


def _rewritten_cutout(rng, content, reference):
    nan = np.nan
    footprint = reference["footprint"].copy()
    footprint[4, 5] = False
    masked = reference["data"].copy()
    masked[4, 5] = nan
    gone = changed({"data": masked, "footprint": footprint})
    off = changed({"footprint": footprint}, *gone.changed)

    def data(function):
        def edit(hdus):
            hdus[0].data = function(hdus[0].data)

        return edit

    ways = {
        "double": (data(lambda d: d.astype(float)), changed({}, rtol=1e-6)),
        "pixel NaN": (data(lambda d: _put(d, nan)), gone.or_refused()),
        "pixel inf": (data(lambda d: _put(d, np.inf)), gone.or_refused()),
        "other shape": (data(lambda d: d[:-1]), REFUSED),
        "three axes": (data(lambda d: d[np.newaxis]), REFUSED),
        "no data": (data(lambda d: None), REFUSED),
        "no footprint": (lambda hdus: hdus.pop("FOOTPRINT"), SAME_OR_REFUSED),
        "footprint of another shape": (_footprint(lambda f: f[:, :-1]), REFUSED),
        "footprint empty": (_footprint(lambda f: None), REFUSED),
        "footprint 2": (_footprint(lambda f: f * 2), SAME_OR_REFUSED),
        "footprint off": (_footprint(lambda f: _put(f, 0)), off),
        "text for integers": (data(lambda d: (d * 0).astype(np.int16)), FREE),
        "no noise": (lambda hdus: hdus.pop("NOISE"), REFUSED),
    }
    name = pick(rng, tuple(ways))
    edit, expected = ways[name]
    return name, expected, _edited(content, edit)


def _put(values, number):
    values = values.copy()
    values[..., 4, 5] = number
    return values


def _footprint(function):
    def edit(hdus):
        hdus["FOOTPRINT"].data = function(hdus["FOOTPRINT"].data)

    return edit


def _positions(function):
    def edit(hdus):
        table = hdus["POSITIONS"]
        changed_rows = function(table.data.copy())
        index = hdus.index_of("POSITIONS")
        hdus[index] = fits.BinTableHDU(changed_rows, name="POSITIONS")

    return edit


def _cell(column, value):
    def function(rows):
        rows[column][1] = value
        return rows

    return _positions(function)


def _rewritten_stack(rng, content, reference):
    def data(function):
        def edit(hdus):
            hdus["DATA"].data = function(hdus["DATA"].data)

        return edit

    def removed(name):
        return lambda hdus: hdus.pop(name)

    swapped = {"lon": reference["lon"][::-1], "lat": reference["lat"][::-1]}
    swapped["names"] = reference["names"][::-1]
    masked, footprint = _put(reference["data"], np.nan), _put(reference["footprint"], False)
    gone = changed({"data": masked, "footprint": footprint})
    off = changed({"footprint": footprint}, *gone.changed)
    ways = {
        "double": (data(lambda d: d.astype(float)), changed({}, rtol=1e-6)),
        "pixel NaN": (data(lambda d: _put(d, np.nan)), gone.or_refused()),
        "pixel inf": (data(lambda d: _put(d, -np.inf)), gone.or_refused()),
        "one cutout fewer": (data(lambda d: d[:1]), REFUSED),
        "no data": (data(lambda d: None), REFUSED),
        "two axes": (data(lambda d: d[0]), REFUSED),
        "no DATA": (removed("DATA"), REFUSED),
        "no FOOTPRINT": (removed("FOOTPRINT"), SAME_OR_REFUSED),
        "no POSITIONS": (removed("POSITIONS"), REFUSED),
        "no NOISE": (removed("NOISE"), REFUSED),
        "footprint off": (_footprint(lambda f: _put(f, 0)), off),
        "footprint empty": (_footprint(lambda f: None), REFUSED),
        "one position fewer": (_positions(lambda rows: rows[:1]), REFUSED),
        "positions turned": (
            _positions(lambda rows: np.array(rows)[::-1].copy()),
            changed(swapped),
        ),
        "position NaN": (_cell("lon", np.nan), FREE),
        "latitude beyond": (_cell("lat", 95.0), REFUSED),
        "longitude round": (_cell("lon", 240.5 - 360), SAME_OR_REFUSED),
    }
    name = pick(rng, tuple(ways))
    edit, expected = ways[name]
    return name, expected, _edited(content, edit)


def cutout_case(rng, folder):
    """A file of one cutout."""
    return _case(rng, folder, "cutout", _read_cutout, _rewritten_cutout)


def stack_case(rng, folder):
    """A file of several cutouts."""
    return _case(rng, folder, "stack", _read_stack, _rewritten_stack)


def noise_case(rng, folder):
    """A noise model, as FITS or ECSV."""
    kind = pick(rng, ("noise", "noise", "noise table"))
    return _case(rng, folder, kind, _read_noise, _rewritten_noise if kind == "noise" else None)


def _rewritten_noise(rng, content, reference):
    def column(name, function):
        def edit(hdus):
            rows = function(hdus[1].data.copy())
            hdus[1] = fits.BinTableHDU(rows, hdus[1].header)

        del name
        return edit

    def cell(name, value):
        def function(rows):
            rows[name][3] = value
            return rows

        return column(name, function)

    ways = {
        "spectrum NaN": (cell("spectrum", np.nan), REFUSED),
        "spectrum negative": (cell("spectrum", -1.0), REFUSED),
        "spectrum inf": (cell("spectrum", np.inf), REFUSED),
        "ell NaN": (cell("ell", np.nan), REFUSED),
        "ell negative": (cell("ell", -3.0), REFUSED),
        "ell falls": (cell("ell", 1e4), REFUSED),
        "turned": (column("", lambda rows: np.array(rows)[::-1].copy()), SAME_OR_REFUSED),
        "no rows": (column("", lambda rows: rows[:0]), REFUSED),
        "one row": (column("", lambda rows: rows[:1]), REFUSED),
    }
    name = pick(rng, tuple(ways))
    edit, expected = ways[name]
    return name, expected, _edited(content, edit)
