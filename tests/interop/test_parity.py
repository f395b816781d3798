"""Octo's own numbers, made by the original implementation, come out of the imported policy.

Every array that the folder's README lists is compared, in float32, to 1e-4 of each number (to 1e-5
of the largest where a number is near zero).
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from octoverse.interop.octo_settings import OctoCamera
from octoverse.tokens import TokenGroup


def test_every_group_s_outputs_and_mask_are_octo_s(original: Any, close: Any) -> None:
    found, octo = original.run(), "full/transformer"
    tokens, masks = {}, {}
    for theirs, ours in original.names().items():
        task = theirs.startswith("task_")
        tokens[theirs] = found[ours].values[:, 0] if task else found[ours].values
        masks[theirs] = found[ours].valid[:, 0] if task else found[ours].valid
    for whole, start in (("task", "task_"), ("obs", "obs_")):
        parts = [name for name in tokens if name.startswith(start)]
        tokens[whole] = torch.cat([tokens[name] for name in parts], -2)
        masks[whole] = torch.cat([masks[name] for name in parts], -1)
    listed = {name.split("/")[2] for name in original.outputs if name.startswith(octo)}
    assert set(tokens) == listed
    for name, values in tokens.items():
        close(values, original.outputs[f"{octo}/{name}/tokens"])
        assert np.array_equal(masks[name], original.outputs[f"{octo}/{name}/mask"])


def test_the_attention_mask_is_octo_s(original: Any) -> None:
    layout, order = original.layout(), original.order()
    valid = original.trunk(original.groups(original.streams(), layout), layout).valid
    mask = (layout.mask & valid[:, None])[:, order][:, :, order]
    name = "full/intermediate/octo_transformer/BlockTransformer_0/attention_mask"
    assert np.array_equal(mask[:, None], original.outputs[name])


def test_every_intermediate_is_octo_s(original: Any, recorded: Any, close: Any) -> None:
    policy, made = original.policy, dict[str, Any]()
    with recorded(policy) as seen:
        original.run()
    names = {
        name.removeprefix("full/intermediate/octo_transformer/")
        for name in original.outputs
        if name.startswith("full/intermediate/octo_transformer/")
    }
    for camera in original.settings.cameras:
        made |= _stem(original, camera, seen)
    words: TokenGroup = seen["tokenizers.language"]
    group = f"task_{original.settings.language}"
    made[f"{group}_projection"] = seen["tokenizers.language.project"]
    made[f"task_tokenizers_{original.settings.language}/tokens"] = torch.tensor(
        original.inputs["task/language_instruction"]
    )
    made[f"task_tokenizers_{original.settings.language}/mask"] = words.valid[:, 0]
    made |= _transformer(original, seen)
    known = names - {"BlockTransformer_0/attention_mask"}
    assert known <= set(made), known - set(made)
    for name in sorted(known):
        theirs = original.outputs[f"full/intermediate/octo_transformer/{name}"]
        if theirs.dtype == bool:
            assert np.array_equal(made[name], theirs), name
        else:
            close(made[name], theirs)


def _stem(original: Any, camera: OctoCamera, seen: dict[str, Any]) -> dict[str, Any]:
    """What one image tokenizer computes, as (b w, height, width, channels)."""
    ours, theirs = f"tokenizers.image/{camera.name}", f"observation_tokenizers_{camera.name}"
    stem, made = f"{theirs}/{camera.encoder}_0", dict[str, Any]()
    for number in range(len(camera.channels)):
        made[f"{stem}/StdConv_{number}"] = seen[f"{ours}.convolutions.{number}"]
        made[f"{stem}/GroupNorm_{number}"] = seen[f"{ours}.norms.{number}"]
    made[stem] = made[f"{stem}/embedding"] = seen[f"{ours}.embed"]
    made = {name: values.permute(0, 2, 3, 1) for name, values in made.items()}
    group: TokenGroup = seen[ours]
    b, w = group.valid.shape[:2]
    made[f"{theirs}/tokens"] = made[stem].flatten(1, 2).unflatten(0, (b, w))
    made[f"obs_{camera.name}_projection"] = seen[f"{ours}.project"].unflatten(0, (b, w))
    shown = torch.tensor(original.inputs[f"observation/pad_mask_dict/image_{camera.role}"])
    made[f"{theirs}/mask"] = shown[..., None].expand(group.valid.shape)
    return made


def _transformer(original: Any, seen: dict[str, Any]) -> dict[str, Tensor]:
    """What every layer computes, in Octo's order of the sequence."""
    order, made = original.order(), dict[str, Tensor]()
    heads = (3, original.settings.heads, -1)
    root = "BlockTransformer_0/Transformer_0"
    for layer in range(original.settings.layers):
        ours, theirs = f"trunk.blocks.{layer}", f"{root}/encoderblock_{layer}"
        attention = f"{theirs}/MultiHeadDotProductAttention_0"
        parts = seen[f"{ours}.project_in"].unflatten(-1, heads).unbind(2)
        made |= {
            f"{attention}/{n}": part
            for n, part in zip(("query", "key", "value"), parts, strict=True)
        }
        made[attention] = seen[f"{ours}.project_out"]
        made[f"{theirs}/LayerNorm_0"] = seen[f"{ours}.attention_norm"]
        made[f"{theirs}/LayerNorm_1"] = seen[f"{ours}.mlp_norm"]
        made[f"{theirs}/MlpBlock_0/Dense_0"] = seen[f"{ours}.mlp.0"]
        made[f"{theirs}/MlpBlock_0/Dense_1"] = made[f"{theirs}/MlpBlock_0"] = seen[f"{ours}.mlp.2"]
        made[theirs] = seen[ours][0]
    made[f"{root}/encoder_norm"] = seen["trunk.norm"]
    return {name: values[:, order] for name, values in made.items()}


