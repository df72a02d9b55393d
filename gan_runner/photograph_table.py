"""How near enlarged photographs come to the originals, photograph by photograph and way by way."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from gan_runner.metrics.photographs import Enlarged, Look, perceptual_distance, psnr_y, ssim_y


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """PSNR (dB) and SSIM on Y without the border; a distance of features, if a network is there."""

    psnr: float
    ssim: float
    distance: float | None = None

    def text(self) -> str:
        """In a table."""
        far = "" if self.distance is None else f" {self.distance:.4f}"
        return f"{self.psnr:.2f} {self.ssim:.4f}{far}"


Nearnesses = Mapping[str, Mapping[str, Nearness]]  # way -> photograph -> how near


def measure(ways: Mapping[str, Sequence[Enlarged]], look: Look | None = None) -> Nearnesses:
    """Measure every photograph by every way, once each."""
    return {
        way: {
            each.name: Nearness(
                psnr=psnr_y([each]),
                ssim=ssim_y([each]),
                distance=None if look is None else perceptual_distance([each], look),
            )
            for each in found
        }
        for way, found in ways.items()
    }


def mean(found: Mapping[str, Nearness]) -> Nearness:
    """The mean over photographs."""
    distances = [each.distance for each in found.values() if each.distance is not None]
    return Nearness(
        psnr=fmean(each.psnr for each in found.values()),
        ssim=fmean(each.ssim for each in found.values()),
        distance=fmean(distances) if distances else None,
    )


def table(found: Nearnesses) -> str:
    """A line a photograph, the means below."""
    lines = [["photograph", *found]]
    for name in next(iter(found.values())):
        lines.append([name, *(way[name].text() for way in found.values())])
    lines.append(["mean", *(mean(way).text() for way in found.values())])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_csv(found: Nearnesses) -> str:
    """One row a photograph and way: photograph, way, psnr_y, ssim_y, perceptual_distance."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("photograph", "way", "psnr_y", "ssim_y", "perceptual_distance"))
    for way, photographs in found.items():
        for name, each in photographs.items():
            far = "" if each.distance is None else each.distance
            writer.writerow((name, way, each.psnr, each.ssim, far))
    return text.getvalue()
