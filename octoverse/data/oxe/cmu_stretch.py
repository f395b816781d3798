"""Hello Robot's Stretch in kitchens (CMU), at 10 Hz.

The catalogue calls an action "3x ee pos, 3x ee rot", then the gripper and whether the episode ends.
octo, openvla and thu-ml/RoboticsDiffusionTransformer read changes [m, rad]; the robot moves along
two of the axes only. The gripper is 1 = open, as the same three read it; no documentation says so.
The state is a position, "robot joint angles/ee pos", and the gripper, whose scale is not
documented and which is left out.
Source: Bahl et al., "Affordances from Human Videos", 2023; TensorFlow Datasets' catalogue,
cmu_stretch.
"""

from octoverse.data import gripper
from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

ACTION = "steps/action"

STANDARD = Standard(
    embodiment="stretch",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(feature="steps/observation/state", stop=3),
    },
    action={
        "arm": Taken(feature=ACTION, stop=6),
        "gripper": Taken(feature=ACTION, start=6, stop=7, convert=gripper.within),
        "done": Taken(feature=ACTION, start=7),
    },
    instruction=CONVERTED_WORDS,
)

DATA = oxe("cmu_stretch", STANDARD, about="A Stretch in kitchens, CMU")
