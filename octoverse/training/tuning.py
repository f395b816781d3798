"""What of a policy is trained: everything, or all but the trunk, which may change in low rank.

The trunk is its blocks and norms. Tokenizers, positions and readouts are what a body brings: they
are trained whatever is done with the trunk.
"""

from collections.abc import Iterator

from torch import nn

from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.training import lora
from octoverse.training.config import TrainingConfig
from octoverse.training.warm_start import Shared, module_of


def prepare(policy: Policy, config: TrainingConfig) -> None:
    """Freeze what is not trained, and add what is trained instead.

    Raises:
        MissingExtra: if low-rank changes are asked for and peft is not installed.
        BadConfig: if they are asked for and the trunk has no layers.
    """
    if config.tune == "full":
        return
    if config.tune == "lora" and not lora.layers(policy.trunk):
        raise BadConfig(
            "--tune lora changes the linear layers of the trunk, got a trunk of 0 layers. "
            "Use --tune full or --tune frozen-trunk."
        )
    for weight in _of_trunk(policy):
        weight.requires_grad_(False)
    if config.tune == "lora":
        brought = [weight for weight in policy.trunk.parameters() if weight.requires_grad]
        lora.add(policy.trunk, config.lora_rank, config.lora_alpha)
        for weight in brought:  # peft freezes all but its own
            weight.requires_grad_(True)


def plan(policy: Policy, config: TrainingConfig) -> dict[str, str]:
    """For each module, in words, what `prepare` leaves to be trained of it."""
    found = {module_of(name): "trained" for name in policy.state_dict()}
    if config.tune != "full":
        found["trunk"] = "frozen"
    if config.tune == "lora":
        found["trunk"] = f"frozen + LoRA ({lora.size(policy.trunk, config.lora_rank):,})"
    return found


def check_trunk(shared: Shared, config: TrainingConfig) -> None:
    """Refuse to freeze a trunk that a checkpoint did not fill.

    Raises:
        BadConfig: if some of it begins anew.
    """
    if config.tune != "full" and "trunk" in shared.fresh:
        raise BadConfig(
            f"--tune {config.tune} keeps the trunk as the checkpoint has it, but "
            f"{shared.fresh['trunk']:,} numbers of this policy's trunk are not in the checkpoint: "
            "it has other sizes. Use --tune full, or a policy with the checkpoint's trunk."
        )


def _of_trunk(policy: Policy) -> Iterator[nn.Parameter]:
    for name, weight in policy.named_parameters():
        if module_of(name) == "trunk":
            yield weight
