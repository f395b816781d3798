import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.acting import LocalPolicy
from octoverse.batch import Batch, batch_of
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Embodiment, JointPosition
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.readouts.action_expert import ActionExpertConfig
from octoverse.recipes.pi0_native import PI0_NATIVE
from octoverse.synthetic import random_action, random_frame

RNG = np.random.default_rng(0)


def bodies(*names: str) -> list[Embodiment]:
    return [registry.load("embodiment", name) for name in names or PI0_NATIVE.example]


def policy(*names: str) -> Policy:
    torch.manual_seed(0)
    known = {body.name: body for body in bodies(*names)}
    statistics = {name: random_statistics(body, RNG) for name, body in known.items()}
    return Policy(PI0_NATIVE.config(list(known.values()), "tiny"), known, statistics)


def test_its_sizes_are_what_it_says() -> None:
    made = PI0_NATIVE.config(bodies())
    assert (made.trunk.width, made.trunk.layers, made.trunk.heads) == (768, 12, 12)
    assert made.readouts == {"expert/50x32": ActionExpertConfig(width=384)}
    assert made.tokenizers["camera"].tokens == 256
    assert (made.preprocess.height, made.preprocess.width) == (224, 224)


def test_all_bodies_share_the_cameras_and_the_expert() -> None:
    made = PI0_NATIVE.config(bodies())
    for body in bodies():
        one = made.bodies[body.name]
        assert one.horizon == 50
        [use] = one.readouts
        assert (use.key, use.size, use.groups) == ("expert/50x32", 32, tuple(body.action))
    places = [use.place for use in made.bodies["aloha"].tokenizers if use.key == "camera"]
    assert places == [f"camera/{r}" for r in ("primary", "secondary", "left_wrist", "right_wrist")]
    read = [use.key for use in made.bodies["aloha"].tokenizers if use.key != "camera"]
    assert read == ["state/joints/12", "state/grippers/2", "language"]


def test_a_path_has_an_expert_of_its_own() -> None:
    policy("road_car", "widowx")
    made = PI0_NATIVE.config(bodies("road_car", "widowx"))
    rows = len(made.bodies["road_car"].readouts)
    assert rows == 1 and len(made.readouts) == 2
    assert made.bodies["road_car"].readouts[0].key.startswith("expert/path/")


def test_a_body_of_more_than_32_numbers_is_refused_in_words() -> None:
    [arm] = bodies("ur5")
    names = tuple(f"joint_{i}" for i in range(33))
    many = JointPosition(names=names, units=("rad",) * 33, low=(-1.0,) * 33, high=(1.0,) * 33)
    body = Embodiment(
        name="many",
        control_hz=10.0,
        observation=arm.observation,
        action={"joints": many},
        safe_stop=arm.safe_stop,
    )
    config, statistics = PI0_NATIVE.config([body], "tiny"), random_statistics(body, RNG)
    with pytest.raises(BadConfig, match="of 'many' makes 32 numbers, its groups have 33"):
        Policy(config, {"many": body}, {"many": statistics})


def test_two_bodies_learn_and_act() -> None:
    made, batches, seen = policy(), {}, []
    for body in bodies():
        robot, windows = LocalPolicy(made, body.name), []
        for step in range(2):
            robot.reset()
            robot.observe(random_frame(body, RNG))
            windows.append(robot.session.observation(seed=0, step=step))
        inputs = batch_of(body, windows, made.device)
        rows = [[random_action(body, RNG) for _ in range(50)] for _ in range(2)]
        action = {
            group: torch.tensor(np.array([[row[group] for row in one] for one in rows]))
            for group in body.action
        }
        real = {group: torch.ones(2, 50, dtype=torch.bool) for group in body.action}
        batches[body.name] = Batch(inputs.streams, action, real, inputs.seeds)
        seen.append(windows[0])
    optimizer, losses = torch.optim.AdamW(made.parameters(), 3e-3), []
    for _ in range(30):
        loss = made.loss(batches).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    for body, chunk in zip(bodies(), made.eval().act(seen), strict=True):
        for group, values in chunk.action.items():
            assert values.shape == (50, body.action[group].size)
