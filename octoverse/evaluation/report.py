"""One self-contained page about an evaluation: tables, films, latencies, how it was made."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from octoverse.evaluation import charts
from octoverse.evaluation.film import Film
from octoverse.evaluation.results import RowResult, path_error, percent


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One film and what to say below it."""

    film: Film
    row: str
    instruction: str
    success: bool
    faster: float = 1.0
    """How much faster than life it plays."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the page tells."""

    title: str
    lead: str
    rows: Mapping[str, RowResult]
    caption: str
    stored: Mapping[str, RowResult] = field(default_factory=dict)
    """The table that came with the weights; left out where there is none."""
    films: Sequence[Shown] = ()
    latencies_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Row to what its robots measured."""
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    """Where the time of an answer goes, on average."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """How it was made."""
    picture: np.ndarray | None = None
    """uint8 (height, width, 3), above everything."""


def write_report(report: Report, path: Path) -> None:
    """Write the page; it needs nothing but itself."""
    template = Template(
        files("octoverse.evaluation").joinpath("report.html.template").read_text("utf-8")
    )
    sections = [
        _section("Success", result_table(report.rows, report.caption)),
        _stored(report),
        _section("Watch", _films(report.films)) if report.films else "",
        _latency(report),
        _section("How this was made", _facts(report.facts)) if report.facts else "",
    ]
    hero = ""
    if report.picture is not None:
        alt = "An arm and a car, each with what its cameras see"
        hero = f'<img class="hero" alt="{alt}" src="{_inline(jpeg(report.picture), "image/jpeg")}">'
    page = template.substitute(
        title=escape(report.title),
        lead=escape(report.lead),
        hero=hero,
        sections="\n".join(part for part in sections if part),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def result_table(rows: Mapping[str, RowResult], caption: str) -> str:
    """A table of success rates, each with its interval drawn as a bar."""
    paths = any(row.ade is not None for row in rows.values())
    baselines = any(row.expert is not None for row in rows.values())
    heads = ["", "success", "95 % interval", "", "episodes"]
    heads += ["path error over 3 s (constant velocity)"] if paths else []
    heads += ["expert", "chance"] if baselines else []
    body = []
    for name, row in rows.items():
        cells = [
            f"<td>{escape(name)}</td>",
            f'<td class="number"><b>{row.success:.0%}</b></td>',
            f"<td>{charts.interval(row.success, row.low, row.high)}</td>",
            f'<td class="number soft">{row.low:.0%} to {row.high:.0%}</td>',
            f'<td class="number">{row.episodes}</td>',
        ]
        cells += [f'<td class="number">{path_error(row)}</td>'] if paths else []
        if baselines:
            shares = (row.expert, row.random)
            cells += [f'<td class="number soft">{percent(share)}</td>' for share in shares]
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(word)}</th>" for word in heads)
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def jpeg(picture: np.ndarray) -> bytes:
    """Compress a picture, uint8 (h, w, 3)."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    return file.getvalue()


def png(picture: np.ndarray) -> bytes:
    """Store a picture, uint8 (h, w, 3), exactly."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def _stored(report: Report) -> str:
    if not report.stored:
        return ""
    episodes = {row.episodes for row in report.stored.values()}
    models = ", ".join(sorted({row.model for row in report.stored.values() if row.model}))
    caption = (
        f"{' or '.join(map(str, sorted(episodes)))} episodes per row, stored with the weights"
        + (f" ({models})" if models else "")
    )
    return _section("The stored table", result_table(report.stored, caption))


def _films(films: Sequence[Shown]) -> str:
    shown = []
    for one in films:
        ending = "done" if one.success else '<span class="failed">failed</span>'
        speed = "" if one.faster == 1 else f", {one.faster:g} times as fast as life"
        shown.append(
            f"<figure><video autoplay loop muted playsinline controls "
            f'src="{_inline(one.film.mp4, "video/mp4")}"></video><figcaption>'
            f"<b>{escape(one.row)}</b> “{escape(one.instruction)}”: {ending}{speed}"
            "</figcaption></figure>"
        )
    words = (
        "To the right of each: what the robot's own cameras see. That, what it feels of itself and "
        "the instruction are all that the network gets."
    )
    return f'<p class="soft">{words}</p><div class="films">{"".join(shown)}</div>'


def _latency(report: Report) -> str:
    curves = charts.shares_below(report.latencies_ms, "ms")
    if not curves:
        return ""
    words = (
        '<p class="soft">Share of answers that a robot had after so many milliseconds, from asking '
        "for a chunk until it was there, all robots asking at once.</p>"
    )
    parts = ""
    if report.timing_ms:
        parts = '<p class="soft">Where the time of an answer goes, on average:</p>'
        parts += charts.stack(report.timing_ms, "ms")
    return _section("Latency", words + curves + parts)


def _facts(facts: Mapping[str, str]) -> str:
    pairs = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _inline(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
