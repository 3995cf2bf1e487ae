"""FlatFormer: attention within equal groups of sparse points (Liu et al., "FlatFormer: flattened window attention for
efficient point cloud transformer", 2023). The grouping is in course_lib/models/point_groups.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.models.point_groups import Groups, group_points
from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import AttentionFactory, NormFactory, TorchAttention, TransformerLayer

__all__ = ["FlatFormer", "FlatFormerLayer", "small_flatformer"]


class FlatFormerLayer(nn.Module):
    """A transformer layer (post-norm) whose attention stays within each group. [P, width] to [P, width].

    width, heads, hidden, attention, norm  as in TransformerLayer; the mask is always None. Fillers are seen as keys, as
    in the paper: they lend a group that is not full points of the one before.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        attention: AttentionFactory = TorchAttention,
        norm: NormFactory = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.inner = TransformerLayer(width, heads, hidden, attention=attention, norm=norm, norm_first=False)

    def forward(self, features: Tensor, groups: Groups) -> Tensor:
        return groups.scatter(self.inner(groups.gather(features)))


class FlatFormer(nn.Module):
    """A classifier of point clouds: each layer groups anew, by x, by x shifted, by y, by y shifted, and so on.

    in_features  numbers per point.
    cells        height and width of the map; coordinates are below it.
    width, layers, heads, hidden  of the transformer.
    window, size  of the grouping, see group_points.
    attention, norm  make every layer's attention and normalisation, see course_lib/models/transformer_layer.py.

    Called with features float [P, in_features], coordinates int64 [P, 2] (column, row) and cloud int64 [P], which
    numbers each point's cloud from 0 with none left out (None: one cloud); returns logits [clouds, num_classes], the
    mean over a cloud's points. Positions are learned from the coordinates and added once, before the first layer; the
    paper adds sinusoids to every layer's queries and keys.
    """

    def __init__(
        self,
        in_features: int,
        cells: int,
        num_classes: int,
        *,
        width: int = 128,
        layers: int = 8,
        heads: int = 8,
        hidden: int = 256,
        window: int = 9,
        size: int = 69,
        attention: AttentionFactory = TorchAttention,
        norm: NormFactory = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.cells, self.window, self.size = cells, window, size
        self.embed = nn.Linear(in_features, width)
        self.positions = nn.Sequential(nn.Linear(2, width), nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(
            FlatFormerLayer(width, heads, hidden, attention=attention, norm=norm) for _ in range(layers)
        )
        self.head = nn.Linear(width, num_classes)

    def forward(self, features: Tensor, coordinates: Tensor, cloud: Tensor | None = None) -> Tensor:
        if cloud is None:
            cloud = torch.zeros_like(coordinates[:, 0])
        x = self.embed(features) + self.positions(2 * coordinates.to(features.dtype) / self.cells - 1)
        ways = [
            group_points(coordinates, window=self.window, size=self.size, axis=axis, shift=shift, cloud=cloud)
            for axis in ("x", "y")
            for shift in (False, True)
        ]
        for number, layer in enumerate(self.layers):
            x = layer(x, ways[number % len(ways)])
        counts = torch.bincount(cloud)
        sums = x.new_zeros(len(counts), x.shape[1]).index_add(0, cloud, x)
        return self.head(sums / counts[:, None])


@architecture
def small_flatformer(
    num_classes: int = 4,
    in_features: int = 1,
    cells: int = 32,
    *,
    window: int = 8,
    size: int = 16,
    attention: AttentionFactory = TorchAttention,
) -> FlatFormer:
    """The labs' FlatFormer, four layers of width 32 for clouds of some hundred points: 35,524 parameters."""
    return FlatFormer(
        in_features,
        cells,
        num_classes,
        attention=attention,
        width=32,
        layers=4,
        heads=4,
        hidden=64,
        window=window,
        size=size,
    )
