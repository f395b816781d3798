"""What Octo's config.json says of the head that makes actions.

Source: octo-models/octo, octo/model/components/action_heads.py.
"""

from dataclasses import dataclass
from typing import Any, Literal

from octoverse.errors import BadData
from octoverse.interop.octo_spec import Spec


@dataclass(frozen=True, kw_only=True)
class Head:
    """A head; what only diffusion has is 0 for regression."""

    name: str
    kind: Literal["diffusion", "regression"]
    horizon: int
    size: int
    """Numbers of an action."""
    largest: float
    """Largest number, either way: diffusion clips there, regression bends towards it."""
    loss: str
    """mse or l1."""
    pooled: bool = False
    """Whether attention pools the readout's tokens; else their mean is taken."""
    hidden: int = 0
    blocks: int = 0
    time_width: int = 0
    steps: int = 0


def read_head(name: str, spec: Spec, readout: str) -> Head:
    """Understand one head.

    Args:
        name: Of the head.
        spec: Its spec.
        readout: The group that the model's one readout makes.

    Raises:
        BadData: if it cannot be imported.
    """
    regressions = {"ContinuousActionHead": False, "MSEActionHead": True, "L1ActionHead": True}
    if spec.name != "DiffusionActionHead" and spec.name not in regressions:
        raise BadData(
            f"{spec.where}: expected a DiffusionActionHead or one of "
            f"{', '.join(regressions)}, got {spec.name}. Other heads are not built here."
        )
    read = spec.take("readout_key")
    if read != readout:
        raise BadData(
            f"{spec.where}.readout_key: expected {readout}, got {read}. "
            "Heads that read other tokens than the readout's cannot be imported."
        )
    old = spec.take("pred_horizon", 1)  # the name of December 2023
    found: dict[str, Any] = {
        "name": name,
        "horizon": int(spec.take("action_horizon", old)),
        "size": int(spec.take("action_dim", 7)),
        "largest": float(spec.take("max_action", 5.0)),
    }
    loss = str(spec.take("loss_type", "l1" if spec.name == "L1ActionHead" else "mse"))
    allowed = ("mse",) if spec.name == "DiffusionActionHead" else ("mse", "l1")
    if loss not in allowed:
        raise BadData(
            f"{spec.where}.loss_type: expected {' or '.join(allowed)}, got {loss}. "
            "Other losses are not built here."
        )
    if spec.name != "DiffusionActionHead":
        pooled = bool(spec.take("use_map", regressions[spec.name]))
        spec.finish()
        return Head(kind="regression", pooled=pooled, loss=loss, **found)
    spec.only("use_map", False, "Octo's diffusion with attention pooling is not built here.")
    spec.only("use_layer_norm", True, "A denoiser without them is not built here.")
    for training in ("dropout_rate", "n_diffusion_samples"):
        spec.take(training, 0)
    head = Head(
        kind="diffusion",
        hidden=int(spec.take("hidden_dim", 256)),
        blocks=int(spec.take("num_blocks", 3)),
        time_width=int(spec.take("time_dim", 32)),
        steps=int(spec.take("diffusion_steps", 20)),
        loss=loss,
        **found,
    )
    spec.finish()
    return head
