"""Whole skies: clusters painted on a HEALPix map, with noise, in memory and in a file."""

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import vstack
from scipy import fft

from szmass._io.files import atomic_path
from szmass._utils.kinds import check_kind
from szmass._utils.progress import progress_bar
from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed, generator, uniforms
from szmass._utils.workers import check_workers, run_tasks
from szmass.exceptions import InvalidInputError
from szmass.maps.compton import ComptonMap
from szmass.maps.frames import frame_named, lonlat
from szmass.maps.geometry import CutoutGeometry
from szmass.maps.noise.depth import DepthMap
from szmass.physics.cosmology import get_cosmology
from szmass.simulations._observer import check_noise
from szmass.simulations._pixels import box_variance, tangent_axes
from szmass.simulations.bodies import _triaxial
from szmass.simulations.bodies._fourier import FieldGrid
from szmass.simulations.bodies.models import get_cluster_model
from szmass.simulations.bodies.painting import ClusterPainter, draw_clusters, needed_beam

__all__ = ["simulate_sky", "write_sky"]

_CHUNK = 512
_ROW = 1024

# Side of a patch's pixels in standard deviations of the window: cubics between them are then good
# to 3e-4 of the peak.
_STEP = 0.4
# What a window leaves further from the edge of a cluster is left out.
_TAIL = 4.0
# Sizes of patches go up in these steps, so that their modes are made once for many clusters.
_GROWTH = 1.12
_WIDEST = np.radians(60.0)
_RADIAN = 10800 / np.pi

# What COORDSYS calls the frames that HEALPix files know.
_LETTERS = {"galactic": "G", "icrs": "C", "barycentricmeanecliptic": "E"}


def simulate_sky(
    sample,
    *,
    nside=2048,
    model="a10",
    beam="10 arcmin",
    noise=None,
    frame="galactic",
    y500=None,
    truth=True,
    cosmology,
    seed,
    workers=1,
    scheduler=None,
):
    """Make a Compton-y map of the whole sky with the clusters of a sample at their positions.

    Each cluster is painted as a whole, out to 5 R500 of its body, its subhaloes and its companion,
    as `simulate` paints the first projection of it for the same seed. A pixel holds the mean of the
    convolved sky over its area, so that cutouts with ``interpolation="nearest"`` are those that
    `simulate` makes with ``sampling="nearest"``.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        From `draw_flat`, `draw_mass_function`, `from_masses` or `twin`, with positions.
    nside : int, optional
        Resolution, a power of two. 2048, that of the Planck maps, takes 200 MB.
    model : str or `ClusterModel`, optional
        What the clusters are made of.
    beam : `~astropy.units.Quantity` or str, optional
        FWHM of the Gaussian beam.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise, of the same beam. If its depth is a `~szmass.maps.DepthMap` the pixels where that is
        not known are NaN.
    frame : str, optional
        Frame of the pixels: "galactic", "icrs" or "ecliptic".
    y500 : `~astropy.units.Quantity`, optional
        Spherical Y500 of each cluster, as in `draw_clusters`.
    truth : bool, optional
        Whether ``mocks`` has the truth of what is painted. Without it 10^6 clusters need no more
        memory than their map.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed of clusters and noise.
    workers, scheduler : int, str or `distributed.Client`, optional
        Number of processes, or a Dask scheduler instead. The map is the same to the bit.

    Returns
    -------
    ymap : `~szmass.maps.ComptonMap`
        The map, float32, in RING ordering.
    mocks : `~szmass.clusters.ClusterSample`
        The sample with the truth of `draw_clusters` added and without cutouts: those of the map
        are attached with ``mocks.attach_cutouts(ymap, interpolation="nearest")``. With a noise
        whose depth is a map also ``depth``, NaN where that is not known.

    Raises
    ------
    InvalidInputError
        An argument is out of range, a column is missing, a position is not known, the noise is of
        another beam, or a cluster is so near that it reaches beyond 60 deg.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.simulations import from_masses, simulate_sky
    >>> sample = from_masses([1e15, 6e14] * u.solMass, [0.1, 0.2])
    >>> ymap, mocks = simulate_sky(sample, nside=64, beam="60 arcmin", cosmology="PSZ2", seed=1)
    >>> ymap
    ComptonMap(nside=64, ordering='ring', frame='galactic', beam='60.0 arcmin')
    """
    beam, frame = needed_beam(beam), frame_named(frame)
    model, cosmology, seed = get_cluster_model(model), get_cosmology(cosmology), check_seed(seed)
    nside = _check_nside(nside)
    check_noise(noise, beam, "sky")
    if frame.name not in _LETTERS:
        raise InvalidInputError(
            f"'frame' must be 'galactic', 'icrs' or 'ecliptic'. Received: {frame.name!r}"
        )
    lon, lat = lonlat(check_kind(sample, "ClusterSample", "sample").coord, frame)
    if bad := np.count_nonzero(~np.isfinite(lon)):
        raise InvalidInputError(
            f"{bad} of {len(lon)} clusters have no position and cannot be put on the sky."
        )
    check_workers(workers, scheduler)
    if y500 is not None:
        y500 = as_floats(y500, u.arcmin**2, "y500", positive=True, finite=True)
        if y500.shape != lon.shape:
            raise InvalidInputError(
                f"'y500' must have one value per cluster ({len(lon)}). Received: {y500.shape}"
            )
    mocks = sample[:]
    mocks.cutouts = None
    if noise is None:
        sky = np.zeros(12 * nside**2, dtype=np.float32)
    else:
        sky = noise.draw_healpix(nside, generator(seed, "noise"), frame=frame.name)
    painter = _PatchPainter(model, beam=beam, box_variance=box_variance("nearest", nside))
    job = (sample, y500, lon, lat, painter, nside, cosmology, seed, truth)
    tasks = ((start,) for start in range(0, max(len(lon), 1), _CHUNK))
    parts, run = [], {"workers": workers, "scheduler": scheduler, "in_order": True}
    with progress_bar(total=len(lon), desc="painting", unit="cluster") as bar:
        for clusters, patches in run_tasks(_paint_chunk, job, tasks, **run):
            parts.append(clusters)
            for pixels, values in patches:
                sky[pixels] += values
            bar.update(len(patches))
    if truth:
        clusters = parts[0] if len(parts) == 1 else vstack(parts, metadata_conflicts="error")
        for name in clusters.colnames:
            if name not in ("cluster_id", "redshift", "mass_true"):
                mocks.table[name] = clusters[name]
        mocks.table.meta.update(clusters.meta)
    if noise is not None and isinstance(noise.depth, DepthMap):
        mocks.table["depth"] = noise.depth.at(sample.coord)
    mocks.table.meta["observation"] = f"sky, nside={nside}"
    facts = {"beam": beam, "noise": noise, "sampling": "window", "zeros": "observed"}
    ymap = ComptonMap.from_healpix(sky, ordering="ring", frame=frame, **facts)
    ymap.meta.update(ZEROS="observed", MODEL=model.name, SEED=seed, COSMO=str(cosmology.name))
    return ymap, mocks


