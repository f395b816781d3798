"""Mixtures of Open X-Embodiment, with octo's weights.

octo multiplies its weights by how many transitions each data set has, as `open_mixture` does.
Source: octo-models/octo, octo/data/oxe/oxe_dataset_mixes.py: BRIDGE_MIX, RT_X_MIX and
OXE_MAGIC_SOUP, on which Octo was trained (Octo Model Team, "Octo", 2024, appendix).
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

MAGIC_SOUP = _oxe(
    "magic_soup",
    "What Octo was trained on: 25 data sets",
    fractal20220817_data=0.54087122203,
    kuka=0.8341046294,
    bridge_dataset=1.0,
    taco_play=2.0,
    jaco_play=1.0,
    berkeley_cable_routing=1.0,
    roboturk=2.0,
    nyu_door_opening_surprising_effectiveness=1.0,
    viola=2.0,
    berkeley_autolab_ur5=2.0,
    toto=1.0,
    language_table=0.1,
    stanford_hydra_dataset_converted_externally_to_rlds=2.0,
    austin_buds_dataset_converted_externally_to_rlds=1.0,
    nyu_franka_play_dataset_converted_externally_to_rlds=3.0,
    furniture_bench_dataset_converted_externally_to_rlds=0.1,
    ucsd_kitchen_dataset_converted_externally_to_rlds=2.0,
    austin_sailor_dataset_converted_externally_to_rlds=1.0,
    austin_sirius_dataset_converted_externally_to_rlds=1.0,
    bc_z=0.2,
    dlr_edan_shared_control_converted_externally_to_rlds=1.0,
    iamlab_cmu_pickup_insert_converted_externally_to_rlds=1.0,
    utaustin_mutex=1.0,
    berkeley_fanuc_manipulation=2.0,
    cmu_stretch=1.0,
)
