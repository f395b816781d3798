import pytest
import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.keypoints import KeypointsTokenizerConfig, spatial_softmax


def shown(*words: str, t: int = 2) -> dict[str, StreamBatch]:
    torch.manual_seed(0)
    valid = torch.ones(len(words), t, dtype=torch.bool)
    pixels = torch.randint(0, 256, (1, t, 16, 16, 3), dtype=torch.uint8)
    return {
        "image": StreamBatch(pixels.expand(len(words), -1, -1, -1, -1), valid),
        "instruction": StreamBatch(words, valid),
    }


def test_a_peak_in_a_map_is_found_where_it_is() -> None:
    maps = torch.zeros(1, 3, 5, 9)
    maps[0, 0, 0, 0], maps[0, 1, 4, 8], maps[0, 2, 1, 4] = 99, 99, 99
    found = spatial_softmax(maps)[0]
    assert torch.allclose(found[:, 0], torch.tensor([-1.0, 1.0, 0.0]), atol=1e-4)
    assert torch.allclose(found[:, 1], torch.tensor([-1.0, 1.0, -0.5]), atol=1e-4)
    assert torch.allclose(found[:, 2], torch.full((3,), 9.9), atol=1e-3)


def test_a_flat_map_points_at_the_middle() -> None:
    assert torch.allclose(spatial_softmax(torch.full((1, 1, 6, 6), 3.0))[0, 0, :2], torch.zeros(2))


def test_the_places_are_written_into_as_many_tokens_as_asked() -> None:
    config = KeypointsTokenizerConfig(keypoints=6, channels=8, tokens=2)
    tokens = config.build(12)(shown("lift", "push", "stop"))
    assert tokens.values.shape == (3, 2, 2, 12)


def test_the_instruction_changes_what_is_found() -> None:
    torch.manual_seed(0)
    tokenizer = KeypointsTokenizerConfig(keypoints=4, channels=8).build(12)
    red, blue, again = tokenizer(shown("red", "blue", "red")).values
    assert not torch.allclose(red, blue, atol=1e-4)
    assert torch.allclose(red, again, atol=1e-6)


def test_every_frame_is_read_with_the_words_of_its_own_sample() -> None:
    tokenizer = KeypointsTokenizerConfig(keypoints=4, channels=8).build(12)
    together = tokenizer(shown("red", "blue"))
    alone = tokenizer(shown("blue"))
    assert torch.allclose(together.values[1], alone.values[0], rtol=1e-5, atol=1e-6)


def test_a_frame_that_was_not_seen_gives_invalid_tokens() -> None:
    given = shown("red", "blue")
    given["image"].valid[1, 0] = False
    tokens = KeypointsTokenizerConfig(keypoints=4, channels=8).build(12)(given)
    assert tokens.valid.flatten().tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keypoints": 5, "tokens": 2}, r"keypoints \(5\) must be a multiple of tokens \(2\)"),
        ({"keypoints": 0}, "at least 1 and channels at least 2, got 0, 1 and 64"),
        ({"tokens": 0}, "at least 1 and channels at least 2, got 32, 0 and 64"),
        ({"channels": 1}, "at least 1 and channels at least 2, got 32, 1 and 1"),
    ],
)
def test_sizes_that_do_not_work_out_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KeypointsTokenizerConfig(**settings)  # type: ignore[arg-type]
