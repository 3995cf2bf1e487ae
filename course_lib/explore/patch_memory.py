"""Memory per layer with and without patches, against a microcontroller's SRAM, and what the patches compute twice."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.microcontroller import BOARDS, Board, Network, PatchStage, Schedule, describe_mobilenet_v2

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["PatchProfile", "draw_patch_memory", "patch_memory", "patch_profile", "stage_ends"]

_KIB = 1024


@dataclass(frozen=True)
class PatchProfile:
    """What one way of running a network takes.

    whole, patched  bytes in use while each layer runs, int64 [layers], without and with patches.
    overhead        multiply-accumulates added to the stage, and to the whole network, as shares.
    tile            height and width of the part of the image that a patch reads at most.
    """

    whole: np.ndarray
    patched: np.ndarray
    overhead: tuple[float, float]
    tile: tuple[int, int]


def stage_ends(network: Network) -> list[int]:
    """After how many layers a patch stage can end."""
    ends = []
    for end in range(1, len(network.layers) + 1):
        with contextlib.suppress(ValueError):
            PatchStage(network, end, (2, 2))
            ends.append(end)
    return ends


def patch_profile(network: Network, patches: int, end: int, in_place: bool = True) -> PatchProfile:
    """Run the first `end` layers of a network in patches x patches parts; the output must have as many rows."""
    stage = PatchStage(network, end, (patches, patches))
    return PatchProfile(
        Schedule(network, in_place=in_place).bytes_per_step(),
        Schedule(network, in_place=in_place, patches=stage).bytes_per_step(),
        (stage.overhead, stage.network_overhead),
        stage.largest_input(),
    )


def draw_patch_memory(
    network: Network,
    board: Board,
    patches: int,
    end: int,
    in_place: bool,
    ends: list[int],
    profile: Callable[[Network, int, int, bool], PatchProfile] = patch_profile,
) -> bytes:
    """A PNG: memory of every layer, and peak and overhead for every end of the stage at this number of patches.

    profile  `patch_profile`, or a function that remembers what it returned.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 3.9), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    possible = [each for each in ends if min(network.shapes[each][:2]) >= patches]
    profiles = {each: profile(network, patches, each, in_place) for each in possible}
    _draw_layers(left, network, board, profiles[end], patches, end)
    _draw_ends(right, board, profiles, end)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw_layers(axes: Any, network: Network, board: Board, profile: PatchProfile, patches: int, end: int) -> None:
    layers = np.arange(1, len(network.layers) + 1)
    axes.axvspan(0.5, end + 0.5, color="0.93", zorder=0)
    axes.bar(layers, profile.whole / _KIB, 0.9, color="#56B4E9", label="whole")
    axes.bar(layers, profile.patched / _KIB, 0.55, color="#0072B2", label=f"{patches} x {patches} patches")
    axes.axhline(board.sram / _KIB, color="#D55E00", linestyle="--", label=f"SRAM of {board.name}")
    peak, before = profile.patched.max(), profile.whole.max()
    verdict = "fits" if peak <= board.sram else "does not fit"
    axes.set_title(
        f"peak {before / _KIB:,.0f} KiB whole, {peak / _KIB:,.0f} KiB in patches: {verdict}", fontsize=10, loc="left"
    )
    axes.set_xlabel(f"layer (grey: patch stage; a patch reads {profile.tile[0]} x {profile.tile[1]} pixels)")
    axes.set_ylabel("memory in use, KiB")
    axes.legend(fontsize=8, frameon=False)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)


def _draw_ends(axes: Any, board: Board, profiles: dict[int, PatchProfile], end: int) -> None:
    ends = list(profiles)
    peaks = [profile.patched.max() / _KIB for profile in profiles.values()]
    added = [100 * profile.overhead[1] for profile in profiles.values()]
    axes.plot(ends, peaks, "o-", color="#0072B2", markersize=4)
    axes.axhline(board.sram / _KIB, color="#D55E00", linestyle="--")
    axes.axvline(end, color="0.7", linewidth=6, alpha=0.5, zorder=0)
    axes.set_ylim(0, None)
    axes.set_xlabel("layers in the patch stage")
    axes.set_ylabel("peak, KiB", color="#0072B2")
    other = axes.twinx()
    other.plot(ends, added, "s-", color="#009E73", markersize=4)
    other.set_ylim(0, max(5.0, 1.1 * max(added)))
    other.set_ylabel("MACs added, % of the network", color="#009E73")
    stage, network = profiles[end].overhead
    axes.set_title(f"MACs: stage +{stage:.0%}, network +{network:.1%}", fontsize=10, loc="left")


def patch_memory(network: Network | None = None, board: Board = BOARDS[3], most_layers: int = 20) -> widgets.VBox:
    """Sliders for the number of patches and the end of the patch stage.

    network      None takes MobileNetV2 for 224x224 images.
    board        whose SRAM is drawn.
    most_layers  the longest patch stage to offer.
    """
    import ipywidgets as widgets

    network = network or describe_mobilenet_v2()
    profile = functools.cache(patch_profile)  # a redraw needs one for every end of the stage
    ends = [end for end in stage_ends(network) if end <= most_layers]
    small = min(min(network.shapes[end][:2]) for end in ends)
    settings = {"continuous_update": False, "style": {"description_width": "initial"}}
    patches = widgets.IntSlider(
        description="patches per side", min=1, max=min(8, small), value=min(4, small), **settings
    )
    start = min(ends, key=lambda end: (profile(network, patches.value, end, True).patched.max(), end))
    stage = widgets.SelectionSlider(description="layers in the stage", options=ends, value=start, **settings)
    in_place = widgets.Checkbox(description="depthwise in place", value=True)
    view = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))

    def redraw(_: object = None) -> None:
        view.value = draw_patch_memory(network, board, patches.value, stage.value, in_place.value, ends, profile)

    for control in (patches, stage, in_place):
        control.observe(redraw, "value")
    redraw()
    return widgets.VBox([widgets.HBox([patches, stage, in_place]), view])
