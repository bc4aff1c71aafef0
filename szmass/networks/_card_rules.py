"""Rules of a model card: its values, the cutouts that agree with it, the arrays networks take."""

import math

import astropy.units as u
import numpy as np

from szmass.exceptions import FileFormatError, InvalidInputError

#: What networks may give: a mass, a density of it, the amplitude of the signal, or densities of
#: numbers of the dynamical state.
TARGETS = ("log10_mass", "log10_mass_density", "amplitude", "log10_state_density")
_KINDS = {
    TARGETS[1]: "density networks",
    TARGETS[2]: "amplitude networks",
    TARGETS[3]: "networks of states",
}

# Rounding of header values passes; 1.718' against 1.7' and 7' against 10' do not.
_SCALE_TOLERANCE, _BEAM_TOLERANCE = 1e-3, 1e-2
_ROTATION_TOLERANCE = 0.1  # deg: 0.1 pixel at the corner of 96 x 96 pixels


# Fields that hold text, and tables.
_TEXTS = (
    *("name", "architecture", "frame", "projection", "mass_definition"),
    *("split", "licence"),
)
_TABLES = ("architecture_options", "training", "metrics")

# log10(M / Msun) of any halo.
_MASSES = (8.0, 18.0)


def broken_rules(card):
    """Fields of a card whose values cannot be, and what they must be."""
    edges = [edge for pair in card.redshift_bins for edge in pair]
    rules = {name: (_is_text(getattr(card, name)), "a text") for name in _TEXTS}
    rules |= {
        name: (isinstance(getattr(card, name), dict), "a table of values by name")
        for name in _TABLES
    }
    rules |= {
        "interpolation": (
            card.interpolation is None or _is_text(card.interpolation),
            "a text, or None where it is not known",
        ),
        "n_parameters": (_are_whole([card.n_parameters]), "a positive whole number"),
        "rotation_deg": (math.isfinite(card.rotation_deg), "finite"),
        "error_table": (
            card.error_table is None or hasattr(card.error_table, "err_minus"),
            "a table of errors or None",
        ),
        "weights": (all(map(_is_file, card.weights)), "names of files with their SHA-256"),
        "references": (all(map(_is_text, card.references)), "ADS bibcodes"),
        "target": (card.target in TARGETS, " or ".join(map(repr, TARGETS))),
        "shape": (
            len(card.shape) == 2 and _are_whole(card.shape),
            "two positive integers",
        ),
        "pixel_scale_arcmin": (_are_positive([card.pixel_scale_arcmin]), "positive"),
        "beam_fwhm_arcmin": (_are_positive([card.beam_fwhm_arcmin]), "positive"),
        "h": (card.h is None or 0.1 < card.h < 2, "between 0.1 and 2, or None"),
        "redshift_bins": (
            len(edges) > 0
            and all(len(pair) == 2 and pair[0] < pair[1] for pair in card.redshift_bins)
            and edges == sorted(edges)
            and 0 <= edges[0] < edges[-1] < math.inf,
            "increasing (low, high) pairs of at least 0",
        ),
        "normalisation": (
            len(card.normalisation) == len(card.redshift_bins)
            and all(
                len(pair) == 2 and math.isfinite(pair[0]) and _are_positive(pair[1:])
                for pair in card.normalisation
            ),
            "one (mean, positive sigma) pair per redshift bin",
        ),
        "log10_mass_range": (
            len(card.log10_mass_range) == 2
            and _MASSES[0] <= card.log10_mass_range[0] < card.log10_mass_range[1] <= _MASSES[1],
            "an increasing pair of log10(M / Msun)",
        ),
    }
    for name, (kept, expectation) in rules.items():
        if not kept:
            yield name, expectation


def _are_positive(values):
    return all(0 < value < math.inf for value in values)


def _are_whole(values):
    return all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in values)


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def _is_file(entry):
    """Whether it names a file of its own folder, by text."""
    named = all(_is_text(getattr(entry, name, None)) for name in ("file", "sha256"))
    named = named and (entry.url is None or _is_text(entry.url))
    return named and "/" not in entry.file and "\\" not in entry.file


