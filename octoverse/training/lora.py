"""Low-rank changes of the trunk's linear layers, in place of training these themselves.

Source: Hu et al., "LoRA", 2021; the layers are those of the package peft. A checkpoint never holds
them: they are added to the weights that they change, and what is left is an ordinary policy.
"""

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from octoverse.registry import missing_extra

_BASE = ".base_layer."


def layers(trunk: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers that get a low-rank change, by name."""
    return {name: one for name, one in trunk.named_modules() if isinstance(one, nn.Linear)}


def size(trunk: nn.Module, rank: int) -> int:
    """How many numbers changes of this rank have."""
    return sum(rank * (one.in_features + one.out_features) for one in layers(trunk).values())


def add(trunk: nn.Module, rank: int, alpha: int) -> None:
    """Give every linear layer a change of this rank, which is zero at first.

    Args:
        trunk: Changed in place; nothing of it but the changes wants gradients afterwards.
        rank: Of the changes.
        alpha: They are scaled by alpha / rank.

    Raises:
        MissingExtra: if peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        missing = missing_extra("Training low-rank changes (--tune lora)", error)
        raise missing or error from error
    settings = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(layers(trunk)))
    inject_adapter_in_model(settings, trunk)
    _show_whole_weights(trunk)


def merged(state: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The weights of the policy without the changes, each with its own added.

    Args:
        state: All weights, under the names that `add` has left them.
        scale: Of the changes: alpha / rank.
    """
    found = {}
    for name, value in state.items():
        if _BASE in name:
            stem, _, part = name.rpartition(_BASE)
            if part == "weight":
                down, up = (state[f"{stem}.lora_{side}.default.weight"] for side in "AB")
                value = value + scale * (up @ down)
            found[f"{stem}.{part}"] = value
        elif ".lora_" not in name:
            found[name] = value
    return found


def remove(trunk: nn.Module) -> None:
    """Put the linear layers back as they were before `add`, without their changes."""
    for name, one in list(trunk.named_modules()):
        base = getattr(one, "base_layer", None)
        if isinstance(base, nn.Linear):
            trunk.set_submodule(name, base)


def _show_whole_weights(trunk: nn.Module) -> None:
    """Let `weight` be what a changed layer multiplies by, where peft's is without the change.

    Attention multiplies by parts of it where not everything is wanted.
    """
    from peft.tuners.lora import Linear

    class Changed(Linear):
        @property
        def weight(self) -> Tensor:
            base = cast(nn.Linear, self.get_base_layer())
            return base.weight + self.get_delta_weight("default")

    for one in trunk.modules():
        if isinstance(one, Linear):
            one.__class__ = Changed
