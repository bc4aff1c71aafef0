"""Gas of clusters of given masses: drawn, and painted on maps."""

import astropy.units as u
import numpy as np
from astropy.table import QTable
from scipy.special import ndtr, ndtri

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import check_seed, uniforms
from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import check_beam
from szmass.maps.geometry import CutoutGeometry
from szmass.physics.cosmology import get_cosmology
from szmass.physics.templates import X_NODES, sphere_weights, transform_tables
from szmass.simulations.bodies import _substructure, _triaxial, profile_scatter
from szmass.simulations.bodies._fourier import FieldGrid, Window
from szmass.simulations.bodies.assembly import assemble
from szmass.simulations.bodies.fields import substructure
from szmass.simulations.bodies.models import get_cluster_model
from szmass.simulations.bodies.states import draw_states
from szmass.simulations.population import mass_columns

__all__ = ["ClusterPainter", "draw_clusters"]

# Distance of the gas from the density peak over that of the centre of mass, with states: the
# median then is about that of `ClusterModel.gas_offset` without them, 0.04 R500.
_GAS_SHARE = 0.4

# Uniform numbers of each cluster by what they are for; the order is part of what a seed means.
_STATE, _LNY, _BIAS, _NODES, _AXES, _MERGING, _COMPANION, _OFFSET, _NUMBER, _SUBHALOES = np.split(
    np.arange(20 + 5 * _substructure.MAX_SUBHALOES), [1, 2, 3, 9, 11, 12, 16, 19, 20]
)


