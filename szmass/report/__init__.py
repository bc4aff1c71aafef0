"""A report that people read: static pages about a table of masses, to be opened from disk."""

from szmass.report.core import check_folder, write_report

__all__ = ["check_folder", "write_report"]
