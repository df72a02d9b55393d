"""Small classifiers, shipped with their weights, on whose features image metrics are measured."""

from __future__ import annotations

from gan_runner.classifiers.classifier import Classifier, load, names

__all__ = ["Classifier", "load", "names"]
