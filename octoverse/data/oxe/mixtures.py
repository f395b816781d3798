"""Mixtures of Open X-Embodiment, with octo's weights.

octo multiplies its weights by how many transitions each data set has, as `open_mixture` does.
Source: octo-models/octo, octo/data/oxe/oxe_dataset_mixes.py: BRIDGE_MIX and
RT_X_MIX.
"""

from octoverse.data.named_mixture import NamedMixture


def _oxe(name: str, about: str, **factors: float) -> NamedMixture:
    named = tuple((f"oxe/{data}", factor) for data, factor in factors.items())
    return NamedMixture(name=f"oxe/{name}", factors=named, about=about)


BRIDGE_ONLY = _oxe("bridge_only", "BridgeData V2 alone", bridge_dataset=1.0)

RTX = _oxe(
    "rtx",
    "What RT-1-X was trained on",
    fractal20220817_data=0.54087122203,
    kuka=0.8341046294,
    bridge_dataset=1.0,
    taco_play=2.0,
    jaco_play=2.0,
    berkeley_cable_routing=3.0,
    roboturk=1.0,
    nyu_door_opening_surprising_effectiveness=5.0,
    viola=2.0,
    berkeley_autolab_ur5=1.0,
    toto=1.0,
)
