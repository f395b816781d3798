"""Play one joint with answers that come 300 ms late, in each of the chunk player's three ways.

The policy follows a goal that swings, but says each time something slightly else, as policies that
sample do; for a while its answers are lost. Time is counted, not passed, so the figures are the
same on every machine. `python benchmarks/real_time_chunking.py` prints them and draws
docs/real_time_chunking.png.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from octoverse.embodiment import Embodiment, JointPosition, SafeStop, State
from octoverse.episode import ActionChunk
from octoverse.servers.overlap import OverlapKind
from octoverse.servers.player import ChunkPlayer

HZ, SECONDS, ROWS, EXECUTE = 50, 10.0, 50, 25
DELAY = 15
"""Control steps until an answer comes: 300 ms."""
LOST = (5.0, 7.0)
"""What is asked between these times [s] is never answered."""
SPREAD, PULL = 0.08, 0.3
"""How far answers differ [rad], and how fast a chunk goes to its goal [s]."""

_JOINT = {"names": ("joint",), "units": ("rad",), "low": (-2.0,), "high": (2.0,)}
BODY = Embodiment(
    name="one_joint",
    control_hz=HZ,
    observation={"joint": State(**_JOINT)},  # type: ignore[arg-type]
    action={"joint": JointPosition(**_JOINT)},  # type: ignore[arg-type]
    safe_stop=SafeStop(kind="hold"),
)


@dataclass
class Played:
    """What one player did with the same answers."""

    sent: list[float] = field(default_factory=list)
    """Joint position in every control step [rad]."""
    stopped: list[bool] = field(default_factory=list)
    chunks: list[tuple[int, np.ndarray]] = field(default_factory=list)
    """Step of observation and rows [rad] of every chunk that came."""

    @property
    def jumps(self) -> np.ndarray:
        """From one step to the next [rad]."""
        return np.abs(np.diff(self.sent))


def goal(seconds: np.ndarray | float) -> np.ndarray:
    """Where the joint is to be [rad]."""
    return np.asarray(0.6 * np.sin(2 * math.pi * np.asarray(seconds) / 4))


def answer(step: int, joint: float, rng: np.random.Generator) -> np.ndarray:
    """A chunk (ROWS,) from where the joint is to about where it is to be."""
    time = np.arange(ROWS) / HZ
    aim = goal(step / HZ + time) + rng.normal(0, SPREAD)
    return aim + (joint - aim[0]) * np.exp(-time / PULL)


def play(overlap: OverlapKind) -> Played:
    """Let a player play with one question at a time under way."""
    player, played = ChunkPlayer(BODY, execute=EXECUTE, overlap=overlap), Played()
    rng, joint, asked, frozen, rows = np.random.default_rng(3), 0.0, -DELAY - 1, 0, np.zeros(ROWS)
    for step in range(round(SECONDS * HZ)):
        now_ns = round(step * 1e9 / HZ)
        if step == asked + DELAY and not LOST[0] <= asked / HZ < LOST[1]:
            action = {"joint": rows.astype(np.float32)[:, None]}
            chunk = ActionChunk(
                embodiment=BODY.name, action=action, observed_at_ns=round(asked * 1e9 / HZ)
            )
            player.add(chunk, frozen_steps=frozen)
            played.chunks.append((asked, rows))
        if step > asked + DELAY and player.needs_chunk(now_ns):
            asked, rows = step, answer(step, joint, rng)
            frozen = player.frozen_steps(DELAY / HZ, now_ns)
        sent = player.action(now_ns)
        joint = joint if sent is None else float(sent["joint"].item())
        played.sent.append(joint)
        played.stopped.append(player.stopped)
    return played


HEADING = f"{'':<10}{'largest jump':>14}{'mean jump':>12}{'off the goal':>14}"


def report(name: str, played: Played) -> str:
    """Jumps from one step to the next, and the mean distance to the goal while it plays [rad]."""
    time = np.arange(len(played.sent)) / HZ
    off = np.abs(np.array(played.sent) - goal(time))[~np.array(played.stopped)].mean()
    jumps = f"{played.jumps.max():>10.3f} rad{played.jumps.mean():>8.4f} rad"
    return f"{name:<10}{jumps}{off:>10.3f} rad"


def draw(found: dict[str, Played], file: Path) -> None:
    """Draw what was sent, above the chunks that it was made of."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(found),
        1,
        figsize=(10, 2.5 * len(found)),
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for axis, (name, played) in zip(axes, found.items(), strict=True):
        time = np.arange(len(played.sent)) / HZ
        axis.axvspan(*LOST, color="#f3e3d3", zorder=0)
        for step, rows in played.chunks:
            axis.plot((step + np.arange(ROWS)) / HZ, rows, color="#bbbbbb", linewidth=1)
        axis.plot(time, played.sent, color="#0b6e99", linewidth=1.6, drawstyle="steps-post")
        held = np.where(played.stopped, played.sent, np.nan)
        axis.plot(time, held, color="#c2571a", linewidth=2.4)
        title = f"{name}: largest jump {played.jumps.max():.3f} rad"
        axis.set(title=title, ylabel="joint [rad]", xlim=(0, SECONDS))
        axis.title.set_fontsize(10)
    axes[0].text(LOST[0] + 0.05, -0.6, "answers are lost", fontsize=9)
    axes[-1].set_xlabel("seconds; grey: chunks, each answered 300 ms late; orange: the safe stop")
    figure.savefig(file, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    found = {kind: play(kind) for kind in get_args(OverlapKind)}
    print(HEADING)
    for kind, played in found.items():
        print(report(kind, played))
    draw(found, Path(__file__).parents[1] / "docs/real_time_chunking.png")
