"""A world without rendering, to record in tests: it counts, and odd seeds fail."""

from typing import Any

import gymnasium
import numpy as np

from octoverse import registry
from octoverse.simulation.world import EnvironmentSpec, Expert


class FakeWorld(gymnasium.Env[dict[str, Any], dict[str, Any]]):
    def __init__(self) -> None:
        self.embodiment = registry.load("embodiment", "tabletop_arm")
        self.observation_space = self.embodiment.observation_space
        self.action_space = self.embodiment.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.length = 0, int(self.np_random.integers(2, 5))
        self.picture = self.np_random.integers(0, 256, (96, 96, 3), np.uint8)
        self.tool = np.zeros(5, np.float32)
        self.succeeds = self._succeeds()
        return self._observe(), {"success": False}

    def step(
        self, action: dict[str, Any]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.tool[:4] += action["arm"]
        done = self.steps >= self.length
        return self._observe(), 0.0, done, False, {"success": done and self.succeeds}

    def expert(self) -> Expert:
        return lambda: {
            "arm": np.full(4, 0.01, np.float32),
            "gripper": np.ones(1, np.float32),
        }

    def view(self, height: int, width: int) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)

    def _succeeds(self) -> bool:
        return bool(self.np_random.random() < 0.6)

    def _observe(self) -> dict[str, Any]:
        turned = np.roll(self.picture, self.steps, axis=0)
        return {
            "table": turned,
            "wrist": turned[::-1].copy(),
            "tool": self.tool.copy(),
            "instruction": f"count to {self.length}",
        }


class Hopeless(FakeWorld):
    def _succeeds(self) -> bool:
        return False


class Deadly(FakeWorld):
    def _succeeds(self) -> bool:
        import os

        os._exit(1)


class Faulty(FakeWorld):
    def _succeeds(self) -> bool:
        raise ValueError("the world has no floor")


def _spec(name: str) -> EnvironmentSpec:
    gymnasium.register(f"{name}-v0", f"fake_world:{name}")
    return EnvironmentSpec(
        name=f"fake-{name.lower()}",
        gym_id=f"fake_world:{name}-v0",
        embodiment="tabletop_arm",
        max_steps=20,
        row="fake/count",
    )


FAKE, HOPELESS, DEADLY, FAULTY = map(_spec, ("FakeWorld", "Hopeless", "Deadly", "Faulty"))