def write_sky(ymap, path, *, overwrite=False):
    """Write a HEALPix map as FITS: float32, all pixels of the sky, invalid ones NaN.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        The map.
    path : path-like
        The target, ending in .fits or .fits.gz. It is complete or not there.
    overwrite : bool, optional
        Replace an existing file.

    Raises
    ------
    InvalidInputError
        The map is an image, or its frame is none that HEALPix files know; the target exists, or
        its folder does not.

    Notes
    -----
    `szmass.maps.ComptonMap.read` opens it again without being told frame, ordering, beam or noise.
    """
    if check_kind(ymap, "ComptonMap", "ymap").nside is None:
        raise InvalidInputError(f"'ymap' must be a HEALPix map. Received: {ymap!r}")
    if ymap.frame not in _LETTERS:
        raise InvalidInputError(
            f"A HEALPix file can be in the frames {', '.join(_LETTERS)}. Received: {ymap.frame!r}"
        )
    npix = 12 * ymap.nside**2
    row = _ROW if npix % _ROW == 0 else 1
    values = np.empty(npix, dtype=">f4")
    for start in range(0, npix, 2**22):
        pixels = np.arange(start, min(start + 2**22, npix))
        values[pixels] = ymap.values(pixels)
    column = fits.Column("FULL", f"{row}E", array=values.reshape(-1, row))
    hdu = fits.BinTableHDU.from_columns([column], name="COMPTON-Y")
    hdu.header.update(
        PIXTYPE=("HEALPIX", "HEALPix pixelisation"),
        ORDERING=(ymap.ordering.upper(), "Ordering of the pixels"),
        NSIDE=(ymap.nside, "Resolution"),
        FIRSTPIX=(0, "First pixel"),
        LASTPIX=(npix - 1, "Last pixel"),
        INDXSCHM=("IMPLICIT", "All pixels, in order"),
        OBJECT=("FULLSKY", "Sky coverage"),
        COORDSYS=(_LETTERS[ymap.frame], "Frame of the pixels"),
    )
    if ymap.beam is not None:
        hdu.header["FWHM"] = (ymap.beam.to_value("arcmin"), "[arcmin] FWHM of the beam")
    hdu.header["SAMPLING"] = (ymap.sampling.kind, "What a pixel holds")
    noise = [] if ymap.noise is None else ymap.noise.to_hdus()
    for key, value in ymap.meta.items():
        if len(key) <= 8 and isinstance(value, str | int | float):
            hdu.header[key] = value
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList([fits.PrimaryHDU(), hdu, *noise]).writeto(temporary)


