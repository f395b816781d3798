import time
from typing import Any

from octoverse.servers.batcher import Batcher
from octoverse.servers.engine import Engine
from octoverse.servers.faults import Faults
from octoverse.servers.robots import Robot, Robots
from octoverse.servers.snapshot import snapshot
from octoverse.session import Session
from octoverse.wire import Limits


def parts(servo: Any) -> tuple[Engine, Faults, Robots, Robot]:
    policy, faults, robots = servo(), Faults(), Robots(Limits())
    robot = Robot(session=Session(policy.bodies["road_car"]), client="car 1", peer="key")
    robots.add(robot)
    return Engine(policy, Batcher(), faults), faults, robots, robot


def test_a_robot_s_faults_are_told_apart(servo: Any) -> None:
    engine, faults, robots, robot = parts(servo)
    for code in ("stale", "stale", "overloaded"):
        faults.send(lambda *_: None, code, "", None, robot=robot)
    [told] = snapshot(engine, faults, robots, time.monotonic()).robots
    assert (told.missed, told.refused) == (2, 1)
    assert (told.number, told.body, told.peer) == (robot.number, "road_car", "key")


def test_what_is_told_stays_as_it_was(servo: Any) -> None:
    engine, faults, robots, _ = parts(servo)
    before = snapshot(engine, faults, robots, time.monotonic())
    engine.tally.timings["total"].add(0.1)
    assert before.timings["total"].count == 0


def test_trouble_of_the_engine_or_of_others_is_told_in_words(servo: Any) -> None:
    engine, faults, robots, _ = parts(servo)
    well = snapshot(engine, faults, robots, time.monotonic())
    assert (well.healthy, well.trouble) == (True, "")
    engine.hangs = True
    ill = snapshot(engine, faults, robots, time.monotonic())
    assert (ill.healthy, ill.trouble) == (False, "The policy hangs.")
    engine.lost = "It hangs for good."
    worse = snapshot(engine, faults, robots, time.monotonic())
    assert (worse.healthy, worse.trouble) == (False, "It hangs for good.")
    stopping = snapshot(engine, faults, robots, time.monotonic(), "The server stops.")
    assert (stopping.healthy, stopping.trouble) == (False, "The server stops.")


def test_another_policy_is_told_with_its_age(servo: Any) -> None:
    engine, faults, robots, _ = parts(servo)
    began = time.monotonic() - 100
    other = servo()
    other.model = "servo-2"
    engine.swap(other)
    told = snapshot(engine, faults, robots, began)
    assert (told.model, told.reloads) == ("servo-2", 1)
    assert told.model_s < 100 <= told.uptime_s
