"""Scale of masses: the 1-b that they are on, or what else they are calibrated with."""

from dataclasses import dataclass
from numbers import Real

from szmass.exceptions import InvalidInputError
from szmass.physics.checks import check_one_minus_b

__all__ = ["MassScale"]


@dataclass(frozen=True)
class MassScale:
    """What masses are calibrated with; only those of a 1-b can be rescaled.

    Parameters
    ----------
    value : float or str, optional
        A number is 1-b, the ratio of the hydrostatic mass of a relation to the mass that is given.
        Text says what else they are: ``"lensing"``, ``"true (simulation NAME)"``, ``"unknown"``.

    Raises
    ------
    InvalidInputError
        It is neither a number above 0 and at most 2, nor text.

    Examples
    --------
    >>> from szmass.results import MassScale
    >>> print(MassScale(0.8))
    1-b = 0.8
    >>> MassScale(1.0).factor_to(0.8)
    1.25
    >>> MassScale("lensing").factor_to(0.8) is None
    True
    """

    value: float | str = "unknown"

    def __post_init__(self) -> None:
        value = self.value
        if isinstance(value, Real) and not isinstance(value, bool):
            object.__setattr__(self, "value", check_one_minus_b(value, one=True))
        elif not (isinstance(value, str) and value.strip()):
            raise InvalidInputError(
                "A mass scale must be a number, which is 1-b, or text such as 'lensing' or "
                f"'unknown'. Received: {value!r}"
            )

    def __str__(self) -> str:
        return f"1-b = {self.value:g}" if self.one_minus_b is not None else str(self.value)

    @property
    def one_minus_b(self) -> float | None:
        """The 1-b, a float, or None for masses that are calibrated otherwise."""
        return None if isinstance(self.value, str) else self.value

    @property
    def known(self) -> bool:
        """Whether the scale is known, a bool."""
        return self.value != "unknown"

    def factor_to(self, one_minus_b: float) -> float | None:
        """Give the factor that brings masses to another 1-b.

        Parameters
        ----------
        one_minus_b : float
            The 1-b that they are to be on.

        Returns
        -------
        float or None
            Masses scale as 1 / (1-b); None where these cannot be rescaled.

        Raises
        ------
        InvalidInputError
            ``one_minus_b`` is not above 0 and at most 2.
        """
        new = check_one_minus_b(one_minus_b, one=True)
        return None if self.one_minus_b is None else self.one_minus_b / new
