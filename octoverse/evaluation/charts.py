"""Small charts as inline SVG, coloured by the page's style sheet."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 240, 44, 34, 10
_COLOURS = 6
"""Colours that the style sheet has: .line0 to .line5."""


def interval(success: float, low: float, high: float) -> str:
    """A bar of a success rate with the interval that the true one lies in."""
    width, height = 220, 22
    x = [round(share * (width - 4) + 2, 1) for share in (success, low, high)]
    middle = height / 2
    return (
        f'<svg class="interval" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{success:.0%}, 95 % interval {low:.0%} to {high:.0%}">'
        f'<rect class="rail" x="2" y="4" width="{width - 4}" height="{height - 8}" rx="3"/>'
        f'<rect class="bar" x="2" y="4" width="{max(x[0] - 2, 1):.1f}" height="{height - 8}" '
        'rx="3"/>'
        f'<path class="whisker" d="M{x[1]} {middle}H{x[2]}M{x[1]} 5V{height - 5}M{x[2]} 5'
        f'V{height - 5}"/></svg>'
    )


def shares_below(series: Mapping[str, Sequence[float]], unit: str) -> str:
    """For each series a curve: which share of its values lies below x.

    Args:
        series: Name to values; those without values are left out.
        unit: Of the values, below the axis.
    """
    found = {name: np.sort(values) for name, values in series.items() if len(values)}
    if not found:
        return ""
    most = _round_up(max(float(np.percentile(values, 99)) for values in found.values()))
    right, floor = _WIDTH - 12, _HEIGHT - _BOTTOM

    def place(x: float, share: float) -> str:
        return (
            f"{_LEFT + (right - _LEFT) * min(x / most, 1):.1f} {floor - (floor - _TOP) * share:.1f}"
        )

    parts = []
    for share in (0.0, 0.5, 0.95, 1.0):
        y = place(0, share).split()[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{right}"/>')
        if share != 1.0:  # it would touch the 95 %
            parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy="4" class="end">{share:.0%}</text>')
    for step in range(5):
        x = place(most * step / 4, 0).split()[0]
        value = f"{most * step / 4:g}"
        parts.append(f'<text x="{x}" y="{floor + 16}" class="middle">{value}</text>')
    parts.append(f'<text x="{right}" y="{_HEIGHT - 3}" class="end">{escape(unit)}</text>')
    for number, (name, values) in enumerate(found.items()):
        shares = np.linspace(0, 1, 120)
        points = "L".join(
            place(float(x), float(share))
            for x, share in zip(np.quantile(values, shares), shares, strict=True)
        )
        colour = f"line{number % _COLOURS}"
        parts.append(f'<path class="curve {colour}" d="M{points}"/>')
        line = floor - 14 - 16 * (len(found) - 1 - number)
        parts.append(
            f'<text x="{right - 6}" y="{line}" class="end name {colour}">{escape(name)}, median '
            f"{float(np.median(values)):.1f} {escape(unit)}</text>"
        )
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def stack(parts: Mapping[str, float], unit: str) -> str:
    """One bar of the parts that a whole is made of, each with its name and value."""
    whole = sum(parts.values()) or 1.0
    width, drawn, left = _WIDTH - 24, [], 12.0
    for number, (name, value) in enumerate(parts.items()):
        long = width * value / whole
        drawn.append(
            f'<rect class="part line{number % _COLOURS}" x="{left:.1f}" y="6" '
            f'width="{max(long - 1, 0.5):.1f}" height="22"/>'
            f'<text x="12" y="{48 + 18 * number}" class="name line{number % _COLOURS}">'
            f"{escape(name)}: {value:.1f} {escape(unit)}</text>"
        )
        left += long
    height = 40 + 18 * len(parts)
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(drawn)}</svg>'


def _round_up(value: float) -> float:
    """The next number of one digit above it."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(np.ceil(value / power) * power)