def check_ensemble_card(card, target):
    """Refuse a card that says of an ensemble what it cannot be: none of it is ignored."""
    (low, high), options = card.log10_mass_range, card.architecture_options
    # Amplitudes know of no masses.
    built = options.get("log10_mass_range") if target == TARGETS[1] else (low, high)
    rules = {
        "target": (card.target == target, repr(target)),
        "h": (card.h is None, "None: masses are log10(M / Msun)"),
        "normalisation": (
            card.normalisation == ((0.0, 1.0),),
            "((0, 1),): the networks see y in units of the noise",
        ),
        "error_table": (card.error_table is None, "None: errors are those of the posterior"),
        "log10_mass_range": (
            isinstance(built, list | tuple)
            and len(built) == 2
            and all(map(math.isclose, built, (low, high))),
            f"that of 'architecture_options', {built!r}",
        ),
    }
    for name, (kept, expectation) in rules.items():
        if not kept:
            raise FileFormatError(
                f"'{name}' of the model card {card.name!r} of {_KINDS[target]} must be "
                f"{expectation}. Received: {getattr(card, name)!r:.200}"
            )


def cutout_differences(card, stack):
    """What differs between a stack of cutouts and a card, in words."""
    geometry, beam = stack.geometry, stack.beam
    turn = u.Quantity(geometry.rotation).to_value(u.deg) - card.rotation_deg
    comparisons = {  # name: (agrees, received, expected)
        "shape": (tuple(geometry.shape) == card.shape, tuple(geometry.shape), card.shape),
        "pixel scale": _compare(geometry.pixel_scale, card.pixel_scale_arcmin, _SCALE_TOLERANCE),
        "frame": (geometry.frame == card.frame, geometry.frame, card.frame),
        "rotation": (
            abs(math.remainder(turn, 360)) < _ROTATION_TOLERANCE,
            f"{card.rotation_deg + turn:g} deg",
            f"{card.rotation_deg:g} deg",
        ),
        "projection": (
            geometry.projection == card.projection,
            geometry.projection,
            card.projection,
        ),
        "beam FWHM": _compare(beam, card.beam_fwhm_arcmin, _BEAM_TOLERANCE),
    }
    return [
        f"{name} {received} instead of {expected}"
        for name, (agrees, received, expected) in comparisons.items()
        if not agrees
    ]


def _compare(angle, arcmin, tolerance):
    """Compare an angle with a number of arcmin; None and multiples of theta500 never agree."""
    expected = f"{arcmin:g} arcmin"
    if angle is None:
        return False, "unknown", expected
    angle = u.Quantity(angle)
    if not angle.unit.is_equivalent(u.arcmin):
        return False, f"{angle:g} (relative)", expected
    value = angle.to_value(u.arcmin)
    return math.isclose(value, arcmin, rel_tol=tolerance), f"{value:.5g} arcmin", expected


def check_inputs(card, data, redshift, batch_size):
    """Refuse y (N, ny, nx) and redshifts (N,) that networks with this card cannot take."""
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InvalidInputError(
            f"'batch_size' must be at least 1, a whole number. Received: {batch_size!r}"
        )
    if data.ndim != 3 or data.shape[1:] != card.shape:
        raise InvalidInputError(
            f"'data' must have shape (N, {card.shape[0]}, {card.shape[1]}). Received: {data.shape}"
        )
    if redshift.shape != data.shape[:1]:
        raise InvalidInputError(
            f"'redshift' must have one entry per cutout ({len(data)}). "
            f"Received shape: {redshift.shape}"
        )
    if bad := np.count_nonzero(~np.isfinite(data).all(axis=(1, 2))):
        raise InvalidInputError(
            f"'data' must be finite; {bad} of {len(data)} cutouts have NaN or infinite pixels."
        )
    outside = card.redshift_bin(redshift) < 0
    if outside.any():
        low, high = card.redshift_bins[0][0], card.redshift_bins[-1][1]
        raise InvalidInputError(
            f"'redshift' must be in ({low:g}, {high:g}]. Received: {redshift[outside][0]}"
        )


def per_cutout(value, name, n):
    """Numbers of which there is one, or one for each of n cutouts."""
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (1,), (n,)):
        raise InvalidInputError(
            f"'{name}' must be one number, or one per cutout ({n}). Received shape: {array.shape}"
        )
    return np.broadcast_to(array, n)
