"""Language Table on the real robot: an xArm's stick pushes blocks in the plane, at 10 Hz.

Actions are changes of the stick's setpoint along x and y of the robot's base [m]; the stick does
not turn or grasp. The instruction is stored as the codes of its UTF-8 bytes, padded with zeros.
Source: Lynch et al., "Interactive Language: Talking to Robots in Real Time", 2022;
google-research/language-table; tensorflow/datasets, robotics/language_table.
"""

from octoverse.data.oxe.declare import oxe
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="xarm_planar",
    observation={
        "primary": Taken(feature="steps/observation/rgb"),
        "tool": Taken(feature="steps/observation/effector_translation"),
    },
    action={"arm": Taken(feature="steps/action")},
    instruction={"instruction": "steps/observation/instruction"},
)

DATA = oxe(
    "language_table",
    STANDARD,
    version="0.0.1",
    about="Language Table: an xArm's stick pushes blocks as it is told, teleoperated",
)
