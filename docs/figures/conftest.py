"""The scripts of the figures are run by the build of the documentation, not by pytest."""

collect_ignore_glob = ["*.py"]
