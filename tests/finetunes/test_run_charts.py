"""Figures of a run, made from its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from finetunes.charts import (
    MOST_POINTS,
    Figure,
    Point,
    curves_of,
    loss_figure,
    smoothed,
    speed_figure,
    thinned,
)


@dataclass(frozen=True)
class Event:
    type: str
    body: dict[str, Any] = field(default_factory=dict)


def steps(*losses: float | None, first: int = 1) -> list[Event]:
    return [
        Event("metrics", {"step": step, "loss": loss, "tokens_per_second": 10.0})
        for step, loss in enumerate(losses, start=first)
    ]


def traces(figure: Figure) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_training_and_held_out_loss_are_drawn_over_the_steps() -> None:
    events = [Event("eval", {"step": 0, "loss": 5.0}), *steps(4, 3, 2)]

    drawn = traces(loss_figure(curves_of(events)))

    assert drawn["Train"]["x"] == [1, 2, 3]
    assert drawn["Train"]["y"] == [4, 3, 2]
    assert (drawn["Held out"]["x"], drawn["Held out"]["y"]) == ([0], [5.0])


def test_a_step_done_again_after_a_resume_is_drawn_once_with_its_last_value() -> None:
    events = [*steps(4, 3, 2.5), *steps(2.4, 2.0, first=3)]

    drawn = traces(loss_figure(curves_of(events)))

    assert drawn["Train"]["x"] == [1, 2, 3, 4]
    assert drawn["Train"]["y"] == [4, 3, 2.4, 2.0]


def test_a_value_that_is_no_number_is_left_out() -> None:
    drawn = traces(loss_figure(curves_of(steps(4, None, 2))))

    assert drawn["Train"]["x"] == [1, 3]


def test_before_the_first_step_the_figure_says_so() -> None:
    figure = loss_figure(curves_of([]))

    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"]


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_spikes() -> None:
    points = [Point(step, 1.0) for step in range(100_000)]
    points[54_321] = Point(54_321, 99.0)
    points[77_777] = Point(77_777, -5.0)

    kept = thinned(points)

    assert len(kept) <= MOST_POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {points[54_321], points[77_777]} <= set(kept)
    assert [point.step for point in kept] == sorted({point.step for point in kept})


def test_a_short_curve_is_not_thinned() -> None:
    points = [Point(step, float(step)) for step in range(MOST_POINTS)]

    assert thinned(points) == points


def test_smoothing_keeps_a_level_and_calms_noise() -> None:
    level = smoothed([Point(step, 2.0) for step in range(100)])
    noise = smoothed([Point(step, 2.0 + (-1) ** step) for step in range(300)])

    assert {round(point.value, 9) for point in level} == {2.0}
    assert max(abs(point.value - 2.0) for point in noise[100:]) < 0.3


def test_a_curve_worth_smoothing_is_drawn_raw_and_smoothed() -> None:
    names = [t["name"] for t in loss_figure(curves_of(steps(*range(1, 100))))["data"]]

    assert names == ["Train", "Train, smoothed"]


def test_no_figure_names_a_colour_of_its_own() -> None:
    curves = curves_of(steps(*range(1, 100)))

    for figure in (loss_figure(curves), speed_figure(curves)):
        assert all(trace["line"]["color"].startswith("--series-") for trace in figure["data"])
