import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import measure, models
from course_lib.models import Groups, group_points
from tests.examples import examples


def a_cloud(points, seed=0):
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randperm(32 * 32, generator=generator)[:points]
    coordinates = torch.stack([cells % 32, cells // 32], dim=1)
    return torch.randn(points, 1, generator=generator), coordinates


def test_one_group_of_all_points_is_full_attention():
    layer = models.FlatFormerLayer(8, 2, 16).eval()
    x = torch.randn(12, 8)
    _, coordinates = a_cloud(12)
    groups = group_points(coordinates, window=4, size=12)
    torch.testing.assert_close(layer(x, groups), layer.inner(x[None])[0], rtol=1e-4, atol=1e-5)


def test_attention_stays_in_its_group():
    layer = models.FlatFormerLayer(8, 2, 16).eval()
    groups = Groups(torch.arange(12).view(3, 4), torch.ones(3, 4, dtype=torch.bool))
    x = torch.randn(12, 8)
    changed = x.clone()
    changed[5] += 1
    with torch.no_grad():
        moved = (layer(changed, groups) != layer(x, groups)).any(-1)
    assert moved.nonzero().flatten().tolist() == [4, 5, 6, 7]


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
@examples(10)
def test_clouds_do_not_see_each_other_and_points_have_no_order(first, second, seed):
    model = models.small_flatformer().eval()
    clouds = [a_cloud(first, seed), a_cloud(second, seed + 1)]
    features, coordinates = (torch.cat(parts) for parts in zip(*clouds, strict=True))
    cloud = torch.cat([torch.zeros(first, dtype=torch.long), torch.ones(second, dtype=torch.long)])
    order = torch.randperm(first + second, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        alone = torch.cat([model(*one) for one in clouds])
        together = model(features[order], coordinates[order], cloud[order])
    assert together.shape == (2, 4)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_places_count():
    model = models.small_flatformer().eval()
    features, coordinates = a_cloud(40)
    with torch.no_grad():
        assert not torch.allclose(model(features, coordinates), model(features, coordinates.flip(0)), atol=1e-4)


def test_work_grows_with_the_number_of_groups():
    model = models.small_flatformer(size=16)
    one, four = (measure.count(model, *a_cloud(points)) for points in (16, 64))
    linear_head = 32 * 4
    assert four.macs - linear_head == 4 * (one.macs - linear_head)
    assert f"{one.parameters:,} parameters" in models.small_flatformer.__doc__


def test_gradients_reach_every_parameter():
    model = models.small_flatformer()
    model(*a_cloud(50)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
