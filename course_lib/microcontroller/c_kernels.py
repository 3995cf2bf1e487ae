"""Loops in C, one body for each kind of layer, written in named sizes that the generator defines.

A body reads the window IT, IL (top, left), IH x IW of its input from `in`, and writes rows T0..T1-1 and columns
L0..L1-1 of its output into `out`, which holds the window OT, OL, OH x OW. H, W, CI and CO are sizes of the whole maps
and K, S, P the window's side, stride and padding. ZERO and OUT_ZERO are the zero points, LOW the least result.
IN and OUT turn a place of the whole map into an index.
"""

from __future__ import annotations

from course_lib.microcontroller.network import Kind

__all__ = ["HELPERS", "INDEX", "body"]

HELPERS = r"""#include <stdint.h>
#include <string.h>

static inline int8_t store(int64_t scaled, int zero, int low) {
  scaled += zero;
  return (int8_t)(scaled < low ? low : scaled > 127 ? 127 : scaled);
}
static inline int64_t scale(int32_t sum, int32_t multiplier, int shift) {
  return ((int64_t)sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
}
static inline int most(int a, int b) { return a > b ? a : b; }
static inline int least(int a, int b) { return a < b ? a : b; }
"""

INDEX = {
    "HWC": """#define IN(y, x, c) ((((y) - IT) * IW + (x) - IL) * CI + (c))
#define IN2(y, x, c) ((((y) - JT) * JW + (x) - JL) * CI + (c))
#define OUT(y, x, c) ((((y) - OT) * OW + (x) - OL) * CO + (c))
#define IN_STEP 1
""",
    "CHW": """#define IN(y, x, c) (((c) * IH + (y) - IT) * IW + (x) - IL)
#define IN2(y, x, c) (((c) * JH + (y) - JT) * JW + (x) - JL)
#define OUT(y, x, c) (((c) * OH + (y) - OT) * OW + (x) - OL)
#define IN_STEP (IH * IW)
""",
}

_STORE = "out[OUT(y, x, k)] = store(scale(sum, multiplier[k], shift[k]), OUT_ZERO, LOW);"
_EDGES = """const int top = y * S - P, left = x * S - P;
    const int u0 = most(0, -top), u1 = least(K, H - top), v0 = most(0, -left), v1 = least(K, W - left);"""
_PIXELS = "for (int y = T0; y < T1; y++) for (int x = L0; x < L1; x++)"

_CONV = f"""  {_PIXELS} {{
    {_EDGES}
    for (int k = 0; k < CO; k++) {{
      int32_t sum = bias[k];
      @TAPS@
      {_STORE}
    }}
  }}
"""
_CONV_TAP = """{
        const int8_t *a = in + IN(top + @u@, left + @v@, 0), *w = weight + ((k * K + @u@) * K + @v@) * CI;
        for (int c = 0; c < CI; c++) sum += (a[c * IN_STEP] - ZERO) * w[c];
      }"""

# Columns hold the numbers as they are, ZERO outside the map; `bias` has ZERO times the filter's sum taken off.
_IM2COL = f"""  enum {{ LENGTH = K * K * CI }};
  int waiting = 0, ys[2], xs[2];
  {_PIXELS} {{
    int8_t *column = scratch + waiting * LENGTH;
    for (int u = 0; u < K; u++) for (int v = 0; v < K; v++, column += CI) {{
      const int row = y * S - P + u, place = x * S - P + v;
      if (row < 0 || row >= H || place < 0 || place >= W) memset(column, ZERO, CI);
      else for (int c = 0; c < CI; c++) column[c] = in[IN(row, place, c) ];
    }}
    ys[waiting] = y, xs[waiting] = x, waiting++;
    if (waiting < 2 && !(y == T1 - 1 && x == L1 - 1)) continue;
    for (int k = 0; k < CO; k += @CHANNELS@) {{
      const int8_t *w = weight + k * LENGTH;
      if (waiting == 2) {{ @DOT2@ }}
      else {{ @DOT1@ }}
    }}
    waiting = 0;
  }}
"""

