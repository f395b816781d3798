import numpy as np
import pytest
import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.ego_tokens import EgoTokensTokenizer, EgoTokensTokenizerConfig

VALID = torch.ones(2, 3, dtype=torch.bool)


def made(steps: int = 16, **settings: bool) -> EgoTokensTokenizer:
    torch.manual_seed(0)
    return EgoTokensTokenizerConfig(steps=steps, **settings).build(8)


def published(poses: np.ndarray) -> np.ndarray:
    """Alpamayo's formula for positions (n, 3) with z, beginning at the vehicle's place now."""
    low, high = np.array([-4, -4, -10.0]), np.array([4, 4, 10.0])
    change = np.diff(np.vstack([np.zeros(3), poses]), axis=0)
    return np.clip(np.rint((change - low) / (high - low) * 999), 0, 999).astype(int).ravel()


def test_16_poses_become_48_tokens_by_the_published_formula() -> None:
    config = EgoTokensTokenizerConfig(steps=16)
    assert config.tokens == 48
    poses = torch.randn(2, 3, 16, 3).cumsum(2) * torch.tensor([2.0, 1.0, 0.1])
    found = made().bins(poses).flatten(2)
    flat = poses.double().numpy().copy()
    flat[..., 2] = 0  # a planar history: the third number is a heading, and z stays
    for b, t in np.ndindex(2, 3):
        assert np.abs(found[b, t].numpy() - published(flat[b, t])).max() <= 1  # float32 at an edge
        assert (found[b, t].numpy() == published(flat[b, t])).mean() > 0.95
    assert (found.reshape(2, 3, 16, 3)[..., 2] == 500).all()


def test_what_is_farther_than_4_m_from_pose_to_pose_is_cut_off() -> None:
    poses = torch.tensor([[-60.0, 0.0, 0.0], [-4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]).reshape(1, 1, 3, 3)
    assert made(3).bins(poses)[0, 0, :, :2].tolist() == [[0, 500], [999, 500], [999, 999]]


def test_headings_are_told_where_asked_for_and_go_round() -> None:
    config = EgoTokensTokenizerConfig(steps=2, heading=True)
    assert config.tokens == 8
    poses = torch.zeros(1, 1, 2, 3)
    poses[0, 0, :, 2] = torch.tensor([3.0, -3.0])  # 0.28 rad on to the left
    turns = made(2, heading=True).bins(poses)[0, 0, :, 3]
    expected = (torch.tensor([3.0, 2 * torch.pi - 6.0]) + torch.pi) / (2 * torch.pi) * 999
    assert turns.tolist() == expected.round().tolist()


def test_one_vocabulary_serves_all_numbers_and_validity_is_passed_on() -> None:
    valid = VALID.clone()
    valid[0, 1] = False
    tokenizer = made(4)
    tokens = tokenizer({"history": StreamBatch(torch.randn(2, 3, 4, 3), valid)})
    assert tokens.values.shape == (2, 3, 12, 8)
    assert torch.equal(tokens.valid[..., 5], valid)
    assert tokenizer.embed.weight.shape == (1000, 8)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"steps must be at least 1 and bins .* 2, got 0 and 1000"):
        EgoTokensTokenizerConfig(steps=0)
