"""Whether a network knows such cutouts: a score of how unlike its training they are."""

from szmass.networks.domain.core import FEWEST, DomainScore

__all__ = ["FEWEST", "DomainScore"]
