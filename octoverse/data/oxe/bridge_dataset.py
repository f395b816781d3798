"""BridgeData V2 in RLDS form, in the conventions of the widowx body.

Its conventions are ours already: metres and radians in the robot's base frame, gripper 1 = open.
Source: Walke et al., "BridgeData V2", 2023; rail-berkeley/bridge_data_v2, the RLDS conversion.
"""

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.source import Source
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
    instruction={"instruction": "steps/language_instruction"},
    # image_3 is black throughout, and has_image_* says False of good images.
    black_is_absent=("secondary", "tertiary"),
)


def open_bridge(folder: str, split: str) -> Source:
    """Open the folder of one version."""
    source: Source = registry.load("source", "rlds")(folder=folder, split=split, standard=BRIDGE)
    return source


DATA = DataSet(
    name="oxe/bridge_dataset",
    embodiment="widowx",
    open=open_bridge,
    folder="bridge_dataset/1.0.0",
    splits=("train", "val"),
    about="BridgeData V2: WidowX 250, 5 Hz, toy kitchens and tables; CC BY 4.0",
    standard=BRIDGE,
)