def draw_clusters(sample, model="a10", *, y500=None, cosmology, seed):
    """Draw the gas of each cluster of a sample: profile, shape, substructure.

    Parameters
    ----------
    sample : `~szmass.clusters.ClusterSample`
        With the columns redshift, mass_true and cluster_id, as `draw_flat` and the other functions
        of this package give it.
    model : str or `ClusterModel`, optional
        What clusters are made of.
    y500 : `~astropy.units.Quantity`, optional
        Spherical Y500 of each cluster as a solid angle, which takes the place of what the model
        would give and scatter: ``y500_model``.
    cosmology : str or `~astropy.cosmology.FLRW`
        The cosmology, or its name.
    seed : int
        Seed. What is drawn for a cluster depends on the seed and its cluster_id alone.

    Returns
    -------
    `~astropy.table.QTable`
        One row per cluster:

        ====================  ======= ==========================================================
        column                unit    meaning
        ====================  ======= ==========================================================
        cluster_id, redshift          as in the sample
        mass_true             solMass true M500c
        one_minus_b                   mass that scales the profile, over mass_true
        theta500_true         arcmin  angular R500 of the mass that scales the profile
        ln_y                          deviation of ln Y500 of the smooth body from the median
        state                         "relaxed", "intermediate" or "disturbed"
        profile_deviation             of ln p at 0.03, 0.1, 0.3, 0.5, 1, 2 R500, at free Y500
        axes                          semi-axes of the gas over their geometric mean
        gas_offset                    centre of the gas from the centre of mass [R500]
        companion_ratio               mass of a merging companion over the cluster's, or NaN
        companion_position            its place [R500]
        subhalo_ratio                 masses of subhaloes, NaN where there is none
        subhalo_gas                   shares of their gas that they have kept
        subhalo_position              their places [R500]
        shape_parameters              of the mean profile, where its shape is not fixed
        y500_model            arcmin2 Y500 of the smooth body with mean substructure
        y500_true             arcmin2 spherical Y500: smooth body, subhaloes and companion
        y5r500_true           arcmin2 the same out to 5 R500
        diffuse_ratio                 mass in no halo that stands beside the density peak, or NaN
        diffuse_position              its place [R500]
        centre_of_mass                centre of mass of all that is inside R200c [R500]
        ====================  ======= ==========================================================

        Places are in the frame of the body's axes. The last three are there with states in the
        model, and so are the columns of `draw_states` for the same seed; places are around the
        density peak then, not around the centre of mass.

    Raises
    ------
    InvalidInputError
        A column is missing, or a mass or redshift is out of range or not known; ``y500`` is not
        positive for every cluster.
    InvalidUnitError
        ``y500`` is no solid angle.
    """
    model, cosmology = get_cluster_model(model), get_cosmology(cosmology)
    mass, redshift, ids = mass_columns(sample)
    if y500 is not None:
        y500 = as_floats(y500, u.arcmin**2, "y500", positive=True, finite=True)
        if y500.shape != mass.shape:
            raise InvalidInputError(
                f"'y500' must have one value per cluster ({len(mass)}). Received: {y500.shape}"
            )
    uniform = uniforms(check_seed(seed), "cluster", zip(ids, strict=True), _SUBHALOES[-1] + 1)
    normal = ndtri(uniform[:, : _NUMBER[0]])
    n = len(mass)

    states, rank = None, uniform[:, _STATE[0]]
    if model.states is not None:
        states = draw_states(sample, model.states, seed=seed)
        rank = ndtr(states["disturbance"])
    state = profile_scatter.draw_states(rank, (model.relaxed, model.disturbed))
    bias = model.sigma_ln_one_minus_b * normal[:, _BIAS[0]]
    rest = np.sqrt(max(model.sigma_lny**2 - (model.y_slope * model.sigma_ln_one_minus_b) ** 2, 0))
    residual = rest * normal[:, _LNY[0]]
    at_nodes = profile_scatter.deviations(
        normal[:, _NODES], (model.relaxed, model.disturbed), model.profile_scatter
    )
    # Companions go to disturbed clusters first.
    chance = np.where(
        state == 2,
        min(1.0, model.merging / model.disturbed) if model.disturbed else 0.0,
        max(0.0, model.merging - model.disturbed) / max(1 - model.disturbed, 1e-9),
    )
    ratio, position = _substructure.companions(
        uniform[:, _COMPANION], uniform[:, _MERGING[0]] < chance
    )
    sub_ratio, sub_gas, sub_position = _substructure.subhaloes(
        uniform[:, _NUMBER[0]],
        uniform[:, _SUBHALOES].reshape(n, _substructure.MAX_SUBHALOES, 5),
        least=0 if states is None else 2,
    )
    if not model.subhaloes:
        for array in (sub_ratio, sub_gas, sub_position):
            array[:] = np.nan
    offset = np.where(state == 2, model.gas_offset[1], model.gas_offset[0])

    table = QTable()
    table["cluster_id"] = ids
    table["redshift"] = redshift
    table["mass_true"] = mass * u.solMass
    table["one_minus_b"] = model.one_minus_b * np.exp(bias)
    theta, scale, *parameters = model.profile.scales(
        table["one_minus_b"] * mass, redshift, cosmology
    )
    table["theta500_true"] = theta * u.arcmin
    table["ln_y"] = residual + model.y_slope * bias
    table["state"] = np.array(profile_scatter.STATES)[state]
    table["profile_deviation"] = at_nodes
    table["axes"] = _triaxial.draw_axes(uniform[:, _AXES], model.axis_ratio_b, model.axis_ratio_c)
    table["gas_offset"] = offset[:, np.newaxis] * normal[:, _OFFSET]
    table["companion_ratio"] = ratio
    table["companion_position"] = position
    table["subhalo_ratio"] = sub_ratio
    table["subhalo_gas"] = sub_gas
    table["subhalo_position"] = sub_position
    if states is not None:
        _follow(table, states, np.any(model.gas_offset))

    gas = PressureBodies(model, table, parameters)
    table["shape_parameters"] = np.reshape(parameters, (len(parameters), n)).T
    if y500 is not None:
        residual = np.log(y500 / gas.y500_model(scale))
        table["ln_y"] = residual + model.y_slope * bias
    table["y500_model"] = gas.y500_model(scale * np.exp(residual)) * u.arcmin**2
    y500, y5r500 = gas.integrals(table["y500_model"].value)
    table["y500_true"], table["y5r500_true"] = y500 * u.arcmin**2, y5r500 * u.arcmin**2
    table.meta.update(
        model=model.name,
        profile=model.profile.name,
        one_minus_b=model.one_minus_b,
        sigma_lny=model.sigma_lny,
        cosmology=cosmology.name,
        simulation_seed=int(seed),
    )
    if states is not None:
        table.meta["state_model"] = model.states.name
    return table


