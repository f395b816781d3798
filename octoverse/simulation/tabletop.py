"""The tabletop tasks: reach an object named in words, lift it, choose it among others."""

from typing import ClassVar

from octoverse.episode import Action
from octoverse.simulation.tabletop_expert import Moment, lift_action, reach_action
from octoverse.simulation.tabletop_world import Tabletop
from octoverse.simulation.world import EnvironmentSpec

REACHED = 0.03
REACHED_HEIGHT = 0.12
LIFTED = 0.05


class TabletopReach(Tabletop):
    """Bring the tool above the named object: within 3 cm sideways and below 12 cm, for 3 steps."""

    phrases = ("reach the {}", "move to the {}", "go to the {}")

    def _act(self, moment: Moment) -> Action:
        return reach_action(moment, self._limits)

    def _at_goal(self) -> bool:
        return self._distance(self.named) < REACHED and self.tool.z < REACHED_HEIGHT


class TabletopLift(Tabletop):
    """Lift the named object more than 5 cm off the table and hold it there for 3 steps."""

    phrases = ("lift the {}", "pick up the {}", "raise the {}")

    def _act(self, moment: Moment) -> Action:
        return lift_action(moment, self._limits)

    def _at_goal(self) -> bool:
        return self._height() > LIFTED


class TabletopChoose(Tabletop):
    """Approach the named object first of all: ends at the first object that the tool comes to."""

    phrases = TabletopLift.phrases
    held_steps: ClassVar[int] = 1

    def _act(self, moment: Moment) -> Action:
        return lift_action(moment, self._limits)

    def _at_goal(self) -> bool:
        return self._first_touched == self.named

    def _failed(self) -> bool:
        return self._first_touched is not None


def _spec(task: str) -> EnvironmentSpec:
    return EnvironmentSpec(
        name=f"tabletop-{task}",
        gym_id=f"octoverse/Tabletop{task.capitalize()}-v0",
        embodiment="tabletop_arm",
        max_steps=60,
        row=f"arm/{task}",
    )


REACH = _spec("reach")
LIFT = _spec("lift")
CHOOSE = _spec("choose")
