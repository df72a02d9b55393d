"""Claims, captions, records and the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gan_runner.figures import claims_table, page, records
from gan_runner.figures.catalogue import FIGURES, chosen
from gan_runner.figures.claims import CLAIMS
from gan_runner.figures.figure import PAPERS, Verdict
from gan_runner.figures.records import Record

RECORD = Record(
    id="anatomizing-mse", paper="anatomizing", shows="MSE & more", differs="many seeds.",
    scale="cpu", runs=("SRGAN: gan-run experiment=anatomizing_fig4, seeds 0 to 31",),
    numbers={"SRGAN: MSE": "6.0e-5"},
    verdicts={"A1": Verdict(word="does not hold", why="worse in 26 of 32 <pairs>")},
)  # fmt: skip


def test_claims_are_all_there() -> None:
    numbers = {"A": 4, "I": 5, "O": 3, "S": 4, "M": 6}
    expected = [f"{letter}{one + 1}" for letter, last in numbers.items() for one in range(last)]
    assert list(CLAIMS) == expected
    assert {each.paper for each in CLAIMS.values()} == set(PAPERS)


def test_figures_have_names_of_their_own() -> None:
    assert len({each.id for each in FIGURES}) == len(FIGURES)
    for each in FIGURES:
        assert set(each.claims) <= set(CLAIMS)
        assert all(CLAIMS[claim].paper == each.paper for claim in each.claims)


def test_chosen() -> None:
    assert chosen([]) == list(FIGURES)
    assert {each.paper for each in chosen(["anatomizing"])} == {"anatomizing"}
    assert [each.id for each in chosen(["anatomizing-fig3"])] == ["anatomizing-fig3"]
    with pytest.raises(
        ValueError, match="no figure, paper or claim 'anatomizing-fig9'; there are anat"
    ):
        chosen(["anatomizing-fig9"])
    assert [each.id for each in chosen(["A1", "M5"])] == ["anatomizing-mse", "mnist-mixing"]


def test_a_caption_says_what_it_is() -> None:
    text = records.caption(RECORD)
    for part in (
        "anatomizing-mse: MSE",
        "Sinha 2020",
        "Scale: cpu.",
        "many seeds.",
        "seeds 0 to 31",
        "SRGAN: MSE: 6.0e-5",
        "Claim A1",
        "Does not hold: worse in 26",
        "Rule: Better",
        "a diamond the mean",
    ):
        assert part in " ".join(text.split())  # fmt: skip
    assert max(map(len, text.splitlines())) <= 100


def test_records_are_read_back(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path / "anatomizing")
    (tmp_path / "anatomizing" / "other.json").write_text("{}", encoding="utf-8")
    assert records.read_all(tmp_path) == {RECORD.id: RECORD}


class _Tags(HTMLParser):
    """Counts tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [each for each in [values.get("id")] if each]
        self.sources += [each for each in [values.get("src")] if each]
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_lays_claim_figure_numbers_and_verdict_side_by_side(tmp_path: Path) -> None:
    path = page.write({RECORD.id: RECORD}, tmp_path)
    text = path.read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert set(CLAIMS) <= set(tags.ids)
    assert tags.sources == ["anatomizing/mse.png"]
    assert "26 of 32 &lt;pairs&gt;" in text
    assert "6.0e-5" in text
    for part in ("many seeds.", "experiment=anatomizing_fig4, seeds 0 to 31", records.MARKS):
        assert part in text
    assert 'href="anatomizing/contact_sheet.png"' in text
    assert 'href="mnist/contact_sheet.png"' not in text
    assert 'class="not">does not hold' in text
    assert text.count("not run") >= len(CLAIMS) - 1
    assert "<script" not in text
    assert "http" not in text


def test_the_documents_verdicts_are_by_todays_tests_and_rules() -> None:
    text = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    for name, known in CLAIMS.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} | ")]
        assert row.startswith(f"| {name} | {known.says} | ")
        judged = f"**{name}.** {known.test} *Rule:* {known.rule}. *Found* (scale cpu): " in text
        assert judged or "| not run |" in row, f"{name}: another test or rule"


def test_the_readme_counts_the_verdicts() -> None:
    docs = Path(__file__).parents[2]
    table = (docs / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = [each for each in table.splitlines() if re.match(r"\| [A-Z]\d \|", each)]
    holds, fails, open_ = (
        sum(f"**{word}**" in each for each in rows)
        for word in ("holds", "does not hold", "cannot be told")
    )
    said = (
        f"Of {len(rows)} claims of five papers, {holds} hold at the size of two CPU cores, "
        f"{fails} do not, and {open_} cannot be told"
    )
    assert holds + fails + open_ == len(rows) == len(CLAIMS)
    assert said in " ".join((docs / "README.md").read_text(encoding="utf-8").split())


def test_the_table_names_every_claim_once() -> None:
    text = claims_table.markdown({RECORD.id: RECORD})
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert [row.split(" | ")[0].strip("| ") for row in rows if row[2] in "AIOSM"] == list(CLAIMS)
    assert "| **does not hold** | `anatomizing-mse` |" in text
    assert "*Found* (scale cpu): worse in 26 of 32 <pairs>." in text
    assert text.count("not run") == len(CLAIMS) - 1