def _follow(table, states, gas_follows):
    """Make substructure and gas of drawn clusters follow from their states."""
    names = ("delta_r", "f_s", "m500_m200")
    ratio, _, position = substructure(table)
    made = assemble(ratio, position, **{name: np.asarray(states[name]) for name in names})
    to_gas = 1 / np.cbrt(np.asarray(table["one_minus_b"]))
    position = made.position * to_gas[:, np.newaxis, np.newaxis]
    table["subhalo_ratio"], table["companion_ratio"] = made.ratio[:, :-1], made.ratio[:, -1]
    table["subhalo_position"], table["companion_position"] = position[:, :-1], position[:, -1]
    table["diffuse_ratio"] = made.diffuse_ratio
    table["diffuse_position"] = made.diffuse_position * to_gas[:, np.newaxis]
    table["centre_of_mass"] = made.centre * to_gas[:, np.newaxis]
    table["gas_offset"] = (_GAS_SHARE if gas_follows else 0.0) * table["centre_of_mass"]
    for name in states.colnames[1:]:
        table[name] = states[name]


class PressureBodies:
    """Pressure of the clusters of a table from `draw_clusters`, as bodies on plain arrays."""

    def __init__(self, model, table, parameters=None):
        self.model = model
        if parameters is None:
            parameters = np.asarray(table["shape_parameters"]).T
        self.theta = table["theta500_true"].to_value("arcmin")
        n = len(table)
        if model.profile.self_similar:
            self.base = model.profile.shape(X_NODES)[np.newaxis]
        else:
            columns = [np.asarray(p).reshape(n, 1) for p in parameters]
            self.base = model.profile.shape(X_NODES, *columns)
        names = profile_scatter.STATES
        self.state = np.array([names.index(name) for name in table["state"]], dtype=int)
        at_nodes = np.asarray(table["profile_deviation"])
        self.shape = profile_scatter.scattered(self.base, self.state, at_nodes)
        self.base_inner = _sum(self.base, 1.0)
        self.inner = _sum(self.shape, 1.0)
        self.ratio, share, self.position = substructure(table)
        self.share = share * self.ratio**model.y_slope

    def y500_model(self, scale):
        """Y500 [arcmin2] of the mean profile from its scale of y."""
        return scale * self.theta**2 * (4 * np.pi / 3) * self.base_inner

    def smooth(self, y500_model):
        """Y500 [arcmin2] of the smooth body: without what substructure holds on average.

        With states: without what it holds.
        """
        if self.model.states is not None:
            return y500_model / (1 + self._own())
        mean = _substructure.subhalo_mean(self.model.y_slope) if self.model.subhaloes else 0.0
        mean += self.model.merging * _substructure.companion_mean(self.model.y_slope)
        return y500_model / (1 + mean)

    def _own(self):
        """Y500 of what is inside R500 in substructure over that of the smooth body."""
        inside = np.linalg.norm(self.position, axis=2) < 1
        return np.nansum(np.where(inside, self.share, 0.0), axis=1)

    def integrals(self, y500_model):
        """Y500 and Y5R500 [arcmin2] of all that is there."""
        smooth = self.smooth(y500_model)
        # Substructure is scaled like the smooth body, so that means stay means.
        outer = _sum(self.shape, 5.0) / self.inner
        base_outer = _sum(self.base, 5.0) / self.base_inner
        return (
            smooth * (1 + self._own()),
            smooth * (outer + np.nansum(self.share, axis=1) * base_outer),
        )


def _sum(profiles, x_max):
    """I(x_max) of each profile, added up in one order whatever the number of rows."""
    return np.einsum("ij,j->i", profiles, sphere_weights(x_max))


def needed_beam(beam):
    """A beam [arcmin] that must be given."""
    beam = check_beam(beam)
    if beam is None:
        raise InvalidInputError("'beam' must be given: what has no beam cannot be sampled.")
    return beam


