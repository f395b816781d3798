from collections.abc import Callable

import pytest
import torch

from octoverse.readout import Context, TrunkShape
from octoverse.readouts.bins import BinsConfig

TRUNK = TrunkShape(width=16, layers=1, heads=2)

NONE = torch.zeros(0)


def test_its_loss_is_the_cross_entropy_of_valid_numbers(context: Callable[..., Context]) -> None:
    readout, seen = BinsConfig(hidden=8).build(TRUNK, 2, 3), context([1, 2])
    torch.nn.init.zeros_(readout.classify.weight)
    torch.nn.init.zeros_(readout.classify.bias)
    target, valid = torch.full((2, 2, 3), 7), torch.zeros(2, 2, 3, dtype=torch.bool)
    valid[0, 0] = True
    even = readout.loss(seen, target, valid)
    assert torch.isclose(even.total, torch.tensor(256.0).log())
    assert even.count == 3
    readout.classify.bias.data[7] = 50.0
    assert readout.loss(seen, target, valid).total < 1e-6
    target[~valid] = 9
    assert readout.loss(seen, target, valid).total < 1e-6


def test_it_overfits_one_batch_and_then_answers_it(
    context: Callable[..., Context], overfit: Callable[..., tuple[float, float]]
) -> None:
    torch.manual_seed(0)
    readout, seen = BinsConfig(hidden=16).build(TRUNK, 4, 3), context(list(range(6)))
    target = torch.randint(0, 256, (6, 4, 3))
    first, last = overfit(readout, seen, target, 250)
    assert last < first / 10
    answer = readout.sample(seen, noise=NONE)
    assert torch.equal(answer.actions[:, 0], target)
    assert answer.scores is not None
    assert torch.allclose(answer.scores[:, 0].mean() / 12, torch.tensor(-last), atol=0.1)


def test_several_samples_follow_the_probabilities(context: Callable[..., Context]) -> None:
    readout = BinsConfig(hidden=8).build(TRUNK, 1, 1)
    torch.nn.init.zeros_(readout.classify.weight)
    torch.nn.init.constant_(readout.classify.bias, -30.0)
    readout.classify.bias.data[[3, 200]] = torch.tensor([0.0, 1.0986])  # one to three
    noise = torch.randn(1, 4000, 1, 1, generator=torch.Generator().manual_seed(0))
    drawn = readout.sample(context([1]), noise=noise, samples=4000)
    assert set(drawn.actions.unique().tolist()) == {3, 200}
    assert abs((drawn.actions == 200).float().mean() - 0.75) < 0.03
    assert drawn.scores is not None
    likely = drawn.scores[0, drawn.actions[0, :, 0, 0] == 200]
    assert torch.allclose(likely, torch.tensor(0.75).log(), atol=1e-3)


def test_extreme_noise_still_gives_a_bin(context: Callable[..., Context]) -> None:
    readout = BinsConfig(hidden=8).build(TRUNK, 1, 1)
    noise = torch.tensor([-40.0, 40.0]).reshape(1, 2, 1, 1)
    drawn = readout.sample(context([1]), noise=noise, samples=2).actions
    assert drawn.flatten().tolist() == [0, 255]


def test_a_prefix_is_kept(context: Callable[..., Context]) -> None:
    readout, seen = BinsConfig(hidden=8, token_count=2).build(TRUNK, 4, 3), context([1, 2], 2)
    prefix = torch.randint(0, 256, (2, 2, 3))
    plain = readout.sample(seen, noise=NONE).actions
    held = readout.sample(seen, noise=NONE, prefix=prefix).actions
    assert torch.equal(held[:, 0, :2], prefix)
    assert torch.equal(held[:, :, 2:], plain[:, :, 2:])
    assert readout.tokens(2, None).values.shape == (2, 1, 2, 16)


def test_there_are_as_many_bins_as_the_codec_makes() -> None:
    with pytest.raises(ValueError, match="the codec 'bins' makes 256 bins, got bins = 128"):
        BinsConfig(bins=128)
    assert BinsConfig(codec="another", bins=128).bins == 128
