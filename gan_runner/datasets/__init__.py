"""Data sets: functions that take plain numbers and return a `Dataset` of scaled tensors.

Importing this package loads torch and nothing heavier; each builder lives in its own module.
"""

from __future__ import annotations

from gan_runner.datasets.dataset import Dataset, Modes, Rows, as_floats
from gan_runner.datasets.sources import ImageSource

__all__ = ["Dataset", "ImageSource", "Modes", "Rows", "as_floats"]
