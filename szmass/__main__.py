"""The command ``szmass``, which ``python -m szmass`` is as well."""

import os
import signal
import sys


def run():
    """Run the command line; Ctrl-C while it is imported, or ends, is one line and no traceback."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as nohup and scripts want it
        signal.signal(signal.SIGINT, _end)
    from szmass.cli import main

    main()


def _end(number, frame):
    """End at once: nothing is being written before a command runs, or after it."""
    sys.stderr.write("Interrupted.\n")
    sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":
    run()
