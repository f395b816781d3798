from types import ModuleType

import msgspec
import pytest

from octoverse import registry
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.widowx import WIDOWX
from octoverse.errors import BadConfig, UnknownName
from octoverse.evaluation.evaluate import Evaluation, environments_for, local, served
from octoverse.evaluation.fleet import Fleet
from octoverse.policy import Policy
from octoverse.servers.zeromq import Server

BODIES = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}


def test_every_environment_of_a_known_body_is_chosen_in_the_order_of_the_report() -> None:
    rows = [spec.row for spec in environments_for(BODIES)]
    assert rows == ["arm/reach", "arm/lift", "arm/choose", "car/lane"]
    assert [spec.row for spec in environments_for({"road_car": ROAD_CAR})] == ["car/lane"]
    assert [spec.row for spec in environments_for(BODIES, ["road-lane"])] == ["car/lane"]


def test_environments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'road-lane'"):
        environments_for(BODIES, ["road-line"])
    with pytest.raises(BadConfig, match=r"no environment has a body of this checkpoint \(widowx\)"):
        environments_for({"widowx": WIDOWX})
    with pytest.raises(BadConfig, match=r"'road-lane' needs the body 'road_car', .* widowx"):
        environments_for({"widowx": WIDOWX}, ["road-lane"])
    faster = {"road_car": msgspec.structs.replace(ROAD_CAR, control_hz=20.0)}
    with pytest.raises(BadConfig, match=r"differ: control_hz: 20.0 here, 10.0 there. Train anew"):
        environments_for(faster, ["road-lane"])


def test_all_drivers_play_the_same_seeds() -> None:
    specs = environments_for(BODIES)
    jobs = Evaluation(specs, 5, execute=3).jobs()
    assert len(jobs) == 4 * 3 * 5
    for driver, execute in (("policy", 3), ("expert", 1), ("random", 1)):
        for spec in specs:
            mine = [j for j in jobs if j.driver == driver and j.environment == spec]
            assert [job.seed for job in mine] == list(range(5))
            assert {job.execute for job in mine} == {execute}


@pytest.mark.sim
def test_local_and_served_evaluations_agree(
    small: ModuleType, policy: Policy, server: Server
) -> None:
    specs = [registry.load("environment", "tabletop-reach")]
    here, there = Evaluation(specs, 2), Evaluation(specs, 2)
    assert len(list(local(here, policy))) == 6
    said: list[object] = []
    with Fleet(server.address, 2) as fleet:
        served(there, fleet, said.append)
    assert len(said) > 6
    mine, theirs = (one.rows(model="small-1", transport="x") for one in (here, there))
    assert list(mine) == list(theirs) == ["arm/reach"]
    one, other = mine["arm/reach"], theirs["arm/reach"]
    assert (one.expert, one.random) == (other.expert, other.random) == (1.0, 0.0)
    assert one.success == other.success and one.steps == other.steps
    # What shares a batch may differ, and with it the last digits.
    assert one.metrics == pytest.approx(other.metrics, abs=1e-3)
