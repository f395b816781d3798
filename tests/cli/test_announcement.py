from pathlib import Path

from octoverse import checkpoint as checkpoints
from octoverse.cli.announcement import screen
from octoverse.embodiments.road_car import ROAD_CAR


def test_the_screen_names_bodies_streams_and_chunks(small_checkpoint: Path) -> None:
    policy = checkpoints.load(small_checkpoint)
    cells = [list(column.cells) for column in screen(policy, "tcp://127.0.0.1:5").columns]
    assert cells[0] == ["tabletop_arm", "road_car"]
    assert cells[2][0] == "table 16 x 16, wrist 16 x 16, tool, instruction"
    assert cells[3] == ["arm (4), gripper (4)", "path (30)"]
    assert cells[4][1] == ROAD_CAR.fingerprint
