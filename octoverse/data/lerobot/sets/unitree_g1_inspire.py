"""A teleoperated Unitree G1 with Inspire hands picking up a bottle.

Actions are commanded targets: the arms come closest to them about five steps (0.15 s) later, the
hands about ten; all together, seven or eight.
Hand values are shares of travel; which end is open cannot be told from the data, so that they stay
as they are.
Source: YifanTian07/G1-policy-train (LeRobot v2.1), under MIT.
"""

from functools import partial

from octoverse.data.dataset import DataSet
from octoverse.data.lerobot.sets.opening import open_split
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="unitree_g1",
    observation={
        "head": Taken(feature="observation.images.cam_high"),
        "arms": Taken(feature="observation.state", stop=14),
        "hands": Taken(feature="observation.state", start=14, stop=26),
    },
    action={
        "arms": Taken(feature="action", stop=14),
        "hands": Taken(feature="action", start=14, stop=26),
    },
    instruction={"instruction": "task"},
)
_SPLITS = {"train": ":-1", "val": "-1:", "all": ":"}
UNITREE_G1_INSPIRE = DataSet(
    name="unitree-g1-inspire",
    embodiment="unitree_g1",
    open=partial(open_split, name="unitree-g1-inspire", standard=STANDARD, splits=_SPLITS),
    folder="unitree-g1-inspire",
    splits=tuple(_SPLITS),
    about="YifanTian07/G1-policy-train: a real Unitree G1 with Inspire hands; MIT.",
)