class ClusterPainter:
    """Paints drawn clusters as they look through a beam.

    Parameters
    ----------
    model : str or `ClusterModel`, optional
        The one that the clusters were drawn from.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        The grid; by default that of the published networks.
    beam : `~astropy.units.Quantity` or str, optional
        FWHM of the Gaussian beam.
    box_variance : float, optional
        Variance per axis [arcmin2] of further, nearly Gaussian windows; a box of side s has
        s^2 / 12.

    halo : (float, float), optional
        Something else with the shape of the gas: its signal over that of the smooth body, and
        its extent. Dust of the cluster's galaxies, for instance.

    Raises
    ------
    InvalidInputError
        The pixels do not resolve the beam, or the geometry is relative.
    """

    def __init__(
        self, model="a10", *, geometry=None, beam="10 arcmin", box_variance=0.0, halo=None
    ):
        self.model = get_cluster_model(model)
        self.geometry = CutoutGeometry() if geometry is None else geometry
        if self.geometry.relative:
            raise InvalidInputError(
                "'geometry' must have a pixel_scale in arcmin: clusters of all sizes are painted "
                f"on one grid. Received: {self.geometry!r}"
            )
        self.beam = needed_beam(beam)
        self.window = Window(self.beam.to_value("arcmin"), box_variance)
        pixel = self.geometry.pixel_scale.to_value("arcmin")
        self.grid = FieldGrid(self.geometry.shape, pixel, self.window)
        self._halo = halo if halo is not None and halo[0] != 0 else None

    def paint(self, clusters, *, projections=1, seed=None, shift=None):
        """Paint clusters.

        Parameters
        ----------
        clusters : `~astropy.table.QTable`
            From `draw_clusters`.
        projections : int or sequence of int, optional
            How many random directions each cluster is seen from, or which of them.
        seed : int, optional
            Seed of the directions; by default that of the clusters.
        shift : `~astropy.units.Quantity`, optional
            Where the centre of mass is, right of and above the middle of the field; shape
            (N, projections, 2).

        Returns
        -------
        maps : ndarray
            Compton-y, float32, shape (N, projections, ny, nx). Point samples of the convolved sky.
        orientation : ndarray
            Rotation from the body to the sky (right, up, along the line of sight) as a
            quaternion x, y, z, w; shape (N, projections, 4).

        Raises
        ------
        InvalidInputError
            The clusters were drawn from another model, or shapes do not match.
        """
        if clusters.meta.get("model") != self.model.name:
            raise InvalidInputError(
                f"The clusters were drawn from the model {clusters.meta.get('model')!r}, the "
                f"painter has {self.model.name!r}."
            )
        views = np.arange(projections) if np.ndim(projections) == 0 else np.asarray(projections)
        n, m = len(clusters), len(views)
        seed = clusters.meta["simulation_seed"] if seed is None else check_seed(seed)
        keys = [(i, view) for i in clusters["cluster_id"] for view in views]
        quaternion, matrix = _triaxial.rotations(uniforms(seed, "projection", keys, 3))
        shift = np.zeros((n, m, 2)) if shift is None else u.Quantity(shift).to_value("arcmin")
        if shift.shape != (n, m, 2):
            raise InvalidInputError(
                f"'shift' must have the shape ({n}, {m}, 2). Received: {shift.shape}"
            )
        maps = np.empty((n, m, *self.geometry.shape), dtype=np.float32)
        matrix = matrix.reshape(n, m, 3, 3)
        for i, components in enumerate(self._components(clusters)):
            for j in range(m):
                maps[i, j] = self.grid.draw(*components, matrix[i, j], shift[i, j])
        return maps, quaternion.reshape(n, m, 4)

    def _components(self, clusters):
        """Yield tables, amplitudes, axes and places [arcmin] of the components of each cluster."""
        gas = PressureBodies(self.model, clusters)
        smooth = gas.smooth(clusters["y500_model"].to_value("arcmin2"))
        axes = np.asarray(clusters["axes"])
        body = np.asarray(clusters["gas_offset"])
        base_table = transform_tables(gas.base[:1])
        for i in range(len(clusters)):
            there = np.flatnonzero(np.isfinite(gas.ratio[i]))
            # As far as twice their shortest length the tables lack nothing that can be seen.
            length = self.grid.table_length(gas.theta[i] * axes[i].max(), slack=2.0)
            own = transform_tables(gas.shape[i : i + 1], length)
            base = base_table
            if len(gas.base) > 1 or length > base.shape[1]:
                base = transform_tables(gas.base[min(i, len(gas.base) - 1)][np.newaxis], length)
            inner = gas.base_inner[i if len(gas.base) > 1 else 0]
            norm = smooth[i] / (4 * np.pi / 3)
            amplitude = np.append(norm / gas.inner[i], norm / inner * gas.share[i, there])
            size = gas.theta[i] * np.cbrt(gas.ratio[i, there])
            place = np.vstack([body[i], gas.position[i, there]]) * gas.theta[i]
            if self._halo is not None:
                amplitude = np.append(amplitude, self._halo[0] * norm / inner)
                size = np.append(size, self._halo[1] * gas.theta[i])
                place = np.vstack([place, body[i] * gas.theta[i]])
            yield np.vstack([own, base]), amplitude, axes[i] * gas.theta[i], size, place
