import io
import re
from collections.abc import Callable

from rich.console import Console

from octoverse import registry
from octoverse.evaluation.evaluate import Evaluation
from octoverse.evaluation.live import Board, robots_table, so_far
from octoverse.evaluation.robot import Done, Job, Live
from octoverse.evaluation.rollout import Rollout

LIFT = registry.load("environment", "tabletop-lift")
JOB = Job(environment=LIFT, seed=3)


def test_the_table_says_who_does_what_how_well_and_how_fast(
    rollout: Callable[..., Rollout],
) -> None:
    evaluation = Evaluation([LIFT], 10)
    for success in (True, False, True):
        evaluation.add(JOB, rollout(success=success))
    live = Live(robot=2, job=JOB, instruction="lift the red cube", step=7, hz=41.6, latency_ms=8.7)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(robots_table({2: live, 3: None}, evaluation))
    lines = console.export_text().splitlines()
    [line] = [text for text in lines if "tabletop_arm" in text]
    said = ["lift the red cube", "arm/lift", "4/10", "2 of 3", "42", "9 ms"]
    assert re.split(r"\s{2,}", line.strip()) == ["2", "tabletop_arm", *said]
    assert lines[-1].split() == ["3", "idle"]
    assert so_far(evaluation) == "So far: arm/lift 2 of 3"


def test_without_a_terminal_each_finished_row_is_one_line(
    rollout: Callable[..., Rollout],
) -> None:
    evaluation = Evaluation([LIFT], 2)
    console = Console(record=True, file=io.StringIO(), force_terminal=False)
    with Board(evaluation, "small-1", console) as board:
        board.tell(Live(robot=1, job=JOB, instruction="x", step=0, hz=1, latency_ms=1))
        for success in (True, False):
            evaluation.add(JOB, rollout(success=success))
            board.tell(Done(robot=1, job=JOB, rollout=rollout()))
    assert console.export_text() == "arm/lift (policy): 1 of 2\n"


def test_in_a_terminal_the_table_is_drawn_and_taken_away() -> None:
    console = Console(record=True, file=io.StringIO(), force_terminal=True, width=120)
    with Board(Evaluation([LIFT], 2), "small-1", console) as board:
        board.tell(Live(robot=1, job=JOB, instruction="lift it", step=0, hz=1, latency_ms=1))
        console.print(board.draw())
    assert "lift it" in console.export_text()
