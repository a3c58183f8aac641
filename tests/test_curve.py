"""The picture of a training log: what is drawn, and where."""

import math
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scicot.training.loss_plot import loss_plot

Log = list[dict[str, Any]]

SVG = "{http://www.w3.org/2000/svg}"
TOP, BOTTOM, LEFT, RIGHT = 76.0, 346.0, 70.0, 650.0

LOG: Log = [
    {"step": 50, "loss": 2.0, "learning_rate": 3e-4, "epoch": 0.5},
    {"step": 100, "loss": 1.0, "learning_rate": 1e-4, "epoch": 1.0},
    {"step": 100, "dev_loss": 1.5, "dev_accuracy": 0.5},
    {"step": 150, "loss": 0.5},
    {"step": 200, "loss": 0.25},
    {"step": 200, "dev_loss": 1.25, "dev_accuracy": 1.0},
    {"step": 200, "train_runtime": 12.0, "train_loss": 0.9},
]


def drawn(log: Log, title: str = "a run") -> ElementTree.Element:
    return ElementTree.fromstring(loss_plot(log, title))


def lines(picture: ElementTree.Element) -> dict[str, list[tuple[float, float]]]:
    """The points of each curve, in pixels from the upper left corner."""
    data = picture.find(f"{SVG}g")
    assert data is not None
    found = {}
    for line in data.findall(f"{SVG}polyline"):
        points = [point.split(",") for point in line.attrib["points"].split()]
        found[line.attrib["class"].removeprefix("line ")] = [
            (float(x), float(y)) for x, y in points
        ]
    return found


def marks(picture: ElementTree.Element, name: str) -> int:
    data = picture.find(f"{SVG}g")
    assert data is not None
    return len([mark for mark in data if mark.attrib.get("class") == f"mark {name}"])


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_each_row_is_a_point_where_the_axes_say() -> None:
    picture = drawn(LOG)
    found = lines(picture)
    assert {name: len(points) for name, points in found.items()} == {
        "loss": 4,
        "dev_loss": 2,
        "dev_accuracy": 2,
    }
    # Left axis from 0 to 2, right axis from 0 to 1, lower axis up to the last step.
    assert found["loss"][0] == (LEFT + (RIGHT - LEFT) / 4, TOP)
    assert found["loss"][1][1] == (TOP + BOTTOM) / 2
    assert found["dev_accuracy"] == [((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP)]
    assert (marks(picture, "loss"), marks(picture, "dev_loss")) == (0, 2)
    assert {"a run", "optimizer step", "loss", "training loss", "dev loss"} <= {*texts(picture)}
    assert texts(picture).count("dev accuracy") == 2  # in the legend and on its axis


def test_losses_over_many_decades_are_drawn_on_a_log_scale() -> None:
    wide = drawn([{"step": n, "loss": 10.0**-n} for n in range(4)])
    assert lines(wide)["loss"][-1] == (RIGHT, BOTTOM)
    heights = [y for _, y in lines(wide)["loss"]]
    assert heights == [TOP, TOP + 90, TOP + 180, BOTTOM]
    assert {"loss (log scale)", "0.001", "0.5", "1"} <= {*texts(wide)}
    narrow = drawn([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 0.1}])
    assert "loss" in texts(narrow)
    zero = drawn([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 0.0}])
    assert lines(zero)["loss"][-1] == (RIGHT, BOTTOM)


def test_rationale_students_have_rouge_on_the_right_axis() -> None:
    picture = drawn([{"step": n, "dev_loss": 1.0, "dev_rouge_l": n / 8} for n in range(1, 5)])
    assert [*lines(picture)] == ["dev_loss", "dev_rouge_l"]
    assert marks(picture, "dev_rouge_l") == 4
    assert texts(picture).count("dev ROUGE-L") == 2


def test_without_scores_there_is_no_right_axis() -> None:
    assert "1.0" in texts(drawn(LOG))
    assert "1.0" not in texts(drawn([row for row in LOG if "loss" in row]))


@pytest.mark.parametrize("log", [[], [{"step": 50}], [{"step": 50, "loss": math.nan}]])
def test_a_log_of_nothing_gives_empty_axes(log: Log) -> None:
    picture = drawn(log)
    assert lines(picture) == {}
    assert "nothing was logged" in texts(picture)


def test_a_lone_point_is_marked() -> None:
    picture = drawn([{"step": 50, "loss": 1.5}])
    assert lines(picture) == {"loss": [(RIGHT, TOP)]}
    assert marks(picture, "loss") == 1


def test_what_is_no_finite_number_is_left_out() -> None:
    odd: Log = [{"step": 120, "loss": value} for value in (math.nan, math.inf, 1e99, None, "1")]
    assert lines(drawn([*LOG, *odd, {"loss": 1.0}])) == lines(drawn(LOG))


def test_a_title_is_text_whatever_it_holds() -> None:
    title = "</text><script>alert('&')</script>"
    picture = drawn(LOG, title)
    assert title in texts(picture)
    assert picture.find(f".//{SVG}script") is None
    assert "two lines" in texts(drawn(LOG, "two\nlines"))
    assert max(map(len, texts(drawn(LOG, "long " * 99)))) < 80


numbers = st.floats() | st.floats(0, 20) | st.just(0.0)
rows = st.fixed_dictionaries(
    {"step": st.integers(0, 10**7)},
    optional=dict.fromkeys(("loss", "dev_loss", "dev_accuracy", "dev_rouge_l"), numbers),
)


@given(st.lists(rows, max_size=8), st.text())
def test_any_log_is_a_well_formed_picture(log: Log, title: str) -> None:
    assert drawn(log, title).tag == f"{SVG}svg"
