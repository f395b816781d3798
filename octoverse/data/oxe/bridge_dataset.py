"""BridgeData V2 in RLDS form, in the conventions of the widowx body.

Its conventions are ours already: metres and radians in the robot's base frame, gripper 1 = open.
This is the authors' own conversion, newer than the copy named `bridge` in the public bucket.
Source: Walke et al., "BridgeData V2", 2023; rail-berkeley/bridge_data_v2, the RLDS conversion.
"""

from dataclasses import replace

from octoverse.data.oxe.declare import CONVERTED_WORDS, oxe
from octoverse.data.standard import Standard, Taken

BRIDGE = Standard(
    embodiment="widowx",
    observation={
        "primary": Taken(feature="steps/observation/image_0"),
        "secondary": Taken(feature="steps/observation/image_1"),
        "tertiary": Taken(feature="steps/observation/image_2"),
        "tool": Taken(feature="steps/observation/state"),
    },
    action={
        "arm": Taken(feature="steps/action", stop=6),
        "gripper": Taken(feature="steps/action", start=6, stop=7),
    },
    instruction=CONVERTED_WORDS,
    # image_3 is black throughout, and has_image_* says False of good images.
    black_is_absent=("secondary", "tertiary"),
)

DATA = oxe(
    "bridge_dataset",
    BRIDGE,
    version="1.0.0",
    splits=("train", "val"),
    about="BridgeData V2: WidowX 250, 5 Hz, toy kitchens and tables; CC BY 4.0",
)
DEBUG = replace(
    DATA,
    name="bridge-octo-debug",
    folder="bridge-octo-debug/bridge_dataset/1.0.0",
    about="Twenty episodes of ten steps of BridgeData V2, from octo's tests; CC BY 4.0",
)
