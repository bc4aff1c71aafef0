"""The parts of the package and what flows between them; the boxes are the package's own."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import szmass

# Where each part stands (column, row), and what it holds. A part of the package that is not
# here, or one that is here and not in the package, stops the drawing.
PARTS = {
    "physics": (0, 0, "pressure profiles,\nY-M relations, halos"),
    "simulations": (1, 0, "populations, painting,\nskies, data sets"),
    "networks": (2, 0, "architectures,\ntraining, cards"),
    "catalogs": (0, 1, "rows of the sky"),
    "clusters": (1, 1, "Cluster,\nClusterSample"),
    "estimators": (2, 1, "ways to weigh\na cluster"),
    "results": (3, 1, "mass tables, flags,\nposteriors"),
    "morphology": (2, 2, "shapes of clusters,\ndynamical states"),
    "comparison": (4, 1, "statistics\nbetween masses"),
    "maps": (0, 2, "pixels of the sky,\ncutouts, noise"),
    "baryons": (1, 2, "haloes of simulations,\ntheir gas and stars"),
    "citations": (3, 0, "what to cite"),
    "plots": (4, 0, "figures"),
    "report": (5, 0, "pages for\na browser"),
    "reproduce": (5, 1, "the published\nresults"),
    "demo": (4, 2, "a survey from\nsky to masses"),
    "massmaps": (3, 2, "maps of the\nprojected mass"),
    "cli": (5, 2, "commands"),
}
HELPERS = {"exceptions", "version"}
FLOW = [
    ("catalogs", "clusters", ""),
    ("maps", "clusters", "cutouts"),
    ("clusters", "morphology", "images"),
    ("simulations", "clusters", "mocks"),
    ("baryons", "maps", "skies"),
    ("physics", "simulations", ""),
    ("simulations", "networks", "maps"),
    ("networks", "estimators", "weights"),
    ("clusters", "estimators", "sample"),
    ("estimators", "results", ""),
    ("estimators", "massmaps", "masses"),
    ("results", "comparison", "table"),
    ("results", "citations", ""),
    ("results", "plots", ""),
    ("plots", "report", ""),
    ("comparison", "reproduce", ""),
    ("comparison", "demo", ""),
]
SAMPLES = {"clusters", "results"}
WIDTH, HEIGHT = 2.6, 1.9


def parts_of_the_package():
    """Give the public folders and files."""
    folder = Path(szmass.__file__).parent
    names = {p.name for p in folder.iterdir() if (p / "__init__.py").exists()}
    names |= {p.stem for p in folder.glob("*.py")}
    return {name for name in names if not name.startswith("_")} - HELPERS


def draw():
    """Draw the figure."""
    different = parts_of_the_package() ^ PARTS.keys()
    if different:
        raise ValueError(f"the figure and the package differ in: {', '.join(sorted(different))}")
    folder = Path(szmass.__file__).parent
    _fig, ax = plt.subplots(figsize=(13.5, 5.4), layout="constrained")
    boxes = {}
    for name, (column, row, text) in PARTS.items():
        x, y = WIDTH * column, -HEIGHT * row
        colour = "#FBE3C8" if name in SAMPLES else "#D6E6F2"
        box = FancyBboxPatch(
            (x - 0.9, y - 0.55), 1.8, 1.1, boxstyle="round,pad=0.05", fc=colour, ec="0.35", lw=1
        )
        box.set_linestyle("--" if name == "cli" else "-")
        boxes[name] = ax.add_patch(box)
        label = f"{name}/" if (folder / name).is_dir() else f"{name}.py"
        ax.text(x, y + 0.3, label, ha="center", va="center", weight="bold", fontsize=11.5)
        ax.text(x, y - 0.2, text, ha="center", va="center", fontsize=9)
    for start, end, label in FLOW:
        (x0, y0), (x1, y1) = (
            (WIDTH * PARTS[name][0], -HEIGHT * PARTS[name][1]) for name in (start, end)
        )
        ax.add_patch(
            FancyArrowPatch(
                (x0, y0), (x1, y1), patchA=boxes[start], patchB=boxes[end],
                arrowstyle="-|>", mutation_scale=14, color="0.25", lw=1.2,
            )
        )  # fmt: skip
        if label:
            above = 0.16 if y0 == y1 else 0
            ax.text(
                (x0 + x1) / 2, (y0 + y1) / 2 + above, label, ha="center", va="center", fontsize=8.5,
                color="0.2", bbox={"fc": "white", "ec": "none", "pad": 0.8},
            )  # fmt: skip
    ax.set(xlim=(-1.1, 5 * WIDTH + 1.1), ylim=(-2 * HEIGHT - 0.8, 0.8), aspect="equal")
    ax.axis("off")


draw()
