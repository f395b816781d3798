import torch

from octoverse.readouts.denoisers.denoiser import Condition


def test_each_sample_s_condition_stands_beside_its_own() -> None:
    words = torch.arange(12.0).reshape(2, 3, 2)
    one = Condition(words, words[..., 0] < 7)
    three = one.repeat(3)
    assert torch.equal(three.words, words[[0, 0, 0, 1, 1, 1]])
    assert torch.equal(three.valid, one.valid[[0, 0, 0, 1, 1, 1]])
    assert one.repeat(1) is one
