"""Substructure that follows from the dynamical state of a cluster, on plain arrays."""

from dataclasses import dataclass

import numpy as np

from szmass.simulations.bodies._substructure import RADIUS_MAX
from szmass.simulations.bodies.matter import DIFFUSE_SIZE, STEEPEST, bound_inside, nfw_mass

__all__ = ["assemble"]

# The heaviest halo stands between these distances [R200c], matter that is in no halo at the last.
_NEAR, _FAR, _DIFFUSE = 0.1, 0.85, 0.55

# Where haloes reach out to [R200c]: all the way, or so far that the smooth body can be one.
_REACH = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

# Masses, distances and shares inside R200c depend on each other; each round halves what is left.
_ROUNDS = 12


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """Subhaloes, last the companion, and matter beside them, of clusters with given states.

    Attributes
    ----------
    ratio : ndarray
        Their masses over M500, NaN where there is none, shape (N, S).
    position : ndarray
        Their places around the density peak [R500], shape (N, S, 3).
    diffuse_ratio : ndarray
        Mass in no halo that stands beside the peak, over M500, shape (N,); NaN where there is none.
    diffuse_position : ndarray
        Its place [R500], shape (N, 3).
    centre : ndarray
        Centre of mass of all that is inside R200c [R500], shape (N, 3).
    """

    ratio: np.ndarray
    position: np.ndarray
    diffuse_ratio: np.ndarray
    diffuse_position: np.ndarray
    centre: np.ndarray


def assemble(ratio, position, *, delta_r, f_s, m500_m200):
    """Give drawn substructure the masses and places that a state has.

    Masses have one factor per cluster, with which the share f_s of M200c is in haloes inside R200c.
    Haloes are turned towards or away from their common moment, and the heaviest is moved, until
    the centre of mass is at the distance Delta_r from the peak. Where no turn of haloes gives
    so much, the body itself is lopsided: diffuse matter stands on their side of it.

    Parameters
    ----------
    ratio : ndarray
        Masses as drawn, NaN where there is no halo, shape (N, S).
    position : ndarray
        Places as drawn, even in radius out to `RADIUS_MAX`, which becomes R200c; shape (N, S, 3).
    delta_r, f_s, m500_m200 : ndarray
        States, as `draw_states` gives them, shape (N,).

    Returns
    -------
    Assembly
        What has these states.
    """
    states = (delta_r, f_s, m500_m200)
    made, body = _assembled(ratio, position, *states, _REACH[0])
    for reach in _REACH[1:]:
        rows = np.flatnonzero(~body)
        if not rows.size:
            break
        again, body[rows] = _assembled(
            ratio[rows], position[rows], *(state[rows] for state in states), reach
        )
        for name, values in vars(made).items():
            values[rows] = getattr(again, name)
    return made


