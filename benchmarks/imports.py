"""Time `import szmass`, and the names most scripts need, beyond astropy's own import."""

import statistics
import subprocess
import sys

BASE = "import astropy.units, astropy.table"
CASES = {
    "astropy.units, astropy.table": BASE,
    "+ szmass": f"{BASE}, szmass",
    "+ its names": f"{BASE}\nfrom szmass import *",
    "+ szmass.cli.core": f"{BASE}, szmass.cli.core",
}
REPEATS = 9


def seconds(code):
    """Give the time that a fresh interpreter takes for the code, without its own start."""
    timed = f"from time import perf_counter as t; s = t()\n{code}\nprint(t() - s)"
    out = subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
    return float(out.stdout)


def main():
    """Print the median and the range over interleaved repetitions."""
    times = {name: [] for name in CASES}
    for _ in range(REPEATS):
        for name, code in CASES.items():
            times[name].append(seconds(code))
    base = statistics.median(times["astropy.units, astropy.table"])
    print(f"{'case':<32}{'median':>9}{'min':>9}{'max':>9}{'beyond':>9}  [s]")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:<32}{median:9.3f}{min(values):9.3f}{max(values):9.3f}{median - base:9.3f}")


if __name__ == "__main__":
    main()
