"""The pictures of a demonstration on a coarser map, and of fewer clusters, than by default."""

import matplotlib.pyplot as plt

from szmass.demo import make_demo

for figure in make_demo(nside=512, clusters=400).figures().values():
    plt.figure(figure)
