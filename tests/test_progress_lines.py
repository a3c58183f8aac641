"""Progress without a terminal: plain lines, with a speed that excludes earlier runs."""

import pytest

from scicot_cli import console


def lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *calls: tuple[float, int]
) -> list[str]:
    """Call `advance` at each (seconds since the start, steps) of `calls`. Return the printed
    lines."""
    now = [0.0]
    monkeypatch.setattr("scicot_cli.console.time.monotonic", lambda: now[0])
    task = console._PlainTask("asking", 20)
    for seconds, steps in calls:
        now[0] = seconds
        task.advance(steps)
    return capsys.readouterr().err.splitlines()


def test_what_was_done_before_is_not_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = lines(monkeypatch, capsys, (3, 17), (13, 0), (23, 1), (33, 0))
    assert printed == [
        "asking: 17/20",
        "asking: 18/20, 0.05/s, 0:40 left",
        "asking: 18/20, 0.033/s, 1:00 left",
    ]


def test_speed_is_that_of_the_last_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = [(float(second), 1) for second in range(0, 500, 100)]
    fast = [(400 + second / 10, 2) for second in range(1, 701)]
    assert "20/s, 0:00 left" in lines(monkeypatch, capsys, *slow, *fast)[-1]
