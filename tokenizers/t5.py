"""Turn an instruction into the outputs of a frozen T5 encoder, one token per word piece.

The encoder's weights and its vocabulary are part of the checkpoint: they came with the policy that
was trained on them, and a robot has no network to fetch them from.
Source: Raffel et al., "T5", 2020; octo-models/octo, model/components/tokenizers.py
(LanguageTokenizer: padding inside an instruction is hidden from the encoder, not from the trunk).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from octoverse.errors import BadConfig, SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Role, TokenGroup

_KEPT = 1024
"""Instructions whose outputs are kept; 50 MB at the size of T5-base."""


@dataclass(frozen=True, kw_only=True)
class T5Size:
    """Sizes of a T5 encoder."""

    layers: int
    heads: int
    head_width: int
    hidden: int
    """Width of the feed-forward layers."""
    vocabulary: int
    """Word pieces that it knows."""
    buckets: int = 32
    """Distances between tokens that it tells apart."""
    gated: bool = False
    """Whether the feed-forward layers are gated, as in T5 1.1."""


@dataclass(frozen=True, kw_only=True)
class T5TokenizerConfig:
    """Settings of T5Tokenizer."""

    tokens: int = 16
    """Word pieces of an instruction: shorter ones are padded, longer ones cut."""
    features: int = 768
    """Numbers in an output of the encoder."""
    encoder: T5Size | None = None
    """None where instructions come as the encoder's outputs."""
    vocabulary_bytes: int = 0
    """Size of the vocabulary's file; 0 where there is none, and instructions come as numbers."""

    inputs: ClassVar[tuple[str, ...]] = ("instruction",)
    role: ClassVar[Role] = "task"

    def build(self, width: int) -> "T5Tokenizer":
        """Make the tokenizer; its encoder's weights come from a checkpoint."""
        return T5Tokenizer(self, width)


class T5Tokenizer(nn.Module):
    """The frozen encoder, kept per instruction, then a linear map to the trunk's width."""

    def __init__(self, config: T5TokenizerConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = None if config.encoder is None else t5_encoder(config.encoder, config)
        self.register_buffer("vocabulary", torch.zeros(config.vocabulary_bytes, dtype=torch.uint8))
        self.project = nn.Linear(config.features, width)
        self._outputs: OrderedDict[str, Tensor] = OrderedDict()
        self._pieces: Tokenizer | None = None
        self.register_load_state_dict_post_hook(lambda module, _: module.forget())

    def forward(self, streams: Mapping[str, StreamBatch]) -> TokenGroup:
        """Read "instruction": b strings, word pieces (b, n), or the encoder's outputs (b, n, d).

        All n tokens of a real instruction are real, those of its padding too.
        """
        words = streams["instruction"]
        values = self.project(self._features(words))[:, None]  # (b, 1, n, width)
        return TokenGroup(values, words.valid[:, :1, None].expand(values.shape[:3]))

    def encode(
        self, pieces: Int[Tensor, "b n"], real: Tensor | None = None
    ) -> Float[Tensor, "b n d"]:
        """Outputs of the encoder for word pieces; piece 0 is padding unless `real` says so."""
        if self.encoder is None:
            raise SpecMismatch(
                "This policy has no T5 encoder: give the encoder's outputs, a float tensor "
                f"(b, {self.config.tokens}, {self.config.features}), instead of word pieces."
            )
        mask = (pieces != 0) if real is None else real.bool()
        # A training of mixed precision must see what the server sees.
        with torch.inference_mode(False), torch.no_grad():
            with torch.autocast(pieces.device.type, enabled=False):
                found = self.encoder(input_ids=pieces, attention_mask=mask.long())
                return found.last_hidden_state

    def pieces(self, instructions: Sequence[str]) -> Int[Tensor, "b n"]:
        """Word pieces of b strings, padded with 0 to n.

        Raises:
            SpecMismatch: if the checkpoint has no vocabulary.
        """
        if self._pieces is None:
            self._pieces = self._vocabulary()
        found = self._pieces.encode_batch(list(instructions))
        return torch.tensor([one.ids for one in found], device=self.project.weight.device)

    def forget(self) -> None:
        """Drop what is kept of instructions, since the weights are others now."""
        self._outputs.clear()
        self._pieces = None

    def train(self, mode: bool = True) -> "T5Tokenizer":
        """Train or not; the encoder stays as it is, without dropout."""
        super().train(mode)
        if self.encoder is not None:
            self.encoder.eval()
        return self

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "T5Tokenizer":
        self.forget()  # what is kept is where the weights were
        return super()._apply(fn, recurse)

    def _features(self, words: StreamBatch) -> Float[Tensor, "b n d"]:
        given, config = words.values, self.config
        if isinstance(given, Tensor):
            shape = (config.tokens, config.features)[: given.ndim - 1]
            if given.ndim not in (2, 3) or given.shape[1:] != shape:
                raise SpecMismatch(
                    f"instruction: expected word pieces (b, {config.tokens}) or outputs of the "
                    f"encoder (b, {config.tokens}, {config.features}), got {tuple(given.shape)}."
                )
            return given.float() if given.ndim == 3 else self.encode(given)
        real = [text for text, ok in zip(given, words.valid[:, 0].tolist(), strict=True) if ok]
        new = [text for text in dict.fromkeys(real) if text not in self._outputs]
        if new:
            self._outputs |= zip(new, self.encode(self.pieces(new)), strict=True)
        absent = self.project.weight.new_zeros(config.tokens, config.features)
        found = torch.stack([self._outputs.get(text, absent) for text in given])
        for text in real:
            self._outputs.move_to_end(text)
        while len(self._outputs) > _KEPT:
            self._outputs.popitem(last=False)
        return found

    def _vocabulary(self) -> Tokenizer:
        if not self.config.vocabulary_bytes:
            raise SpecMismatch(
                "This policy cannot read words: its checkpoint has no vocabulary. Import it again "
                "with the folder of its tokenizer (octoverse import octo ... --tokenizer FOLDER)."
            )
        stored = self.get_buffer("vocabulary").to(torch.uint8).cpu().numpy().tobytes()
        found = Tokenizer.from_str(stored.decode())
        found.enable_truncation(self.config.tokens)
        found.enable_padding(length=self.config.tokens, pad_id=0)
        return found


def t5_encoder(size: T5Size, config: T5TokenizerConfig) -> nn.Module:
    """A frozen T5 encoder with fresh weights."""
    from transformers import T5Config, T5EncoderModel

    kind = "gated-gelu" if size.gated else "relu"
    settings = T5Config(
        vocab_size=size.vocabulary,
        d_model=config.features,
        d_kv=size.head_width,
        d_ff=size.hidden,
        num_layers=size.layers,
        num_heads=size.heads,
        relative_attention_num_buckets=size.buckets,
        feed_forward_proj=kind,
    )
    # The stack alone: the whole model would name its table of word pieces twice.
    stack: nn.Module = T5EncoderModel(settings).encoder
    return stack.eval().requires_grad_(False)


def vocabulary_bytes(text: str) -> Tensor:
    """The text of a tokenizer.json as a checkpoint keeps it, uint8 (n,).

    Raises:
        BadConfig: if piece 0 is not what T5 pads with.
    """
    if Tokenizer.from_str(text).token_to_id("<pad>") != 0:
        raise BadConfig(
            "expected a vocabulary of T5, whose word piece 0 is '<pad>', got another. "
            "Give the tokenizer that the encoder was trained with."
        )
    return torch.from_numpy(np.frombuffer(text.encode(), np.uint8).copy())
