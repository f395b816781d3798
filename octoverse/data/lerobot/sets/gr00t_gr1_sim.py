"""A simulated Fourier GR1 picking things from a counter, in GR00T's flavour of LeRobot v2.0.

Parts of the body are named by meta/modality.json. The instruction is an index into the tasks of its
own; another "task", called "valid", is a flag. The paths that info.json tells are not those of the
files, and of its two camera features only ego_view has a video.
Source: NVIDIA/Isaac-GR00T, demo_data/robot_sim.PickNPlace, under Apache-2.0.
"""

from functools import partial

from octoverse.data.dataset import DataSet
from octoverse.data.lerobot.sets.opening import open_split
from octoverse.data.standard import Standard, Taken

_PARTS = ("left_arm", "right_arm", "left_hand", "right_hand")
STANDARD = Standard(
    embodiment="fourier_gr1",
    observation={
        "head": Taken(feature="video.ego_view"),
        **{part: Taken(feature=f"state.{part}") for part in _PARTS},
    },
    action={part: Taken(feature=f"action.{part}") for part in _PARTS},
    instruction={"instruction": "annotation.human.action.task_description"},
)
_SPLITS = {"train": ":-1", "val": "-1:", "all": ":"}
GR00T_GR1_SIM = DataSet(
    name="gr00t-gr1-sim",
    embodiment="fourier_gr1",
    open=partial(open_split, name="gr00t-gr1-sim", standard=STANDARD, splits=_SPLITS),
    folder="gr00t-gr1-sim",
    splits=tuple(_SPLITS),
    about="NVIDIA/Isaac-GR00T demo: a simulated GR1 with arms and hands; Apache-2.0.",
)
