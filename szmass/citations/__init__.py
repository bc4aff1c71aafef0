"""What to cite: the papers behind a table, a sample, an estimator, a map, or a name."""

from szmass.citations.bibliography import BIBLIOGRAPHY, Paper, add_papers
from szmass.citations.core import cite, find_papers

__all__ = ["BIBLIOGRAPHY", "Paper", "add_papers", "cite", "find_papers"]
