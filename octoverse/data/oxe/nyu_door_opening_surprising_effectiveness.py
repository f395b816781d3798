"""Doors opened with a hand-held copy of Stretch's gripper (VINN, NYU), at 3 Hz.

Actions are the camera's motion from one frame to the next, found by structure from motion. The
catalogue calls them "Velocity in XYZ" and "Angular velocity"; they run from -0.07 to 0.07, which is
a displacement in one step, and are taken as metres and radians. Their frame is not documented.

Sources disagree about the gripper. It runs from -0.28 to 0.96, which is taken for a change of how
far it is closed, as octo and openvla do: beyond 0.1 it closes, below -0.1 it opens.
thu-ml/RoboticsDiffusionTransformer takes it for how far it is closed. There is no state, and the
one instruction of all episodes is left out.
Source: Pari et al., "The Surprising Effectiveness of Representation Learning for Visual Imitation",
2021; TensorFlow Datasets' catalogue, nyu_door_opening_surprising_effectiveness.
"""

from octoverse.data import gripper
from octoverse.data.oxe.declare import oxe
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="stretch_door",
    observation={"wrist": Taken(feature="steps/observation/image")},
    action={
        "arm": Taken(features=("steps/action/world_vector", "steps/action/rotation_delta")),
        "gripper": Taken(feature="steps/action/gripper_closedness_action", convert=gripper.held),
        "done": Taken(feature="steps/action/terminate_episode"),
    },
)

DATA = oxe(
    "nyu_door_opening_surprising_effectiveness",
    STANDARD,
    splits=("train", "test"),
    about="VINN: doors opened with a hand-held gripper, NYU",
)
