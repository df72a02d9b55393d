"""All figures, paper by paper."""

from __future__ import annotations

from gan_runner.figures import anatomizing, introduction, mnist, overview, study
from gan_runner.figures.figure import Figure

FIGURES: tuple[Figure, ...] = (
    *anatomizing.FIGURES,
    *introduction.FIGURES,
    *overview.FIGURES,
    *study.FIGURES,
    *mnist.FIGURES,
)


def chosen(names: list[str]) -> list[Figure]:
    """The figures of names: of papers, ids, or claims; all of them where none is given.

    Raises:
        ValueError: a name is neither.
    """
    found: dict[str, Figure] = {}
    for name in names or [each.paper for each in FIGURES]:
        of_name = [each for each in FIGURES if name in (each.paper, each.id, *each.claims)]
        if not of_name:
            claims = sorted({claim for each in FIGURES for claim in each.claims})
            known = (
                [each.id for each in FIGURES if each.id.startswith(name.partition("-")[0])]
                or [claim for claim in claims if claim[:1] == name[:1]]
                or sorted({each.paper for each in FIGURES})
            )
            raise ValueError(f"no figure, paper or claim '{name}'; there are {', '.join(known)}")
        found |= {each.id: each for each in of_name}
    return list(found.values())
