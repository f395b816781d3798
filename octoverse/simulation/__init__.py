"""Gymnasium environments of our own; importing this room registers their ids."""

import gymnasium

gymnasium.register("octoverse/TabletopReach-v0", "octoverse.simulation.tabletop:TabletopReach")
gymnasium.register("octoverse/TabletopLift-v0", "octoverse.simulation.tabletop:TabletopLift")
gymnasium.register("octoverse/TabletopChoose-v0", "octoverse.simulation.tabletop:TabletopChoose")
gymnasium.register("octoverse/RoadLane-v0", "octoverse.simulation.road:RoadLane")
