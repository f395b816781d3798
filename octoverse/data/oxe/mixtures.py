"""Mixtures of Open X-Embodiment, with octo's weights.

octo multiplies its weights by how many transitions each data set has, as `open_mixture` does.
Source: octo-models/octo, octo/data/oxe/oxe_dataset_mixes.py: BRIDGE_MIX.
"""

from octoverse.data.named_mixture import NamedMixture


def _oxe(name: str, about: str, **factors: float) -> NamedMixture:
    named = tuple((f"oxe/{data}", factor) for data, factor in factors.items())
    return NamedMixture(name=f"oxe/{name}", factors=named, about=about)


BRIDGE_ONLY = _oxe("bridge_only", "BridgeData V2 alone", bridge_dataset=1.0)
