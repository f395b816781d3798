import torch

from octoverse.readouts.query_layer import QueryLayer


def layer() -> QueryLayer:
    torch.manual_seed(0)
    return QueryLayer(16, 2).eval()


def test_what_is_not_visible_is_not_read() -> None:
    read, queries, outputs = layer(), torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    visible = torch.tensor([[True, True, False, True, False], [True] * 5])
    before = read(queries, outputs, visible)
    outputs[0, 2] = outputs[0, 4] = 99.0
    assert torch.equal(read(queries, outputs, visible), before)
    outputs[0, 1] = 99.0
    assert not torch.allclose(read(queries, outputs, visible)[0], before[0], atol=1e-3)


def test_queries_do_not_read_each_other() -> None:
    read, queries, outputs = layer(), torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    visible = torch.ones(2, 5, dtype=torch.bool)
    together = read(queries, outputs, visible)
    alone = read(queries[:, 1:2], outputs, visible)
    assert torch.allclose(together[:, 1:2], alone, atol=1e-6)


def test_where_nothing_is_visible_a_query_reads_itself() -> None:
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    queries, outputs = torch.randn(1, 3, 16), torch.randn(1, 5, 16)
    read = layer()
    for grad in (True, False):  # two paths of attention
        with torch.set_grad_enabled(grad):
            found = read(queries, outputs, nothing)
        assert found.isfinite().all()
        assert torch.allclose(found, read(queries, outputs + 1, nothing), atol=1e-6)


def test_both_paths_of_attention_give_the_same() -> None:
    read, queries, outputs = layer(), torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    visible = torch.rand(2, 5) < 0.6
    training = read(queries, outputs, visible)
    with torch.inference_mode():
        acting = read(queries, outputs, visible)
    assert torch.allclose(training, acting, atol=1e-5)
