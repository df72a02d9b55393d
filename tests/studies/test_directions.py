"""The torch-free table of directions says what the metrics say."""

from __future__ import annotations

from gan_runner.metrics.protocol import METRICS
from gan_runner.studies.directions import DIRECTIONS, direction

OF_GAMES = {"distance"}  # measured by a recipe, not by an entry of METRICS


def test_directions_are_those_of_the_metrics() -> None:
    told = {name: way for metric in METRICS.values() for name, way in metric.better.items()}
    assert told.items() <= DIRECTIONS.items()
    assert DIRECTIONS.keys() - told.keys() == OF_GAMES


def test_what_only_describes_has_no_direction() -> None:
    assert direction("code_0_effect") is None
    assert (direction("mse"), direction("psnr")) == ("lower", "higher")
