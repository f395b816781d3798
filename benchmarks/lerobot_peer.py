"""LeRobot's ACT and Diffusion Policy, to be timed in the same run as ours, where it is installed.

Beside a new torch it takes an environment of its own, in which nothing but the two policies has to
import: pip install --no-deps lerobot==0.4.4 torchvision draccus diffusers einops. What lerobot
imports on the way to them and they do not use (simulators, motors, the hub) is stood in for by
empty modules, and torchvision's operators are declared, which builds without CUDA lack.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import torch

ACT_SIDE, DIFFUSION_SIDE = 224, 96
_UNUSED = (
    "deepdiff",
    "lerobot.configs.train",
    "lerobot.envs",
    "lerobot.envs.configs",
    "lerobot.motors",
    "lerobot.motors.motors_bus",
    "lerobot.robots",
    "lerobot.robots.robot",
)


class _Anything(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def installed() -> bool:
    """Whether lerobot can be found."""
    return importlib.util.find_spec("lerobot") is not None


def act(state: int, action: int) -> tuple[torch.nn.Module, Any]:
    """ACT at its default sizes for one 224 x 224 camera, and what makes a batch of b."""
    _prepare()
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy

    camera, features = "observation.images.top", _features(state, action)
    policy = ACTPolicy(
        ACTConfig(
            input_features={camera: features(ACT_SIDE), "observation.state": features(0)},
            output_features={"action": features(-1)},
            pretrained_backbone_weights=None,
            device="cpu",
        )
    )

    def batch(b: int) -> dict[str, torch.Tensor]:
        return {
            camera: torch.rand(b, 3, ACT_SIDE, ACT_SIDE),
            "observation.state": torch.randn(b, state),
            "action": torch.randn(b, 100, action),
            "action_is_pad": torch.zeros(b, 100, dtype=torch.bool),
        }

    return policy, batch


def diffusion(state: int, action: int) -> tuple[torch.nn.Module, Any]:
    """Diffusion Policy at its default sizes for one 96 x 96 camera, and what makes a batch of b."""
    _prepare()
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy

    camera, features = "observation.image", _features(state, action)
    policy = DiffusionPolicy(
        DiffusionConfig(
            input_features={camera: features(DIFFUSION_SIDE), "observation.state": features(0)},
            output_features={"action": features(-1)},
            device="cpu",
        )
    )

    def batch(b: int) -> dict[str, torch.Tensor]:
        return {
            camera: torch.rand(b, 2, 3, DIFFUSION_SIDE, DIFFUSION_SIDE),
            "observation.state": torch.randn(b, 2, state),
            "action": torch.randn(b, 16, action),
            "action_is_pad": torch.zeros(b, 16, dtype=torch.bool),
        }

    return policy, batch


def _features(state: int, action: int) -> Any:
    from lerobot.configs.types import FeatureType, PolicyFeature

    def one(side: int) -> Any:
        if side > 0:
            return PolicyFeature(type=FeatureType.VISUAL, shape=(3, side, side))
        if side == 0:
            return PolicyFeature(type=FeatureType.STATE, shape=(state,))
        return PolicyFeature(type=FeatureType.ACTION, shape=(action,))

    return one


def _prepare() -> None:
    if "lerobot.policies" in sys.modules:
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _prepare.library = library  # type: ignore[attr-defined]  # what is declared lives as long
    [root] = importlib.util.find_spec("lerobot").submodule_search_locations  # type: ignore[union-attr]
    for name in ("policies", "policies.act", "policies.diffusion"):
        module = ModuleType(f"lerobot.{name}")  # without the package's own imports
        module.__path__ = [f"{root}/{name.replace('.', '/')}"]
        sys.modules[module.__name__] = module
    import lerobot.configs  # noqa: F401

    for name in _UNUSED:
        sys.modules[name] = _Anything(name)
