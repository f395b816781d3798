import math

import torch

from octoverse.readout import TrunkShape
from octoverse.readouts.cascade import Answer, Cascade, sinusoid

TRUNK = TrunkShape(width=16, layers=2, heads=2)
POINTS, OUTPUTS = torch.randn(2, 5, 4, 3), torch.randn(2, 6, 16)
VISIBLE, VALID = torch.ones(2, 6, dtype=torch.bool), torch.ones(2, 1, 4, 3, dtype=torch.bool)


def cascade(layers: int = 2) -> Cascade:
    torch.manual_seed(0)
    return Cascade(layers, TRUNK, 4, 3)


def silence(module: torch.nn.Module) -> None:
    """Let a linear map answer 0."""
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)


def test_every_layer_answers_for_every_chunk() -> None:
    answers = cascade(3)(POINTS, torch.tensor([0, 40]), VALID, OUTPUTS, VISIBLE)
    assert [points.shape for points, _ in answers] == [(2, 5, 4, 3)] * 3
    assert [logits.shape for _, logits in answers] == [(2, 5)] * 3


def test_a_layer_goes_on_from_the_answer_before_it_and_does_not_change_it() -> None:
    model = cascade()
    silence(model.get_submodule("layers.1.away.2"))
    (first, _), (second, _) = model(POINTS, torch.tensor([3, 3]), VALID, OUTPUTS, VISIBLE)
    assert torch.equal(first, second)
    second.sum().backward()
    assert model.get_parameter("layers.0.away.2.weight").grad is None


def test_what_does_not_exist_is_not_read() -> None:
    valid, points = VALID.clone(), POINTS.clone()
    valid[..., 2] = False
    model, time = cascade(), torch.tensor([8, 8])

    def answers() -> list[Answer]:
        return list(model(points, time, valid, OUTPUTS, VISIBLE))

    before = answers()
    points[..., 2] += 3
    for (chunks, logits), (old, old_logits) in zip(answers(), before, strict=True):
        assert torch.equal(logits, old_logits)
        assert torch.equal(chunks[..., :2], old[..., :2])


def test_chunks_do_not_read_each_other() -> None:
    model, time = cascade(), torch.tensor([8, 8])
    together = model(POINTS, time, VALID, OUTPUTS, VISIBLE)[-1][0]
    alone = model(POINTS[:, 2:3], time, VALID, OUTPUTS, VISIBLE)[-1][0]
    assert torch.allclose(together[:, 2:3], alone, atol=1e-6)


def test_how_much_noise_there_is_counts() -> None:
    model = cascade()
    little = model(POINTS, torch.tensor([0, 0]), VALID, OUTPUTS, VISIBLE)[-1][0]
    much = model(POINTS, torch.tensor([49, 49]), VALID, OUTPUTS, VISIBLE)[-1][0]
    assert not torch.allclose(little, much, atol=1e-4)


def test_all_chunks_seem_unlikely_before_any_training() -> None:
    model = cascade()
    torch.nn.init.zeros_(model.get_parameter("layers.0.confidence.3.weight"))
    logits = model(POINTS, torch.tensor([0, 0]), VALID, OUTPUTS, VISIBLE)[0][1]
    assert torch.allclose(logits.sigmoid(), torch.full((2, 5), 0.01), atol=1e-5)


def test_steps_are_told_apart_by_their_sines() -> None:
    found = sinusoid(torch.tensor([0, 7]), 8)
    assert torch.equal(found[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    assert math.isclose(float(found[1, 0]), math.sin(7), abs_tol=1e-5)
    assert math.isclose(float(found[1, 5]), math.cos(7 / 10), abs_tol=1e-5)