_POINTWISE = f"""  {_PIXELS} {{
    const int8_t *a = in + IN(y, x, 0);
    int k = 0;
    @BLOCK@
    for (; k < CO; k++) {{
      const int8_t *w = weight + k * CI;
      int32_t sum = bias[k];
      for (int c = 0; c < CI; c++) sum += a[c * IN_STEP] * w[c];
      {_STORE}
    }}
  }}
"""
_POINTWISE_BLOCK = """for (; k + 4 <= CO; k += 4) {
      const int8_t *w = weight + k * CI;
      int32_t s0 = bias[k], s1 = bias[k + 1], s2 = bias[k + 2], s3 = bias[k + 3];
      for (int c = 0; c < CI; c++, w++) {
        const int32_t number = a[c * IN_STEP];
        s0 += number * w[0], s1 += number * w[CI], s2 += number * w[2 * CI], s3 += number * w[3 * CI];
      }
      const int32_t sums[4] = {s0, s1, s2, s3};
      for (int i = 0; i < 4; i++)
        out[OUT(y, x, k + i)] = store(scale(sums[i], multiplier[k + i], shift[k + i]), OUT_ZERO, LOW);
    }"""

_DEPTHWISE = f"""  @LOOPS@ {{
    const int8_t *w = weight + k * K * K;
    {_EDGES}
    int32_t sum = bias[k];
    @TAPS@
    {_STORE}
  }}
"""
_DEPTHWISE_TAP = "sum += (in[IN(top + @u@, left + @v@, k)] - ZERO) * w[@u@ * K + @v@];"
_LOOPS = {
    "HWC": f"{_PIXELS} for (int k = 0; k < CO; k++)",
    "CHW": f"for (int k = 0; k < CO; k++) {_PIXELS}",
}

# The channel is copied with its padding, so that the output may be written over it.
_IN_PLACE = """  const int rows = (T1 - T0 - 1) * S + K, columns = (L1 - L0 - 1) * S + K;
  for (int k = 0; k < CO; k++) {
    for (int r = 0; r < rows; r++) for (int q = 0; q < columns; q++) {
      const int row = T0 * S - P + r, place = L0 * S - P + q;
      const int outside = row < 0 || row >= H || place < 0 || place >= W;
      scratch[r * columns + q] = outside ? ZERO : in[IN(row, place, k)];
    }
    const int8_t *w = weight + k * K * K;
    @LOAD@
    for (int y = T0; y < T1; y++) for (int x = L0; x < L1; x++) {
      const int8_t *a = scratch + (y - T0) * S * columns + (x - L0) * S;
      int32_t sum = bias[k];
      @TAPS@
      out[OUT(y, x, k)] = store(scale(sum, multiplier[k], shift[k]), OUT_ZERO, LOW);
    }
  }
"""

_MAX_POOL = f"""  for (int k = 0; k < CO; k++) {_PIXELS} {{
    {_EDGES}
    int8_t largest = -128;
    for (int u = u0; u < u1; u++) for (int v = v0; v < v1; v++) {{
      const int8_t number = in[IN(top + u, left + v, k)];
      if (number > largest) largest = number;
    }}
    out[OUT(y, x, k)] = largest;
  }}
"""
_AVERAGE_POOL = """  for (int k = 0; k < CO; k++) {
    int32_t sum = 0;
    for (int row = 0; row < H; row++) for (int place = 0; place < W; place++) sum += in[IN(row, place, k)] - ZERO;
    out[k] = store(scale(sum, multiplier[k], shift[k]), OUT_ZERO, LOW);
  }
"""
_LINEAR = """  for (int k = 0; k < CO; k++) {
    const int8_t *w = weight + k * H * W * CI;
    int32_t sum = bias[k];
    for (int row = 0; row < H; row++) for (int place = 0; place < W; place++) for (int c = 0; c < CI; c++)
      sum += (in[IN(row, place, c)] - ZERO) * *w++;
    out[k] = store(scale(sum, multiplier[k], shift[k]), OUT_ZERO, LOW);
  }
"""
_ADD = f"""  {_PIXELS} for (int k = 0; k < CO; k++) {{
    const int64_t total = (int64_t)(in[IN(y, x, k)] - ZERO) * multiplier[0]
                        + (int64_t)(in2[IN2(y, x, k)] - ZERO2) * multiplier[1];
    out[OUT(y, x, k)] = store((total + ((int64_t)1 << (shift[0] - 1))) >> shift[0], OUT_ZERO, LOW);
  }}
"""
_PLAIN = {"max_pool": _MAX_POOL, "average_pool": _AVERAGE_POOL, "linear": _LINEAR, "add": _ADD}


