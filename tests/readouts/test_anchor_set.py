import pytest
import torch

from octoverse.errors import BadConfig
from octoverse.readouts.anchor_set import AnchorSet, likeliest


def three() -> AnchorSet:
    """Anchors at -1, 0 and 1 in every number."""
    anchors = AnchorSet(3, 2, 2)
    codes = torch.tensor([-1.0, 0.0, 1.0])[:, None, None].expand(3, 2, 2)
    anchors.fit(codes, torch.ones_like(codes) > 0)
    return anchors


def test_the_nearest_is_told_by_valid_numbers_alone() -> None:
    anchors = three()
    order = anchors.get()[:, 0, 0]
    target = torch.full((2, 2, 2), 0.9)
    valid = torch.ones(2, 2, 2, dtype=torch.bool)
    assert (order[anchors.nearest(target, valid)] == 1).all()
    target[0, 1] = -40.0
    target[1, :, 1] = torch.nan
    valid[0, 1], valid[1, :, 1] = False, False
    assert (order[anchors.nearest(target, valid)] == 1).all()


def test_anchors_are_kept_with_the_weights() -> None:
    anchors, again = three(), AnchorSet(3, 2, 2)
    again.load_state_dict(anchors.state_dict())
    assert torch.equal(again.get(), anchors.get())


def test_a_mean_over_weights_leaves_learned_anchors_as_they_are() -> None:
    state, mean = three().state_dict(), three().state_dict()
    torch._foreach_lerp_(list(mean.values()), list(state.values()), 0.1)
    again = AnchorSet(3, 2, 2)
    again.load_state_dict(mean)
    assert torch.equal(again.get(), three().get())


def test_anchors_that_were_never_learned_are_not_used() -> None:
    with pytest.raises(BadConfig, match=r"the 3 anchors .* have not been learned. Give .* fit"):
        AnchorSet(3, 2, 2).get()


def test_the_likeliest_come_first_with_their_scores_and_a_prefix() -> None:
    chunks = torch.arange(4.0)[None, :, None, None].expand(2, 4, 3, 2)
    scores = torch.tensor([[0.1, 0.4, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1]]).log()
    valid = torch.ones(2, 3, 2, dtype=torch.bool)
    valid[:, :, 1] = False
    found = likeliest(chunks, scores, 2, torch.full((2, 1, 2), 9.0), valid)
    assert found.scores is not None
    assert torch.allclose(found.scores.exp(), torch.tensor([[0.4, 0.3], [0.4, 0.3]]))
    assert found.actions[0, :, :, 0].tolist() == [[9, 1, 1], [9, 2, 2]]
    assert found.actions[1, :, :, 0].tolist() == [[9, 0, 0], [9, 1, 1]]
    assert not found.actions[..., 1].any()


def test_more_samples_than_anchors_are_refused() -> None:
    with pytest.raises(BadConfig, match=r"of 4 anchors .* at most 4 samples, got samples = 5"):
        likeliest(torch.zeros(1, 4, 3, 2), torch.zeros(1, 4), 5, None, None)
