import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octoverse.data.processes import in_order
from octoverse.errors import BadConfig, BadData, MissingExtra, OctoverseError


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of made-up work; worker processes find it on the same path."""
    from importlib import import_module

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("made_work")


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_tasks(work: Any, processes: int) -> None:
    assert list(in_order(work.times, 10, range(7), processes)) == [0, 10, 20, 30, 40, 50, 60]


def test_tasks_are_taken_only_a_few_ahead(work: Any) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(work.times, 1, tasks(), 2)
    assert next(results) == 0 and len(taken) == 4
    results.close()  # type: ignore[attr-defined]


def test_several_processes_do_the_work(work: Any) -> None:
    found = set(in_order(work.process, None, range(8), 2))
    assert os.getpid() not in found and found


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_is_raised_here(work: Any, processes: int) -> None:
    with pytest.raises(BadData, match="task 2 is bad"):
        list(in_order(work.fail, 2, range(4), processes))


def test_a_process_that_dies_is_told(work: Any) -> None:
    with pytest.raises(OctoverseError, match="A worker process died"):
        list(in_order(work.die, None, range(4), 2))


def test_no_process_is_refused(work: Any) -> None:
    with pytest.raises(BadConfig, match="processes must be at least 1, got 0"):
        in_order(work.times, 1, [], 0)


def test_ray_is_an_extra(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"--ray needs the package 'ray'.*octoverse\[ray\]"):
        list(in_order(work.times, 1, [1], 2, ray=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_does_the_same_work(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    try:
        assert list(in_order(work.times, 10, range(7), 2, ray=True)) == [0, 10, 20, 30, 40, 50, 60]
        with pytest.raises(BadData, match="task 2 is bad"):
            list(in_order(work.fail, 2, range(4), 2, ray=True))
    finally:
        ray.shutdown()
