import torch
from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig

VALID = torch.ones(2, 3, dtype=torch.bool)


def test_a_history_becomes_one_token_a_step() -> None:
    tokenizer = EgoHistoryTokenizerConfig(steps=4).build(8)
    valid = VALID.clone()
    valid[0, 1] = False
    tokens = tokenizer({"history": StreamBatch(torch.randn(2, 3, 4, 3), valid)})
    assert tokens.values.shape == (2, 3, 1, 8)
    assert torch.equal(tokens.valid[..., 0], valid)


def test_motion_counts_and_where_it_was_does_not() -> None:
    tokenizer = EgoHistoryTokenizerConfig(steps=4).build(8)
    poses = torch.randn(2, 3, 4, 3)
    here = tokenizer({"history": StreamBatch(poses, VALID)}).values
    elsewhere = tokenizer({"history": StreamBatch(poses + 2.0, VALID)}).values
    faster = tokenizer({"history": StreamBatch(poses * 1.5, VALID)}).values
    assert torch.allclose(here, elsewhere, atol=1e-5)
    assert not torch.allclose(here, faster, atol=1e-3)


def test_one_range_ahead_a_tenth_of_it_sideways_and_a_tenth_of_a_radian_count_as_1() -> None:
    tokenizer = EgoHistoryTokenizerConfig(steps=2, range=6.0).build(8)
    first = tokenizer.write[0]
    assert isinstance(first, nn.Linear)
    torch.nn.init.eye_(first.weight)
    torch.nn.init.zeros_(first.bias)
    tokenizer.write = nn.Sequential(first)
    poses = torch.zeros(1, 1, 2, 3)
    poses[0, 0, 1] = torch.tensor([6.0, 0.6, 0.1])
    valid = torch.ones(1, 1, dtype=torch.bool)
    values = tokenizer({"history": StreamBatch(poses, valid)}).values.flatten()
    assert torch.allclose(values[:3], torch.ones(3), atol=1e-6)


def test_fine_tells_centimetres_apart_on_a_straight_road_and_keeps_turns_in_range() -> None:
    tokenizer = EgoHistoryTokenizerConfig(steps=3, fine=True).build(8)
    tokenizer.write = nn.Sequential()  # what enters the layers
    valid = torch.ones(1, 1, dtype=torch.bool)

    def read(*poses: tuple[float, float, float]) -> torch.Tensor:
        history = torch.tensor(poses).reshape(1, 1, 3, 3)
        return tokenizer({"history": StreamBatch(history, valid)}).values.flatten()

    steady = read((-4.0, 0.0, 0.0), (-2.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert torch.allclose(steady, torch.tensor([0, 0, 0, 0.5, 0, 0]))
    braking = read((-4.05, 0.0, 0.0), (-2.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert torch.allclose(braking[0], torch.asinh(torch.tensor(1.0)), atol=1e-4)
    drifting = read((-4.0, 0.0, 0.0), (-2.0, -0.02, -0.002), (0.0, 0.0, 0.0))
    assert (drifting[4:] > 0.8).all()
    turning = read((-4.0, 2.0, -0.6), (-2.0, 0.5, -0.3), (0.0, 0.0, 0.0))
    assert turning.abs().max() < 6.5
