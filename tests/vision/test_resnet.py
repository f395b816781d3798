"""The numbers of a BasicBlock network are checked against plain numpy, written here."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from octoverse.vision.frozen_norm import FrozenBatchNorm
from octoverse.vision.resnet import BLOCKS, Depth, Norm, ResNet, modulated, normalised


def pictures(count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


def network(depth: Depth = 18, norm: Norm = "frozen_batch", channels: int = 16) -> ResNet:
    """One whose norms scale and shift, as trained ones do."""
    torch.manual_seed(0)
    made = ResNet(depth, norm=norm, channels=channels).eval()
    for module in made.modules():
        if isinstance(module, FrozenBatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
    return made


def convolve(x: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
    side = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
    views = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return np.einsum("bchwij,ocij->bohw", views[:, :, ::stride, ::stride], weight)


def by_hand(state: dict[str, np.ndarray], x: np.ndarray, blocks: tuple[int, ...]) -> np.ndarray:
    def step(x: np.ndarray, convolution: str, norm: str, stride: int = 1) -> np.ndarray:
        x = convolve(x, state[f"{convolution}.weight"], stride)
        mean, variance, weight, bias = (
            state[f"{norm}.{name}"][:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    x = np.maximum(step(x, "conv1", "bn1", 2), 0)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    x = views[:, :, ::2, ::2].max((-1, -2))
    for stage, count in enumerate(blocks, 1):
        for number in range(count):
            name = f"layer{stage}.{number}"
            stride = 2 if stage > 1 and number == 0 else 1
            skip = x
            if f"{name}.downsample.0.weight" in state:
                skip = step(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            y = np.maximum(step(x, f"{name}.conv1", f"{name}.bn1", stride), 0)
            x = np.maximum(step(y, f"{name}.conv2", f"{name}.bn2") + skip, 0)
    return x


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("depth", [18, 26, 34])
def test_the_feature_map_is_that_of_the_formula(depth: Depth, learning: bool) -> None:
    net, images = network(depth), normalised(pictures(1, 64, 96))
    state = {name: value.double().numpy() for name, value in net.state_dict().items()}
    expected = by_hand(state, images.double().numpy(), BLOCKS[depth])
    with torch.set_grad_enabled(learning):
        found = net.features(images).detach()
    assert found.shape == (1, net.channels, 2, 3) == expected.shape
    assert np.allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4 * expected.max())


@pytest.mark.parametrize(("depth", "millions"), [(18, 11.167), (34, 21.268)])
def test_it_has_as_many_parameters_as_the_published_network(depth: Depth, millions: float) -> None:
    """Published 11.690 M and 21.798 M, less the classifier's .513 M and the norms' .010 or .017."""
    with torch.device("meta"):
        net = ResNet(depth)
    assert round(sum(weight.numel() for weight in net.parameters()) / 1e6, 3) == millions


def test_trained_weights_of_torchvision_s_names_load() -> None:
    """Names of its resnet18, written down from its source; strict, with what it has besides."""
    norm = {"weight": (), "bias": (), "running_mean": (), "running_var": ()}
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.weight": torch.zeros(1000, 512)}
    state["fc.bias"] = torch.zeros(1000)

    def add_norm(name: str, channels: int) -> None:
        state.update({f"{name}.{part}": torch.rand(channels) for part in norm})
        state[f"{name}.num_batches_tracked"] = torch.tensor(5)

    add_norm("bn1", 64)
    before = 64
    for stage in range(1, 5):
        after = 32 * 2**stage
        for block in range(2):
            name = f"layer{stage}.{block}"
            state[f"{name}.conv1.weight"] = torch.zeros(after, before, 3, 3)
            state[f"{name}.conv2.weight"] = torch.zeros(after, after, 3, 3)
            add_norm(f"{name}.bn1", after)
            add_norm(f"{name}.bn2", after)
            if block == 0 and stage > 1:
                state[f"{name}.downsample.0.weight"] = torch.zeros(after, before, 1, 1)
                add_norm(f"{name}.downsample.1", after)
            before = after
    net = ResNet(18)
    net.load_state_dict(state, strict=True)
    assert torch.equal(net.bn1.get_buffer("running_var"), state["bn1.running_var"])
    with pytest.raises(RuntimeError, match=r"layer2\.0\.conv1\.weight"):
        net.load_state_dict({k: v for k, v in state.items() if k != "layer2.0.conv1.weight"})


@pytest.mark.parametrize("norm", ["frozen_batch", "group"])
def test_an_image_s_features_do_not_depend_on_its_neighbours(norm: Norm) -> None:
    net, images = network(norm=norm), normalised(pictures(3))
    together = net.features(images)
    for i in range(3):
        alone = net.features(images[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_kept_weights_follow_every_change_of_their_sources() -> None:
    net, images = network(), normalised(pictures())

    def fresh() -> Tensor:
        """What weights folded just now give."""
        with torch.enable_grad():
            return net.features(images).detach()

    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: net.conv1.weight.mul_(1.5),
        lambda: net.load_state_dict(network(channels=16).state_dict()),
        lambda: net.bn1.get_buffer("running_var").mul_(2),
        lambda: net.to(torch.float64).to(torch.float32),
        lambda: net.load_state_dict({k: v * 0.9 for k, v in net.state_dict().items()}, assign=True),
    ]
    before = torch.zeros(())
    for number, change in enumerate(changes):
        change()
        after = net.features(images)
        assert torch.allclose(after, fresh(), rtol=1e-4, atol=1e-5)
        assert torch.equal(after, net.features(images))
        if number not in (0, 4):
            assert not torch.allclose(after, before, rtol=1e-3)
        before = after


def test_kept_weights_stay_out_of_checkpoints_and_copies() -> None:
    net, images = network(), normalised(pictures(1))
    names = set(net.state_dict())
    with torch.inference_mode():
        found = net.features(images)
        other = copy.deepcopy(net)
        other.conv1.weight.zero_()
        assert set(net.state_dict()) == names
        assert torch.equal(net.features(images), found)
        assert not torch.allclose(other.features(images), found, rtol=1e-3)


@pytest.mark.parametrize("norm", ["frozen_batch", "group"])
def test_bfloat16_is_near(norm: Norm) -> None:
    net, images = network(norm=norm), normalised(pictures(1))
    with torch.inference_mode():
        exact = net.features(images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = net.features(images)
        assert torch.equal(net.features(images), exact)
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_the_frozen_norm_never_learns_and_the_convolutions_do() -> None:
    net, images = network(), normalised(pictures(1))
    norms = {name: value.clone() for name, value in net.named_buffers()}
    net.train().features(images).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in net.parameters())
    assert all(torch.equal(value, norms[name]) for name, value in net.named_buffers())


@pytest.mark.parametrize("norm", ["frozen_batch", "group"])
@pytest.mark.parametrize("depth", [18, 34])
def test_random_weights_neither_blow_up_nor_fade(depth: Depth, norm: Norm) -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        spread = ResNet(depth, norm=norm, channels=32).features(normalised(pictures(4))).std()
    assert 0.1 < spread < 3


def test_film_changes_the_answer_of_its_block_alone() -> None:
    net, images = network(), normalised(pictures())
    with torch.inference_mode():
        plain = net.features(images)
        zeros = [torch.zeros(2, c) for c in net.block_channels]
        same = net.features(images, [modulated(zero, zero) for zero in zeros])
        assert torch.equal(same, plain)
        # Scale -1 takes the answer away: the last block's skip remains.
        films = [modulated(zero, zero) for zero in zeros]
        films[-1] = modulated(-torch.ones(2, net.channels), zeros[-1])
        shorter = copy.deepcopy(net)
        shorter.layer4 = nn.Sequential(*list(net.layer4)[:-1])
        assert torch.allclose(net.features(images, films), shorter.features(images))


def test_film_of_one_image_leaves_the_other_as_it_was() -> None:
    net, images = network(norm="group"), normalised(pictures())
    scale = [torch.stack([torch.zeros(c), torch.full((c,), 0.5)]) for c in net.block_channels]
    with torch.inference_mode():
        plain = net.features(images)
        found = net.features(images, [modulated(one, 0 * one) for one in scale])
    assert torch.equal(found[0], plain[0])
    assert not torch.allclose(found[1], plain[1], rtol=1e-2)


def test_images_are_shown_as_imagenet_s_were() -> None:
    image = torch.tensor([0, 128, 255], dtype=torch.uint8).expand(1, 2, 2, 3)
    found = normalised(image)
    expected = torch.tensor([-0.485 / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    assert torch.allclose(found, expected.reshape(1, 3, 1, 1).expand(1, 3, 2, 2), atol=1e-6)
    assert normalised(pictures()).is_contiguous(memory_format=torch.channels_last)


def test_settings_that_make_no_network_are_refused() -> None:
    with pytest.raises(
        ValueError, match="channels must be a multiple of 16 and at least 16, got 8"
    ):
        ResNet(channels=8)
    with pytest.raises(ValueError, match="film must hold one for each of 8 blocks, got 1"):
        network().features(normalised(pictures()), [lambda x: x])
