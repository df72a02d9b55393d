"""Metrics: pure functions of samples, and the protocol under which a number was measured."""

from __future__ import annotations

from gan_runner.metrics.protocol import METRICS, Measurement, Metric, MetricInputs, Protocol

__all__ = ["METRICS", "Measurement", "Metric", "MetricInputs", "Protocol"]
