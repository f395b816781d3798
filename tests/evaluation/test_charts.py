import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.evaluation import charts


@given(st.tuples(*[st.floats(0, 1)] * 3).map(sorted))
def test_an_interval_is_drawn_in_order_and_inside(shares: list[float]) -> None:
    low, success, high = shares
    drawn = charts.interval(success, low, high)
    whisker = re.search(r"M([\d.]+) [\d.]+H([\d.]+)", drawn)
    bar = re.search(r'class="bar".* width="([\d.]+)"', drawn)
    assert whisker and bar
    left, right = map(float, whisker.groups())
    assert 2 <= left <= right <= 218
    assert 0 < float(bar[1]) <= 216
    assert f"{success:.0%}, 95 % interval {low:.0%} to {high:.0%}" in drawn


def test_curves_rise_from_left_to_right_and_name_their_median() -> None:
    values = np.random.default_rng(0).exponential(10, 500)
    drawn = charts.shares_below({"arm <1>": values.tolist(), "idle": []}, "ms")
    curve = re.search(r'class="curve line0" d="M([^"]+)"', drawn)
    assert curve and "idle" not in drawn
    points = np.array([point.split() for point in curve[1].split("L")], float)
    assert (np.diff(points[:, 0]) >= 0).all() and (np.diff(points[:, 1]) <= 0).all()
    assert f"arm &lt;1&gt;, median {np.median(values):.1f} ms" in drawn


def test_nothing_measured_is_nothing_drawn() -> None:
    assert charts.shares_below({}, "ms") == charts.shares_below({"arm": []}, "ms") == ""
    assert "median 0.0 ms" in charts.shares_below({"arm": [0.0, 0.0]}, "ms")


def test_the_parts_of_a_stack_fill_it_in_proportion() -> None:
    drawn = charts.stack({"policy": 30.0, "wire": 10.0}, "ms")
    widths = [float(w) for w in re.findall(r'y="6" width="([\d.]+)"', drawn)]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.02)
    assert "policy: 30.0 ms" in drawn and "wire: 10.0 ms" in drawn