def _paint_chunk(job, start):
    """Draw and paint some clusters: their truth, where asked for, pixels and values of each."""
    sample, y500, lon, lat, painter, nside, cosmology, seed, truth = job
    rows = slice(start, start + _CHUNK)
    given = None if y500 is None else y500[rows] * u.arcmin**2
    options = {"y500": given, "cosmology": cosmology, "seed": seed}
    clusters = draw_clusters(sample[rows], painter.model, **options)
    images = painter.patches(clusters, seed)
    places = zip(images, lon[rows], lat[rows], strict=True)
    patches = [_patch_pixels(nside, image, painter.pixel, *place) for image, *place in places]
    return clusters if truth else None, patches


def _check_nside(nside):
    whole = isinstance(nside, int | np.integer) and not isinstance(nside, bool)
    if not whole or nside < 1 or nside & (nside - 1):
        raise InvalidInputError(f"'nside' must be a power of two. Received: {nside!r}")
    return int(nside)


class _Patches(FieldGrid):
    """Square grids of one pixel size, of whatever size a cluster needs."""

    def __init__(self, pixel, window):
        self.pixel, self.window = pixel, window
        self._grids = {}

    def size(self, reach):
        half = reach + _TAIL * self.window.sigma
        if half > _WIDEST * _RADIAN:
            raise InvalidInputError(
                f"A cluster reaches {half / 60:.0f} deg from its centre, more than a patch of the "
                "sky can hold. Leave out clusters that are so near (redshift)."
            )
        steps = np.ceil(np.log(2 * half / self.pixel) / np.log(_GROWTH))
        return fft.next_fast_len(int(np.ceil(_GROWTH**steps)), real=True)

    def _grid(self, n):
        if n not in self._grids:
            self._grids[n] = FieldGrid((n, n), self.pixel, self.window)
        return self._grids[n]

    def spectrum(self, n, *components):
        return self._grid(n).spectrum(n, *components)

    def image(self, n, spectrum):
        return self._grid(n).image(n, spectrum)


class _PatchPainter(ClusterPainter):
    """Paints each drawn cluster on a patch that holds the whole of it."""

    def __init__(self, model, *, beam, box_variance):
        # The grid of the base class is not used: it only checks the beam with it.
        super().__init__(
            model,
            geometry=CutoutGeometry(shape=(2, 2), pixel_scale=0.1 * u.arcmin),
            beam=beam,
            box_variance=box_variance,
        )
        self.pixel = _STEP * self.window.sigma
        self.grid = _Patches(self.pixel, self.window)

    def patches(self, clusters, seed):
        """Yield the image of each cluster, in its projection 0, on a square of its own size."""
        keys = [(int(i), 0) for i in clusters["cluster_id"]]
        _, matrix = _triaxial.rotations(uniforms(seed, "projection", keys, 3))
        matrix = matrix.reshape(len(clusters), 3, 3)
        for components, turned in zip(self._components(clusters), matrix, strict=True):
            yield self.grid.draw(*components, turned, np.zeros(2))


def _patch_pixels(nside, image, pixel, lon, lat):
    """RING pixels under an equal-area patch about lon, lat [rad], rows North, columns West.

    With the values there.
    """
    import healpy
    from scipy.ndimage import map_coordinates

    middle = (len(image) - 1) / 2
    # The circle about the square, in the plane and on the sphere.
    corner = min(np.sqrt(2) * (middle + 1) * pixel / _RADIAN, 1.9)
    centre, (to_east, to_north) = tangent_axes(lon, lat)
    pixels = healpy.query_disc(nside, centre, 2 * np.arcsin(corner / 2))
    directions = np.array(healpy.pix2vec(nside, pixels))
    scale = np.sqrt(2 / (1 + centre @ directions)) * (_RADIAN / pixel)
    points = np.stack([(to_north @ directions) * scale, -(to_east @ directions) * scale]) + middle
    inside = np.abs(points - middle).max(axis=0) <= middle
    return pixels[inside], map_coordinates(
        image, points[:, inside], order=3, mode="mirror", output=np.float32
    )
