"""One C program for one network: constants as arrays, one arena, loops with their sizes written in (TinyEngine's idea).

An interpreter carries code for every case and reads at run time what each layer is. A generator knows the network: it
writes only the loops that are needed, with sizes that the compiler sees, and plans the memory before anything runs
(Lin et al., 2020, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from course_lib.microcontroller.arrange import Arrangement
from course_lib.microcontroller.c_kernels import HELPERS, INDEX, body
from course_lib.microcontroller.int8_network import Int8Network
from course_lib.microcontroller.patches import Window
from course_lib.microcontroller.schedule import Schedule

__all__ = ["GeneratedC", "generate"]

_WINDOW_NAMES = ("IT", "IL", "IH", "IW", "JT", "JL", "JH", "JW", "T0", "T1", "L0", "L1", "OT", "OL", "OH", "OW")


@dataclass(frozen=True, eq=False)
class GeneratedC:
    """A program and what it was made from.

    source       C; its one public function is `void run(int8_t *arena, const int8_t *image, int8_t *result)`.
    arrangement  where the schedule's buffers lie in the arena; `arrangement.size` is the arena's size.
    layout       order of the image's and all tensors' numbers in memory.
    """

    source: str
    network: Int8Network
    schedule: Schedule
    arrangement: Arrangement
    layout: str


def generate(
    network: Int8Network,
    schedule: Schedule | None = None,
    *,
    layout: Literal["HWC", "CHW"] = "HWC",
    specialise: bool = True,
    unroll: bool = False,
) -> GeneratedC:
    """Write the program.

    schedule    how it runs; None takes `Schedule(network.network)`, in place and whole.
    specialise  sizes stand in the loops; otherwise each layer reads its sizes from an array, as an interpreter does.
    unroll      see `c_kernels.body`; needs `specialise`.

    Raises ValueError if the parts do not fit together.
    """
    schedule = schedule or Schedule(network.network)
    if schedule.network is not network.network:
        raise ValueError("the schedule belongs to another network")
    if unroll and not specialise:
        raise ValueError("unroll=True writes sizes into the code: it needs specialise=True")
    if layout not in INDEX:
        raise ValueError(f'layout is "HWC" or "CHW", not {layout!r}')
    writer = _Writer(network, schedule, layout, specialise, unroll)
    layers = "\n".join(writer.layer(number) for number in range(len(network.layers)))
    source = "\n".join([HELPERS, INDEX[layout], layers, writer.windows_table(), writer.run()])
    return GeneratedC(source, network, schedule, writer.arrangement, layout)


class _Writer:
    def __init__(self, network: Int8Network, schedule: Schedule, layout: str, specialise: bool, unroll: bool) -> None:
        self.int8, self.network, self.schedule = network, network.network, schedule
        self.layout, self.specialise, self.unroll = layout, specialise, unroll
        self.arrangement = schedule.arrange()
        self.tiles = schedule.patches.windows if schedule.patches else ()

    def layer(self, number: int) -> str:
        """The constants and the function of one layer."""
        layer, constants = self.network.layers[number], self.int8.layers[number]
        arrays = []
        if constants.weight is not None:
            arrays.append(_array("int8_t", f"weight_{number}", constants.weight))
            arrays.append(_array("int32_t", f"bias_{number}", self._bias(number)))
        arrays.append(_array("int32_t", f"multiplier_{number}", constants.multiplier))
        arrays.append(_array("int8_t", f"shift_{number}", constants.shift))
        names = ["weight", "bias"] if constants.weight is not None else []
        types = {"weight": "int8_t", "bias": "int32_t", "multiplier": "int32_t", "shift": "int8_t"}
        prologue = "".join(
            f"  const {types[name]} *const {name} = {name}_{number};\n" for name in [*names, "multiplier", "shift"]
        )
        in_place = self.schedule.runs_in_place(number)
        code = body(
            layer.kind,
            layout=self.layout,
            kernel=layer.kernel,
            channels=self.network.shapes[number + 1][2],
            in_place=in_place,
            im2col=self.schedule.im2col,
            unroll=self.unroll,
        )
        if not self.specialise:
            code = code.replace("enum { LENGTH = K * K * CI };", "const int LENGTH = K * K * CI;")
        alone = "" if in_place else " restrict"
        return (
            "\n".join(arrays)
            + f"\nstatic void layer_{number}(const int8_t *{alone} in, const int8_t *in2, int8_t *{alone} out, "
            + "int8_t *scratch, const int *p, const int *w) {\n"
            + self._sizes(number)
            + prologue
            + "  (void)in2; (void)scratch; (void)p; (void)w; (void)multiplier; (void)shift;\n"
            + code
            + "}\n"
        )

    def _uses_raw_numbers(self, number: int) -> bool:
        """Whether the loops leave the zero point to the bias."""
        layer = self.network.layers[number]
        return layer.kind == "pointwise" or (layer.kind == "conv" and self.schedule.im2col and layer.kernel > 1)

    def _bias(self, number: int) -> np.ndarray:
        constants = self.int8.layers[number]
        assert constants.weight is not None and constants.bias is not None
        if not self._uses_raw_numbers(number):
            return constants.bias
        sums = constants.weight.reshape(len(constants.weight), -1).astype(np.int64).sum(1)
        return (constants.bias - constants.zeros[0] * sums).astype(np.int32)

    def _constants(self, number: int) -> dict[str, int]:
        layer, constants = self.network.layers[number], self.int8.layers[number]
        (height, width, c_in), c_out = self.network.in_shape(number), self.network.shapes[number + 1][2]
        sizes = {"H": height, "W": width, "CI": c_in, "CO": c_out, "K": layer.kernel, "S": layer.stride}
        zeros = {"ZERO": constants.zeros[0], "ZERO2": constants.zeros[-1], "OUT_ZERO": constants.zero}
        return sizes | {"P": layer.padding} | zeros | {"LOW": constants.low}

    def _windows(self, number: int, tile: list[Window] | None) -> list[int]:
        """The values of _WINDOW_NAMES for a layer: of the whole maps, or of one patch's tiles."""
        layer = self.network.layers[number]

        def held(tensor: int) -> list[int]:  # what part of a tensor its buffer holds
            height, width, _ = self.network.shapes[tensor]
            if tile is None or tensor in (0, self.schedule.stage_end):
                return [0, 0, height, width]
            return [tile[tensor].top, tile[tensor].left, tile[tensor].height, tile[tensor].width]

        height, width, _ = self.network.shapes[number + 1]
        made = tile[number + 1] if tile else Window(0, height, 0, width)
        loops = [made.top, made.bottom, made.left, made.right]
        return [*held(layer.inputs[0]), *held(layer.inputs[-1]), *loops, *held(number + 1)]

    def _sizes(self, number: int) -> str:
        """Definitions of all names that the loops use: known to the compiler, or read at run time."""
        constants = self._constants(number)
        tiled = number < self.schedule.stage_end
        if not self.specialise:
            fixed = "".join(f"  const int {name} = p[{place}];\n" for place, name in enumerate(constants))
        else:
            fixed = "  enum { " + ", ".join(f"{name} = {value}" for name, value in constants.items()) + " };\n"
        if tiled or not self.specialise:
            moving = "".join(f"  const int {name} = w[{place}];\n" for place, name in enumerate(_WINDOW_NAMES))
        else:
            pairs = zip(_WINDOW_NAMES, self._windows(number, None), strict=True)
            moving = "  enum { " + ", ".join(f"{name} = {value}" for name, value in pairs) + " };\n"
        unused = "".join(f" (void){name};" for name in (*constants, *_WINDOW_NAMES))
        return fixed + moving + " " + unused + "\n"

    def windows_table(self) -> str:
        """What the layers read at run time: windows of tiles, and without specialisation all sizes."""
        end, count = self.schedule.stage_end, len(self.network.layers)
        tables = []
        if self.tiles:
            values = np.array([[self._windows(number, tile) for number in range(end)] for tile in self.tiles])
            tables.append(_array("int", "tiles", values, nested=True))
        if not self.specialise:
            whole = np.array([self._windows(number, None) for number in range(count)])
            tables.append(_array("int", "whole", whole, nested=True))
            fixed = np.array([list(self._constants(number).values()) for number in range(count)])
            tables.append(_array("int", "parameters", fixed, nested=True))
        return "\n".join(tables)

    def run(self) -> str:
        """The function that runs all layers."""
        copy = f"  memcpy({self._address(0)}, image, {self.network.sizes[0]});\n" if self._held(0) else ""
        staged = ""
        if self.tiles:
            calls = "".join(self._call(number, f"tiles[t][{number}]") for number in range(self.schedule.stage_end))
            staged = f"  for (int t = 0; t < {len(self.tiles)}; t++) {{\n{calls}  }}\n"
        rest = "".join(
            self._call(number, "0" if self.specialise else f"whole[{number}]")
            for number in range(self.schedule.stage_end, len(self.network.layers))
        )
        final = len(self.network.layers)
        finish = f"  memcpy(result, {self._address(final)}, {self.network.sizes[final]});\n"
        return f"void run(int8_t *arena, const int8_t *image, int8_t *result) {{\n{copy}{staged}{rest}{finish}}}\n"

    def _held(self, tensor: int) -> bool:
        return self.schedule.holder[tensor] is not None

    def _address(self, tensor: int) -> str:
        holder = self.schedule.holder[tensor]
        return "image" if holder is None else f"arena + {self.arrangement.offsets[holder]}"

    def _call(self, number: int, windows: str) -> str:
        inputs, scratch = self.network.layers[number].inputs, self.schedule.scratch[number]
        parameters = "0" if self.specialise else f"parameters[{number}]"
        place = "0" if scratch is None else f"arena + {self.arrangement.offsets[scratch]}"
        addresses = ", ".join(self._address(tensor) for tensor in (inputs[0], inputs[-1], number + 1))
        return f"  layer_{number}({addresses}, {place}, {parameters}, {windows});\n"


def _array(kind: str, name: str, values: np.ndarray, *, nested: bool = False) -> str:
    """A constant array, flat or with the axes of `values`."""
    values = np.asarray(values) if nested else np.asarray(values).reshape(-1)
    inner = "".join(f"[{length}]" for length in values.shape[1:])
    numbers = str(values.tolist()).replace(" ", "").replace("[", "{").replace("]", "}")
    return f"static const {kind} {name}[]{inner} = {numbers};"
