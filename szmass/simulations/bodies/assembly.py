"""Substructure that follows from the dynamical state of a cluster, on plain arrays."""

from dataclasses import dataclass

import numpy as np

from szmass.simulations.bodies._substructure import RADIUS_MAX
from szmass.simulations.bodies.matter import DIFFUSE_SIZE, bound_inside

__all__ = ["Assembly", "assemble"]

# The heaviest halo stands between these distances [R200c], matter that is in no halo at the last.
_NEAR, _FAR, _DIFFUSE = 0.1, 0.85, 0.55

# What the smooth body has between R500c and R200c at least, over M500c.
_BODY = 0.12

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
    mass = 1 / m500_m200
    edge = np.cbrt(2.5 * mass)[:, np.newaxis]  # R200c over R500c
    radius = np.linalg.norm(position, axis=2)
    direction = position / radius[..., np.newaxis]
    radius = radius / RADIUS_MAX  # from here in R200c
    rows = np.arange(len(ratio))
    main = np.nanargmax(ratio, axis=1)
    others = np.isfinite(ratio)
    others[rows, main] = False
    wanted = delta_r * mass
    # What little mass there is between R500c and R200c cannot be of haloes alone.
    reach = np.clip((mass - 1 - _BODY) / (f_s * mass), 0.75, 1)
    radius = radius * reach[:, np.newaxis]
    far = _FAR * reach

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
    _, lever = bound_inside(_DIFFUSE * reach[:, np.newaxis], DIFFUSE_SIZE / edge)
    diffuse = np.where(lacking > 0.005 * wanted, lacking / lever[:, 0], np.nan)
    to_centre = total / reached[:, np.newaxis]
    there = np.isfinite(diffuse)[:, np.newaxis]
    return Assembly(
        ratio=factor[:, np.newaxis] * ratio,
        position=(distance * edge)[..., np.newaxis] * turned,
        diffuse_ratio=diffuse,
        diffuse_position=np.where(there, (_DIFFUSE * reach)[:, np.newaxis] * edge * to_centre, np.nan),
        centre=(delta_r[:, np.newaxis] * edge) * to_centre,
    )


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
