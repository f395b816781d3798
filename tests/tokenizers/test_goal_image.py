from typing import Any

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.goal_image import GoalImageTokenizer, GoalImageTokenizerConfig


def goals(b: int = 3, t: int = 2) -> StreamBatch:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (b, t, 16, 32, 3), dtype=torch.uint8)
    return StreamBatch(pixels, torch.ones(b, t, dtype=torch.bool))


def built(stem: Any) -> GoalImageTokenizer:
    torch.manual_seed(1)
    return GoalImageTokenizerConfig(height=16, width=32, patch=8, stem=stem).build(16)


@pytest.mark.parametrize("stem", ["convolutions", "linear"])
def test_the_newest_goal_stands_once_whatever_the_window(stem: str) -> None:
    tokenizer, given = built(stem), goals()
    tokens = tokenizer({"goal": given})
    assert tokens.values.shape == (3, 1, 8, 16) and tokens.valid.shape == (3, 1, 8)
    newest = StreamBatch(given.values[:, -1:], given.valid[:, -1:])
    assert torch.equal(tokens.values, tokenizer({"goal": newest}).values)


@pytest.mark.parametrize("stem", ["convolutions", "linear"])
def test_no_goal_gives_invalid_tokens_and_neighbours_do_not_matter(stem: str) -> None:
    tokenizer, given = built(stem), goals()
    given.valid[1] = False
    tokens = tokenizer({"goal": given})
    assert tokens.valid[:, 0].all(-1).tolist() == [True, False, True]
    assert not tokens.valid[1].any()
    alone = tokenizer({"goal": StreamBatch(given.values[2:], given.valid[2:])})
    assert torch.allclose(tokens.values[2], alone.values[0], rtol=1e-5, atol=1e-6)


def test_the_two_stems_and_only_they_say_which_patches_are_allowed() -> None:
    assert GoalImageTokenizerConfig(height=12, width=12, patch=6, stem="linear").tokens == 4
    with pytest.raises(ValueError, match="power of 2 and at least 2 for convolutions, got 6"):
        GoalImageTokenizerConfig(height=12, width=12, patch=6)
    with pytest.raises(ValueError, match="12 x 12 cannot be cut into patches of 8"):
        GoalImageTokenizerConfig(height=12, width=12, patch=8)


def test_goals_of_another_size_are_refused() -> None:
    wrong = StreamBatch(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    with pytest.raises(SpecMismatch, match=r"expected images of 16 x 32 .* got 8 x 8"):
        built("linear")({"goal": wrong})
