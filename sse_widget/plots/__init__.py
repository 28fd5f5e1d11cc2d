"""Pictures of runs and sweeps, in light and dark, for everyone; the only place that knows matplotlib (extra `measure`).

Each function takes a frame (`answer.frame()`) or a sweep's DataFrame and returns a `Picture`, which shows itself in
notebooks and saves itself as PNG or SVG. `theme` is `light`, `dark`, or `auto`: light, and as SVG in a page dark for
readers who prefer that (notebooks show it as an image, which in JupyterLab stays light).
"""

from __future__ import annotations

from sse_widget.plots.compare import compare
from sse_widget.plots.curves import curves
from sse_widget.plots.distribution import distribution
from sse_widget.plots.gaps import gaps
from sse_widget.plots.heatmap import heatmap
from sse_widget.plots.pareto import pareto
from sse_widget.plots.picture import Picture
from sse_widget.plots.requests import requests
from sse_widget.plots.waterfall import waterfall

__all__ = ["Picture", "compare", "curves", "distribution", "gaps", "heatmap", "pareto", "requests", "waterfall"]