def _assembled(ratio, position, delta_r, f_s, m500_m200, reach):
    """Assemble out to ``reach``, and whether what is left of the mass can be one body."""
    mass = 1 / m500_m200
    edge = np.cbrt(2.5 * mass)[:, np.newaxis]  # R200c over R500c
    radius = np.linalg.norm(position, axis=2)
    direction = position / radius[..., np.newaxis]
    radius = reach / RADIUS_MAX * radius  # from here in R200c
    far = reach * _FAR
    rows = np.arange(len(ratio))
    main = np.nanargmax(ratio, axis=1)
    others = np.isfinite(ratio)
    others[rows, main] = False
    wanted = delta_r * mass
    factor, distance = np.ones(len(ratio)), radius
    mean = None
    for _ in range(_ROUNDS):
        size = np.cbrt(factor[:, np.newaxis] * ratio) / edge
        share, moment = bound_inside(distance, size)
        factor = np.sqrt(factor * f_s * mass / np.nansum(ratio * share, axis=1))
        new = ratio * moment / distance
        mean = new if mean is None else 0.5 * (mean + new)
        weight = factor[:, np.newaxis] * mean
        lever = weight[rows, main]
        arms, turned, pull = _others(
            np.where(others, weight, 0.0), radius, direction, wanted, lever, far
        )
        # The side of the triangle that the heaviest halo has to be.
        length = np.linalg.norm(pull, axis=1)
        low, high = np.abs(wanted - length) / lever, (wanted + length) / lever
        arm = np.clip(radius[rows, main], np.minimum(low, far), high)
        arm = np.minimum(arm, far)
        along, across = _frame(pull, direction[rows, main])
        side = lever * arm
        cos = (wanted**2 - side**2 - length**2) / np.maximum(2 * side * length, 1e-300)
        cos = np.where(length > 0, np.clip(cos, -1, 1), 1.0)[:, np.newaxis]
        heading = cos * along + np.sqrt(1 - cos**2) * across
        distance, turned = arms.copy(), turned.copy()
        distance[rows, main], turned[rows, main] = arm, heading
    total = pull + side[:, np.newaxis] * heading
    reached = np.linalg.norm(total, axis=1)
    lacking = wanted - reached
    # Less than that is left by the rounds.
    beside = np.full(edge.shape, reach * _DIFFUSE)
    share, lever = bound_inside(beside, DIFFUSE_SIZE / edge)
    diffuse = np.where(lacking > 0.005 * wanted, lacking / lever[:, 0], np.nan)
    ratio = factor[:, np.newaxis] * ratio
    # Smooth mass inside R200c and R500c.
    outer = mass * (1 - f_s) - np.nan_to_num(diffuse) * share[:, 0]
    inner = 1 - np.nansum(ratio * bound_inside(distance * edge, np.cbrt(ratio))[0], axis=1)
    share, _ = bound_inside(beside * edge, np.full(edge.shape, DIFFUSE_SIZE))
    inner -= np.nan_to_num(diffuse) * share[:, 0]
    body = outer > inner * nfw_mass(STEEPEST * edge[:, 0]) / nfw_mass(STEEPEST)
    to_centre = total / reached[:, np.newaxis]
    there = np.isfinite(diffuse)[:, np.newaxis]
    made = Assembly(
        ratio=ratio,
        position=(distance * edge)[..., np.newaxis] * turned,
        diffuse_ratio=diffuse,
        diffuse_position=np.where(there, beside * edge * to_centre, np.nan),
        centre=(delta_r[:, np.newaxis] * edge) * to_centre,
    )
    return made, body


def _others(weight, radius, direction, wanted, lever, far):
    """Turn or pull in the lighter haloes as far as needed: distances, directions, moment."""
    arm = np.where(weight > 0, weight * radius, 0.0)
    pull = np.nansum(arm[..., np.newaxis] * direction, axis=1)
    length = np.linalg.norm(pull, axis=1)
    most = arm.sum(axis=1)
    needed = np.maximum(wanted - lever * far, lever * _NEAR - wanted)
    turn = np.clip((needed - length) / np.maximum(most - length, 1e-300), 0, 1)
    along = pull / np.maximum(length, 1e-300)[:, np.newaxis]
    cos = np.clip(np.einsum("nsi,ni->ns", direction, along), -1, 1)
    across = direction - cos[..., np.newaxis] * along[:, np.newaxis]
    new = cos + turn[:, np.newaxis] * (1 - cos)
    shrink = np.sqrt((1 - new**2) / np.maximum(1 - cos**2, 1e-300))
    turned = new[..., np.newaxis] * along[:, np.newaxis] + shrink[..., np.newaxis] * across
    closer = np.minimum(1, (wanted + lever * far) / np.maximum(length, 1e-300))[:, np.newaxis]
    pull = np.nansum((arm * closer)[..., np.newaxis] * turned, axis=1)
    return radius * closer, turned, pull


def _frame(vector, other):
    """Unit vectors along ``vector`` and, in the plane with ``other``, across it."""
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    along = np.where(length > 0, vector / np.maximum(length, 1e-300), other)
    across = other - (other * along).sum(axis=1, keepdims=True) * along
    length = np.linalg.norm(across, axis=1, keepdims=True)
    return along, across / np.maximum(length, 1e-300)
