"""Plot the log of a training run as SVG: losses on the left axis, dev accuracy or ROUGE-L on the
right.

The SVG is written directly, so that no plotting library is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

_NAMES = {
    "loss": "training loss",
    "dev_loss": "dev loss",
    "dev_accuracy": "dev accuracy",
    "dev_rouge_l": "dev ROUGE-L",
}
_LOSSES, _SCORES = ("loss", "dev_loss"), ("dev_accuracy", "dev_rouge_l")

# Markers: round for dev loss, square for accuracy, diamond for ROUGE-L. The training loss has none,
# because it has many points.
_MARKS = {
    "dev_loss": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "dev_accuracy": "m-3.5-3.5h7v7h-7z",
    "dev_rouge_l": "m0-5l5 5l-5 5l-5-5z",
}

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 650, 76, 346  # the frame of the plot
_MIDDLE, _CENTRE = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
_LOG_FROM = 1.5  # a log scale is used if losses span more decades than this
_MAX_LOSS = 1e30  # larger losses, and those that are not finite, are left out
_MIN_LOG_LOSS = 1e-9  # smaller losses cannot be drawn on a log scale
_TITLE_LENGTH = 75  # maximum number of characters that fit the width

# Colours of Okabe and Ito (2008), which colour-blind people can tell apart; lighter ones in dark
# mode. The background is drawn too, since a page's colour scheme may differ from the system's.
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444 } .title { font-size: 15px; fill: #111 }
.ground { fill: #fff } .grid { stroke: #e6e6e6 } .axis { stroke: #999; fill: none }
.line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round }
.mark { fill: currentColor; stroke: #fff }
.line.dev_loss { stroke-dasharray: 7 4 } .line.dev_accuracy { stroke-dasharray: 2 3 }
.line.dev_rouge_l { stroke-dasharray: 2 3 }
.loss { color: #0072b2 } .dev_loss { color: #d55e00 }
.dev_accuracy, .dev_rouge_l { color: #007d5c }
@media (prefers-color-scheme: dark) {
text { fill: #bbb } .title { fill: #eee } .mark { stroke: #16181c }
.ground { fill: #16181c } .grid { stroke: #2c3036 } .axis { stroke: #777 }
.loss { color: #56b4e9 } .dev_loss { color: #e69f00 }
.dev_accuracy, .dev_rouge_l { color: #2fd3a2 }
}
"""

Point = tuple[float, float]


class _Axis(NamedTuple):
    """The range and the ticks of a plot axis. `ticks` holds the values to label. If `log` is True,
    the axis is logarithmic, and `low` and `high` (but not `ticks`) are exponents of 10."""

    low: float
    high: float
    ticks: list[float]
    log: bool = False

    def x(self, value: float) -> float:
        return _LEFT + self._share(value) * (_RIGHT - _LEFT)

    def y(self, value: float) -> float:
        return _BOTTOM - self._share(value) * (_BOTTOM - _TOP)

    def _share(self, value: float) -> float:
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)


