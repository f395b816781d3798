from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from octoverse import checkpoint, registry
from octoverse.cli import train as command
from octoverse.cli.train import Overrides, train
from octoverse.errors import BadConfig, UnknownName
from octoverse.policy import Policy
from octoverse.training.config import Recipe, Tune

Offer = Callable[..., None]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OCTOVERSE_DATA", raising=False)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Makes a function a recipe named "made"."""
    load = registry.load

    def use(make: Callable[..., Recipe]) -> None:
        def loading(kind: registry.Kind, name: str) -> Any:
            return make if (kind, name) == ("recipe", "made") else load(kind, name)

        monkeypatch.setattr(registry, "load", loading)

    return use


def test_a_recipe_is_trained_measured_and_can_be_gone_on_with(
    small: ModuleType, offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(lambda data=Path("there"): small.recipe())
    change = Overrides(steps=3, batch_size=4, save_every=2, seed=5, learning_rate=1e-3)
    train(recipe="made", change=change, threads=1)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Checkpoint: runs/small/checkpoints/step-00000003" in shown
    assert "Error on held-out data" in shown
    assert "Serve it with: octoverse serve runs/small" in shown
    assert {p.name for p in Path("runs/small").iterdir()} >= {
        "checkpoints", "held_out.json", "held_out.md", "losses.jsonl", "losses.png", "tensorboard",
    }  # fmt: skip
    with pytest.raises(BadConfig, match=r"holds a run with steps 3, got 4. Go on with the sam"):
        train(recipe="made", change=Overrides(steps=4))


def test_one_body_of_a_recipe_is_trained_alone(small: ModuleType, offer: Offer) -> None:
    offer(lambda data=None: small.recipe())
    train(recipe="made", only="road_car", change=Overrides(steps=2))
    policy = checkpoint.load(checkpoint.resolve(Path("runs/small-road_car")))
    assert set(policy.bodies) == {"road_car"}
    words = "No body of this policy named 'road'. Did you mean 'road_car'"
    with pytest.raises(UnknownName, match=words):
        train(recipe="made", only="road")


def test_a_run_begins_with_another_s_weights_and_says_which(
    small: ModuleType, offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(small.policy(seed=4), Path("stored"))
    offer(lambda data=None: small.recipe())
    train(recipe="made", start_from=Path("stored"), out=Path("run"), change=Overrides(steps=2))
    shown = capsys.readouterr().out
    assert "Where the weights come from" in shown and "from the checkpoint" in shown
    assert checkpoint.steps(Path("run"))


def test_one_body_is_trained_on_its_data_with_the_weights_it_shares(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(small.policy(), Path("stored"))
    monkeypatch.setattr(command, "open_parts", lambda what, share: (small.Made(), None))
    train(
        embodiment="tabletop_arm",
        data=(Path("mine"),),
        start_from=Path("stored"),
        change=Overrides(steps=2, batch_size=4),
    )
    loaded = checkpoint.load(Path("runs/tabletop_arm"))
    assert set(loaded.bodies) == {"tabletop_arm"}
    assert loaded.config.trunk == small.config().trunk
    assert "tokenizers keypoints" in capsys.readouterr().out


@pytest.mark.parametrize("tune", ["frozen-trunk", "lora"])
def test_a_body_that_the_checkpoint_lacks_is_fine_tuned_and_what_is_trained_is_shown(
    small: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tune: Tune,
) -> None:
    body = msgspec.structs.replace(small.BODIES["tabletop_arm"], name="my_arm")
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: body if name == "my_arm" else load(kind, name)
    )
    monkeypatch.setitem(small.BODIES, "my_arm", body)
    monkeypatch.setenv("COLUMNS", "160")
    mine = small.Made(embodiment="my_arm"), small.Made(embodiment="my_arm", sizes=(3,))
    monkeypatch.setattr(command, "open_parts", lambda what, share: mine)
    checkpoint.save(small.policy(), Path("stored"))
    change = Overrides(steps=2, batch_size=4, tune=tune, lora_rank=2)
    train(embodiment="my_arm", data=(Path("mine"),), start_from=Path("stored"), change=change)
    shown = " ".join(capsys.readouterr().out.split())
    assert "tokenizers keypoints" in shown and "from the checkpoint trained" in shown
    assert "from the checkpoint frozen" in shown
    assert ("frozen + LoRA (" in shown) is (tune == "lora")
    loaded = checkpoint.load(Path("runs/my_arm"))
    assert loaded.config.readouts.keys() == {"hand"}
    norm, stored = "trunk.norm.weight", checkpoint.load(Path("stored"))
    assert loaded.state_dict()[norm].equal(stored.state_dict()[norm])


def test_a_trunk_is_kept_only_of_a_checkpoint_that_has_it(small: ModuleType, offer: Offer) -> None:
    offer(lambda data=None: small.recipe())
    words = "--tune lora keeps the weights of a checkpoint's trunk, got none. Give one with --from"
    with pytest.raises(BadConfig, match=words):
        train(recipe="made", change=Overrides(tune="lora"))
    wider = small.config(width=64)
    statistics = {name: small.statistics(body) for name, body in small.BODIES.items()}
    checkpoint.save(Policy(wider, small.BODIES, statistics), Path("stored"))
    with pytest.raises(BadConfig, match=r"keeps the trunk as .* are not in the checkpoint: it has"):
        train(recipe="made", start_from=Path("stored"), change=Overrides(tune="frozen-trunk"))


def test_a_short_run_warms_up_for_a_fifth_of_it(
    small: ModuleType, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Recipe] = []

    class Taken(Exception):
        pass

    def run(recipe: Recipe, *rest: Any, **more: Any) -> None:
        taken.append(recipe)
        raise Taken

    offer(lambda data=None: small.recipe(steps=100, warmup_steps=50))
    monkeypatch.setattr(command, "run", run)
    for steps in (20, 1000, None):
        with pytest.raises(Taken):
            train(recipe="made", change=Overrides(steps=steps))
    assert [one.training.warmup_steps for one in taken] == [4, 50, 50]
    assert [one.training.steps for one in taken] == [20, 1000, 100]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, BadConfig, "either --recipe NAME or --embodiment NAME .* got neither. Recipes: act"),
        ({"recipe": "demo", "embodiment": "widowx"}, BadConfig, "--data FOLDER, got both. Recipes"),
        ({"recipe": "dmeo"}, UnknownName, "No recipe named 'dmeo'. Did you mean 'demo'"),
        ({"recipe": "real"}, BadConfig, "the recipe 'real' needs --data FOLDER"),
        ({"embodiment": "widowx", "size": "tiny"}, BadConfig,
         "--size tiny is for the recipe of a published system, got --embodiment widowx. Give --re"),
        ({"recipe": "real", "size": "tiny"}, BadConfig,
         "'real' brings its own policy .* one folder with --data and no --size, got no folder and"),
        ({"recipe": "demo", "data": (Path("a"), Path("b"))}, BadConfig,
         "'demo' brings its own policy .* got a, b and no --size"),
        ({"recipe": "generic"}, BadConfig,
         "'generic' needs --data DATA ...: one or more data sets, .* such as tabletop_arm and roa"),
        ({"recipe": "generic", "data": (Path("a"),), "hold_out": 1.0}, BadConfig,
         "--hold-out must be a share from 0 to below 1, got 1.0"),
        ({"embodiment": "widow"}, UnknownName, "No embodiment named 'widow'. Did you mean 'wido"),
        ({"embodiment": "widowx"}, BadConfig, "train --embodiment widowx needs --data FOLDER: a"),
        ({"embodiment": "widowx", "data": (Path("arm"),)}, BadConfig,
         "arm is a recording of 'tabletop_arm', expected 'widowx'. Give --embodiment tabletop_arm"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(
    small: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr(command, "open_parts", lambda what, share: (small.Made(), None))
    with pytest.raises(error, match=words):
        train(**given)


@pytest.mark.parametrize("make", [lambda: None, lambda data, more: None])
def test_a_recipe_takes_the_folder_of_its_data(offer: Offer, make: Callable[..., Any]) -> None:
    offer(make)
    with pytest.raises(BadConfig, match="recipe 'made' must take one argument, the folder of its"):
        train(recipe="made")


def test_settings_that_make_no_sense_are_refused(small: ModuleType, offer: Offer) -> None:
    offer(lambda data=None: small.recipe())
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        train(recipe="made", change=Overrides(steps=0))
