"""Warnings about a run that goes wrong in one of the ways in which GANs do."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Mapping
from statistics import mean, median

import torch
from torch import Tensor

from gan_runner.callbacks.callback import Callback, RunStart
from gan_runner.plots import real_points

log = logging.getLogger(__name__)

WARM_UP = 0.3  # share of the run before samples that never were spread are judged: a new G is
# often nearly constant for a while, and that is no collapse
NEW = 200  # steps before which a generator is new whatever the run's length
SPREAD = 0.5  # of the real points' spread: from here on a fall is a collapse, whenever it comes
PAUSE = 0.1  # share of the run before a warning of the same kind is repeated
SHARE = 0.1  # of the real points' spread, or of their distinct share, below which G has collapsed
CELL = 0.01  # side of the cells that tell points apart, in standard deviations of the real points
GAP = 0.98  # D(x) - D(G(z)), as probabilities, from which on D wins completely
LOSS_GAP = 0.05  # D(G(z)) - D(x), in D's own scale, from which on D loses
VANISHED = 1e-4  # of its early median: a gradient norm of G that counts as gone
EARLY, SHORT, LONG = 10, 5, 10  # logged rows

HINTS = {
    "not_finite": "a lower learning rate usually helps, or fp32 instead of bf16",
    "collapse": "a penalty on D (r1, gradient_penalty), packing (model.pack) or another loss "
    "usually helps",
    "d_wins": "a lower rate for D, a penalty on D, or a loss that does not saturate "
    "(nonsaturating, hinge) usually helps",
    "d_loses": "a wider D, a higher rate for D or more critic_steps usually helps",
    "vanishing": "a loss that does not saturate (nonsaturating, wasserstein with a penalty) or "
    "a weaker D usually helps",
}


class Health(Callback):
    """Watches samples and logged rows; each finding is a line in `messages` and in the log.

    probabilities: `output/real` and `output/fake` are probabilities, not logits or scores.

    What is found, and when:
        not_finite: generated samples hold NaN or infinity.
        collapse: the generated points' spread (mean standard deviation of a coordinate) is below
            10 % of the real points', or the share of distinct ones among as many points is
            (distinct: in different cells with sides of 1 % of the real standard deviation). In the
            first 30 % of the run, and its first 200 steps, only where the points once had half of
            the real spread.
        d_wins: D(x) - D(G(z)) is above 0.98 over 5 logged rows in a row; probabilities only, for
            scores have no scale of their own.
        d_loses: D(x) is below D(G(z)) over 10 logged rows in a row, on average by more than 0.05;
            scores are counted in units of the median |D(x) - D(G(z))| of the first 10 rows. The
            margin is there because near the equilibrium the sign is a matter of chance.
        vanishing: the norm of G's gradient is at most 1e-4 of the median of its first 10 rows over
            5 rows in a row; only where G plays against somebody. Settling down, a generator's
            gradient falls ten- or a hundredfold; where D saturates it falls by many powers of ten.

    A kind is repeated after 10 % of the run at the earliest. After a resume the windows start
    anew, and `messages` holds what was found since.
    """

    def __init__(self, *, probabilities: bool) -> None:
        self.probabilities = probabilities
        self.messages: list[str] = []
        self._said_at: dict[str, int] = {}
        self._has_spread = False
        self._gaps: deque[float] = deque(maxlen=LONG)  # D(x) - D(G(z)) of the latest rows
        self._norms: deque[float] = deque(maxlen=SHORT)
        self._early_gaps: list[float] = []
        self._early_norms: list[float] = []

    def on_start(self, start: RunStart) -> None:
        self._start = start

    def on_log(self, step: int, scalars: Mapping[str, float]) -> None:
        if "output/real" in scalars and "output/fake" in scalars:
            self._watch_discriminator(step, scalars["output/real"] - scalars["output/fake"])
        if "gradient_norm/G" in scalars and len(self._start.players) > 1:
            self._watch_gradient(step, scalars["gradient_norm/G"])

    def on_samples(self, step: int, samples: Mapping[str, Tensor]) -> None:
        generated = samples["generated"].flatten(1).double()  # [N, d]
        bad = int((~generated.isfinite().all(dim=1)).sum())
        if bad:
            text = f"{bad} of {len(generated)} generated samples are not finite"
            self._warn(step, "not_finite", text)
        else:
            real = real_points(samples, self._start.dataset, len(generated))
            if real is not None and len(real) > 1:
                self._watch_spread(step, generated[: len(real)], real.flatten(1).double())

    def _watch_spread(self, step: int, generated: Tensor, real: Tensor) -> None:
        spread, wanted = spread_of(generated), spread_of(real)
        self._has_spread = self._has_spread or spread >= SPREAD * wanted
        if not self._has_spread and step < max(WARM_UP * self._start.num_steps, NEW):
            return
        if spread < SHARE * wanted:
            text = f"generated samples have collapsed: spread {spread:.3g}, real {wanted:.3g}"
            self._warn(step, "collapse", text)
            return
        cell = CELL * real.std(dim=0).clamp_min(1e-12)
        distinct, usual = distinct_share(generated, cell), distinct_share(real, cell)
        if distinct < SHARE * usual:
            text = (
                f"generated samples have collapsed onto few points: {distinct:.1%} of them are "
                f"distinct, real {usual:.1%}"
            )
            self._warn(step, "collapse", text)

    def _watch_discriminator(self, step: int, gap: float) -> None:
        if not math.isfinite(gap):
            return
        self._gaps.append(gap)
        if len(self._early_gaps) < EARLY:
            self._early_gaps.append(abs(gap))
        latest = list(self._gaps)
        if self.probabilities and len(latest) >= SHORT and min(latest[-SHORT:]) > GAP:
            text = f"D wins completely: D(x) - D(G(z)) = {mean(latest[-SHORT:]):.4f} on average"
            self._warn(step, "d_wins", text)
        scale = 1.0 if self.probabilities else median(self._early_gaps)
        lost = -mean(latest)
        if len(latest) == LONG and max(latest) < 0 and lost > LOSS_GAP * scale:
            text = f"D loses completely: D(G(z)) is above D(x) by {lost:.3g} on average"
            self._warn(step, "d_loses", text)

    def _watch_gradient(self, step: int, norm: float) -> None:
        if not math.isfinite(norm):
            return
        if len(self._early_norms) < EARLY:
            self._early_norms.append(norm)
            return
        self._norms.append(norm)
        early, latest = median(self._early_norms), max(self._norms)
        if len(self._norms) == SHORT and latest <= VANISHED * early:
            text = f"G's gradient has vanished: norm {latest:.2g}, early in the run {early:.2g}"
            self._warn(step, "vanishing", text)

    def _warn(self, step: int, kind: str, text: str) -> None:
        said_at = self._said_at.get(kind)
        if said_at is not None and step - said_at < PAUSE * self._start.num_steps:
            return
        self._said_at[kind] = step
        message = f"step {step}: {text}; {HINTS[kind]}"
        self.messages.append(message)
        log.warning("%s", message)


def spread_of(points: Tensor) -> float:
    """Return the mean over coordinates of the standard deviation of points [N, d]."""
    return float(points.std(dim=0).mean())


def distinct_share(points: Tensor, cell: Tensor) -> float:
    """Return the share of points [N, d] that a grid with sides cell [d] tells apart, in (0, 1]."""
    return len(torch.unique(torch.floor(points / cell), dim=0)) / len(points)
