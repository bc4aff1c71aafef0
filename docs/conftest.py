"""Tutorials are run by the build of the documentation, not by pytest."""

collect_ignore_glob = ["tutorials/*", "auto_tutorials/*"]
