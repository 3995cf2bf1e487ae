import torch

from course_lib import models


def test_rows_sum_to_one_and_layers_have_names():
    model = models.small_vit(layers=2, heads=2)
    maps = models.attention_weights(model, torch.rand(3, 3, 32, 32))
    assert list(maps) == [f"encoder.layers.encoder_layer_{i}.self_attention" for i in range(2)]
    for weights in maps.values():
        assert weights.shape == (3, 2, 65, 65)
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 65))


def test_causal_maps_are_lower_triangles():
    maps = models.attention_weights(models.small_gpt(), torch.randint(256, (2, 9)))
    assert len(maps) == 2
    assert all(torch.equal(weights > 0, torch.ones_like(weights).tril().bool()) for weights in maps.values())


def test_equal_keys_get_equal_weights_and_the_output_agrees():
    layer = models.TorchAttention(8, 2)
    x = torch.randn(1, 3, 8)
    [weights] = models.attention_weights(layer, x, x[:, :1].expand(1, 5, 8), x[:, :1].expand(1, 5, 8)).values()
    torch.testing.assert_close(weights, torch.full((1, 2, 3, 5), 0.2))


def test_an_encoder_decoder_has_three_kinds():
    maps = models.attention_weights(models.small_t5(layers=1), torch.randint(256, (1, 7)), torch.randint(256, (1, 4)))
    assert {name: tuple(weights.shape[2:]) for name, weights in maps.items()} == {
        "encoder.0.self_attention": (7, 7),
        "decoder.0.self_attention": (4, 4),
        "decoder.0.cross_attention": (4, 7),
    }


def test_the_model_is_left_as_it_was():
    model = models.small_gpt()
    model.layers[0].eval()
    modes = [module.training for module in model.modules()]
    models.attention_weights(model, torch.randint(256, (1, 4)))
    assert [module.training for module in model.modules()] == modes
    assert all(layer.self_attention.watch is None for layer in model.layers)