@pytest.mark.parametrize(
    ("variant", "given"),
    [
        ("no_goal", {"goal": False}),
        ("no_language", {"language": False}),
        ("no_wrist", {"wrist": False}),
        ("window1", {"frames": 1}),
    ],
)
def test_what_is_absent_is_absent_as_in_octo(
    original: Any, close: Any, variant: str, given: dict[str, Any]
) -> None:
    readout = original.run(**given)["action"].values
    close(readout, original.outputs[f"{variant}/transformer/readout_action/tokens"])


def test_the_denoiser_foresees_octo_s_noise(original: Any, close: Any) -> None:
    condition = original.condition(original.run()["action"].values)
    noised = original.chunks(original.outputs["head/step/noisy_actions"])
    for name in original.outputs:
        if name.startswith("head/step/eps_t"):
            time = torch.full((len(noised),), int(name.removeprefix("head/step/eps_t")))
            found = original.readout.denoiser(noised, time, condition)
            close(found, original.chunks(original.outputs[name]).numpy())


def test_the_noise_schedule_is_octo_s(original: Any, close: Any) -> None:
    for name in ("betas", "alphas", "alpha_hats"):
        close(getattr(original.readout.schedule, name), original.outputs[f"head/{name}"])


@pytest.mark.parametrize("numbers", [None, 5])
def test_sampled_actions_are_octo_s(
    original: Any, close: Any, monkeypatch: pytest.MonkeyPatch, numbers: int | None
) -> None:
    readout, outputs = original.readout, original.outputs
    condition = original.condition(original.run()["action"].values)
    start = original.chunks(outputs["sample/initial_noise"])
    noises = original.chunks(outputs["sample/step_noises"])
    exist = torch.arange(start.shape[-1]) < (numbers or start.shape[-1])
    along, states = readout.denoiser.along, list[Tensor]()

    def watched(times: Tensor, words: Any) -> Any:
        denoise = along(times, words)

        def step(noised: Tensor, number: int) -> Tensor:
            states.append(noised)
            return denoise(noised, number)

        return step

    monkeypatch.setattr(readout.denoiser, "along", watched)
    # The first of twenty steps divides by the root of 0.001: every rounding error of it is spread
    # over the whole chunk, whose numbers are at most 5.
    valid = None if numbers is None else exist.expand(start.shape)
    actions = readout.denoise(condition, start, noises.unbind(0), valid=valid)
    newest = actions.unflatten(0, (-1, original.frames))[:, -1]
    if numbers is None:
        close(newest, outputs["sample/actions"], of_largest=True)
        trace = original.chunks(outputs["sample/trace"]).numpy()
        close(torch.stack([*states[1:], actions]), trace, of_largest=True)
        return
    theirs = outputs["sample/actions_embodiment_dim5"]
    close(newest[..., :numbers], theirs[..., :numbers], of_largest=True)
    assert not newest[..., numbers:].any()  # Octo leaves noise there, which it cuts off later
    last = noises[-1].unflatten(0, (-1, original.frames))[:, -1, :, numbers:].numpy()
    close((1 - outputs["head/alpha_hats"][0]) ** 0.5 * last, theirs[..., numbers:])


def test_loss_and_the_gradient_of_every_parameter_are_octo_s(original: Any, close: Any) -> None:
    outputs, size = original.outputs, original.readout.shape[1]
    condition = original.condition(original.run()["action"].values)
    timely = torch.tensor(original.inputs["observation/timestep_pad_mask"])[..., None, None]
    valid = (timely & torch.tensor(original.inputs["action_pad_mask"])).flatten(0, 1)
    chunk = torch.tensor(original.inputs["action"]).flatten(0, 1)
    noise = original.chunks(outputs["loss/noise"][0])
    time = torch.tensor(outputs["loss/time"]).flatten().long()
    found = original.readout.judge(condition, chunk, valid, noise, time).total * size
    for name in ("loss/value", "loss/metric_loss", "loss/metric_mse"):
        close(found, outputs.get(name, outputs["loss/value"]))

    names, parameters = zip(*original.policy.named_parameters(), strict=True)
    gradients = dict(zip(names, torch.autograd.grad(found, parameters), strict=True))
    theirs = original.gradients
    largest = max(float(np.abs(values).max()) for values in theirs.values())
    ours = {place.flax: place.view(gradients[place.tensor]) for place in original.places}
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        if np.abs(values).max() < 1e-6 * largest:
            # Nothing but rounding, there and here: a norm or a softmax takes this bias out again.
            assert ours[name].abs().max() < 1e-6 * largest
        else:
            close(ours[name], values)
    total = sum(float(values.square().sum(dtype=torch.float64)) for values in ours.values()) ** 0.5
    expected = np.sqrt(sum(np.square(v, dtype=np.float64).sum() for v in theirs.values()))
    assert total == pytest.approx(float(outputs.get("loss/global_grad_norm", expected)), rel=1e-4)


def test_the_chunk_is_brought_to_the_body_s_units_by_octo_s_statistics(
    original: Any,
) -> None:
    told = original.policy.body_statistics["widowx"].action
    mean = [*told["arm"].mean, *told["gripper"].mean]
    offset = np.concatenate([one.scale("normal")[0] for one in told.values()])
    scale = np.concatenate([one.scale("normal")[1] for one in told.values()])
    statistics = original.statistics["action"]
    assert mean == statistics["mean"] == offset.tolist()
    assert scale.tolist() == statistics["std"]
