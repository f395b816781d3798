import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.calibration import CalibrationTokenizerConfig


def given(b: int = 3, t: int = 2) -> StreamBatch:
    torch.manual_seed(0)
    return StreamBatch(torch.randn(b, t, 16), torch.ones(b, t, dtype=torch.bool))


def test_a_camera_becomes_one_token_in_each_step() -> None:
    config = CalibrationTokenizerConfig()
    tokens = config.build(8)({"calibration": given()})
    assert tokens.values.shape == (3, 2, config.tokens, 8) == (3, 2, 1, 8)
    assert tokens.valid.all()


def test_every_number_changes_the_token() -> None:
    torch.manual_seed(1)
    tokenizer, looks = CalibrationTokenizerConfig().build(64), given(1, 1)
    before = tokenizer({"calibration": looks}).values
    for number in range(16):
        values = looks.values.clone()
        values[..., number] += 0.5
        after = tokenizer({"calibration": StreamBatch(values, looks.valid)}).values
        assert (after - before).abs().max() > 1e-4


def test_what_is_not_known_gives_an_invalid_token_and_neighbours_do_not_matter() -> None:
    tokenizer, looks = CalibrationTokenizerConfig().build(8), given()
    looks.valid[1] = False
    tokens = tokenizer({"calibration": looks})
    assert tokens.valid[:, :, 0].tolist() == [[True, True], [False, False], [True, True]]
    alone = tokenizer({"calibration": StreamBatch(looks.values[2:], looks.valid[2:])})
    assert torch.allclose(tokens.values[2], alone.values[0], rtol=1e-5, atol=1e-6)


def test_a_stream_that_is_no_calibration_is_refused() -> None:
    state = StreamBatch(torch.zeros(1, 1, 7), torch.ones(1, 1) > 0)
    with pytest.raises(SpecMismatch, match=r"expected \(b, t, 16\), got \(1, 1, 7\)\. Give this"):
        CalibrationTokenizerConfig().build(8)({"calibration": state})