def body(kind: Kind, *, layout: str, kernel: int, channels: int, in_place: bool, im2col: bool, unroll: bool) -> str:
    """The loops of one layer.

    unroll  write the taps of a window one after the other, with no inner loops over it, and let four (im2col: two)
            output channels share each number that is loaded.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "depthwise" and in_place:
        return _in_place(kernel, unroll)
    if kind == "depthwise":
        taps = _taps(_DEPTHWISE_TAP, kernel, unroll)
        return _DEPTHWISE.replace("@LOOPS@", _LOOPS[layout]).replace("@TAPS@", taps)
    if kind == "pointwise":
        return _POINTWISE.replace("@BLOCK@", _POINTWISE_BLOCK if unroll else "")
    if im2col and kernel > 1:
        together = 2 if unroll and channels % 2 == 0 else 1
        return (
            _IM2COL.replace("@CHANNELS@", str(together))
            .replace("@DOT2@", _dot(together, 2))
            .replace("@DOT1@", _dot(together, 1))
        )
    return _CONV.replace("@TAPS@", _taps(_CONV_TAP, kernel, unroll))


def _taps(tap: str, kernel: int, unroll: bool) -> str:
    """All taps of a window: loops cut at the map's edge, or inside the map one line for each tap."""
    loops = "for (int u = u0; u < u1; u++) for (int v = v0; v < v1; v++) "
    edge = loops + tap.replace("@u@", "u").replace("@v@", "v")
    if not unroll:
        return edge
    lines = [tap.replace("@u@", str(u)).replace("@v@", str(v)) for u in range(kernel) for v in range(kernel)]
    inner = "\n        ".join(lines)
    return f"if (u1 - u0 == K && v1 - v0 == K) {{\n        {inner}\n      }} else {{ {edge} }}"


def _in_place(kernel: int, unroll: bool) -> str:
    if not unroll:
        loops = (
            "for (int u = 0; u < K; u++) for (int v = 0; v < K; v++) sum += (a[u * columns + v] - ZERO) * w[u * K + v];"
        )
        return _IN_PLACE.replace("@LOAD@", "").replace("@TAPS@", loops)
    places = [(u, v) for u in range(kernel) for v in range(kernel)]
    load = "const int32_t " + ", ".join(f"w{u}{v} = w[{u * kernel + v}]" for u, v in places) + ";"
    taps = "\n      ".join(f"sum += (a[{u} * columns + {v}] - ZERO) * w{u}{v};" for u, v in places)
    return _IN_PLACE.replace("@LOAD@", load).replace("@TAPS@", taps)


def _dot(channels: int, columns: int) -> str:
    """Products of `channels` filters with `columns` windows in one loop, every number loaded once."""
    pairs = [(i, j) for i in range(channels) for j in range(columns)]
    start = "int32_t " + ", ".join(f"s{i}{j} = bias[k + {i}]" for i, j in pairs) + ";"
    load = " ".join(f"const int32_t a{j} = scratch[{j} * LENGTH + n];" for j in range(columns))
    load += " " + " ".join(f"const int32_t w{i} = w[{i} * LENGTH + n];" for i in range(channels))
    add = " ".join(f"s{i}{j} += a{j} * w{i};" for i, j in pairs)
    keep = " ".join(
        f"out[OUT(ys[{j}], xs[{j}], k + {i})] = "
        f"store(scale(s{i}{j}, multiplier[k + {i}], shift[k + {i}]), OUT_ZERO, LOW);"
        for i, j in pairs
    )
    return f"{start}\n        for (int n = 0; n < LENGTH; n++) {{ {load} {add} }}\n        {keep}"
