import os

from octoverse.evaluation.machine import machine


def test_the_machine_says_its_cores() -> None:
    words = machine()
    assert f"{len(os.sched_getaffinity(0))} cores" in words
    assert os.uname().machine in words
