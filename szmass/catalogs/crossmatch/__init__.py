"""Cross-matching of catalogues: by position, redshift and name, with the probability of chance."""

from szmass.catalogs.crossmatch.core import crossmatch, crossmatch_many

__all__ = ["crossmatch", "crossmatch_many"]
