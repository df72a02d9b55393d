"""Evidence over many runs: `report(folders)` groups, summarises and compares them."""

from __future__ import annotations

from gan_runner.studies.evidence import Report, report

__all__ = ["Report", "report"]
