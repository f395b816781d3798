import torch

from octoverse.readout import Context, Reference, Scale, masked_mean

ONE = torch.ones(1)
REFERENCE = Reference({"speed": torch.tensor([[1.0], [2.0]])}, Scale(ONE, ONE, ONE, ONE), 10.0)


def test_a_masked_mean_counts_valid_numbers_alone() -> None:
    values = torch.tensor([1.0, torch.nan, 5.0, torch.inf])
    found = masked_mean(values, torch.tensor([True, False, True, False]))
    assert found.total == 3
    assert found.count == 2
    assert masked_mean(values, torch.zeros(4, dtype=torch.bool)).total == 0


def test_a_reference_is_repeated_sample_by_sample() -> None:
    assert REFERENCE.repeat(2).streams["speed"].flatten().tolist() == [1, 1, 2, 2]
    assert REFERENCE.repeat(2).hz == 10


def test_extending_grows_outputs_and_what_is_visible_and_leaves_the_old_context() -> None:
    asked = []

    def continue_trunk(
        tokens: torch.Tensor, memory: tuple, visible: torch.Tensor
    ) -> tuple[torch.Tensor, tuple]:
        asked.append((len(memory), visible.tolist()))
        return tokens * 2, (*memory, (tokens, tokens))

    seen = torch.tensor([[True, False]])
    context = Context(
        own=torch.zeros(1, 1, 1, 4),
        outputs=torch.zeros(1, 2, 4),
        visible=seen,
        memory=(),
        reference=REFERENCE,
        seeds=torch.tensor([1]),
        continue_trunk=continue_trunk,
    )
    outputs, longer = context.extend(torch.ones(1, 3, 4))
    _, longest = longer.extend(torch.ones(1, 1, 4))
    assert torch.equal(outputs, torch.full((1, 3, 4), 2.0))
    assert torch.equal(longer.outputs[:, 2:], outputs)
    assert asked == [(0, [[True, False]]), (1, [[True, False, True, True, True]])]
    assert longest.visible.sum() == 5
    assert context.visible is seen and context.memory == ()