def loss_plot(log: Sequence[Mapping[str, Any]], title: str) -> str:
    """Return an SVG plot of a training log.

    Each row of `log` has the optimizer "step" and any of "loss", "dev_loss", "dev_accuracy" and
    "dev_rouge_l". The loss axis starts at 0, or is logarithmic if the losses span more than 1.5
    decades. The axis of accuracy and ROUGE-L goes from 0 to 1. Values that are not finite are left
    out. An empty log gives empty axes with a note.
    """
    series = {name: points for name in _NAMES if (points := _points(log, name))}
    last = max([1, *(step for points in series.values() for step, _ in points)])
    steps = _linear_axis(last, min(8, int(last)))  # integer ticks only
    loss = _loss_axis([value for name in _LOSSES for _, value in series.get(name, ())])
    score = _linear_axis(1, 5)
    parts = _frame(loss, steps, score, [_NAMES[name] for name in _SCORES if name in series])
    parts.append('<g class="data">')
    for name, points in series.items():
        axis = loss if name in _LOSSES else score
        parts += _curve(name, [(steps.x(step), axis.y(value)) for step, value in points])
    if not series:
        parts.append(_text(_MIDDLE, _CENTRE, "nothing was logged", "middle"))
    parts.append("</g>")
    x = _LEFT
    for name in series:  # the legend: a short piece of each curve
        parts += [*_curve(name, [(x, 52), (x + 30, 52)]), _text(x + 40, 56, _NAMES[name])]
        x += 72 + 6 * len(_NAMES[name])
    short_title = _escaped(
        title if len(title) <= _TITLE_LENGTH else title[: _TITLE_LENGTH - 1] + "…"
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"
 height="{_HEIGHT}" role="img">
<title>{_escaped(title)}</title>
<style>{_STYLE}</style>
<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>
<text class="title" x="{_LEFT}" y="28">{short_title}</text>
{chr(10).join(parts)}
</svg>
"""


def _points(log: Sequence[Mapping[str, Any]], name: str) -> list[Point]:
    pairs: list[tuple[Any, Any]] = [(row.get("step"), row.get(name)) for row in log]
    return [
        (step, value)
        for step, value in pairs
        if all(isinstance(n, int | float) and abs(n) < _MAX_LOSS for n in (step, value))
    ]


def _linear_axis(maximum: float, intervals: int) -> _Axis:
    """Make an axis from 0 to `maximum`. Its ticks are the multiples of a round number, and divide
    the axis into at most `intervals` intervals."""
    interval = _round_interval(maximum, intervals)
    return _Axis(0, maximum, [n * interval for n in range(int(maximum / interval + 1e-9) + 1)])


def _round_interval(maximum: float, intervals: int) -> float:
    """Return the smallest round number (..., 0.5, 1, 2, 5, 10, 20, ...) that is not below
    `maximum` / `intervals`."""
    power = 10.0 ** math.floor(math.log10(maximum / intervals))
    return next(n * power for n in (1, 2, 5, 10) if n * power * intervals >= maximum * (1 - 1e-9))


def _loss_axis(losses: Sequence[float]) -> _Axis:
    lowest, highest = min(losses, default=1), max(losses, default=1)
    if highest < _MIN_LOG_LOSS:
        return _linear_axis(1, 5)
    if lowest < _MIN_LOG_LOSS or math.log10(highest) - math.log10(lowest) <= _LOG_FROM:
        interval = _round_interval(highest, 6)
        return _linear_axis(math.ceil(highest / interval - 1e-9) * interval, 6)
    low, high = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    numbers = (1, 2, 5) if high - low <= 3 else (1,)
    ticks = [float(f"{n}e{k}") for k in range(low, high) for n in numbers] + [float(f"1e{high}")]
    return _Axis(low, high, ticks[:: 1 + len(ticks) // 11], log=True)


def _frame(loss: _Axis, steps: _Axis, score: _Axis, scores: Sequence[str]) -> list[str]:
    """Return the SVG elements of the three axes with their ticks and names. The right axis is drawn
    only if `scores`, the names of the plotted scores, is not empty."""
    parts = []
    for tick in loss.ticks:
        parts.append(f'<path class="grid" d="M{_LEFT} {loss.y(tick):.1f}H{_RIGHT}"/>')
        parts.append(_text(_LEFT - 8, loss.y(tick) + 4, f"{tick:.6g}", "end"))
    parts.append(_text(22, _CENTRE, "loss (log scale)" if loss.log else "loss", "middle", -90))
    for tick in steps.ticks:
        parts.append(f'<path class="axis" d="M{steps.x(tick):.1f} {_BOTTOM}v5"/>')
        parts.append(_text(steps.x(tick), _BOTTOM + 20, f"{tick:,.10g}", "middle"))
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>')
    parts.append(_text(_MIDDLE, _HEIGHT - 12, "optimizer step", "middle"))
    if scores:
        for tick in score.ticks:
            parts.append(f'<path class="axis" d="M{_RIGHT} {_BOTTOM}V{score.y(tick):.1f}h5"/>')
            parts.append(_text(_RIGHT + 9, score.y(tick) + 4, f"{tick:.1f}"))
        parts.append(_text(_WIDTH - 14, _CENTRE, ", ".join(scores), "middle", -90))
    return parts


def _curve(name: str, points: Sequence[Point]) -> list[str]:
    coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    # a single point draws no line, so it gets a marker
    marked = points if name in _MARKS or len(points) == 1 else []
    mark = _MARKS.get(name, _MARKS["dev_loss"])
    return [
        f'<polyline class="line {name}" points="{coordinates}"/>',
        *(f'<path class="mark {name}" d="M{x:.1f} {y:.1f}{mark}"/>' for x, y in marked),
    ]


def _text(x: float, y: float, text: str, anchor: str = "start", turned: int = 0) -> str:
    turn = f' transform="rotate({turned} {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    """Escape a text for XML. Control characters, which XML does not allow, are replaced by
    spaces."""
    return escape("".join(c if c.isprintable() else " " for c in text))
