# %% [markdown]
# Wrong answers that the visible checks must catch, and other right answers that they must accept.

# %% wrong="tensor_lifetimes" name="counts only what the layer reads and writes"
def bytes_alive(sizes, reads):
    return [sum(sizes[t] for t in set(read)) + sizes[step + 1] for step, read in enumerate(reads)]


# %% wrong="tensor_lifetimes" name="frees a tensor after its first reader"
# -         last = max((step for step in range(steps) if tensor in reads[step]), default=first)
# +         last = min((step for step in range(steps) if tensor in reads[step]), default=first)

# %% wrong="tensor_lifetimes" name="the output counts only once it is made"
# -         last = max((step for step in range(steps) if tensor in reads[step]), default=first)
# -         for step in range(first, last + 1):
# +         last = max((step for step in range(steps) if tensor in reads[step]), default=tensor - 1)
# +         for step in range(tensor, last + 1):


# %% wrong="tensor_lifetimes" name="never frees anything"
def bytes_alive(sizes, reads):
    return [sum(sizes[: step + 2]) for step in range(len(reads))]


# %% wrong="tensor_lifetimes" name="counts a tensor once per read"
def bytes_alive(sizes, reads):
    steps = len(reads)
    alive = []
    for step in range(steps):
        here = sizes[step + 1] + sum(sizes[t] for t in reads[step])
        waiting = {t for later in reads[step + 1 :] for t in later if t <= step and t not in reads[step]}
        alive.append(here + sum(sizes[t] for t in waiting))
    return alive


# %% wrong="tensor_lifetimes" name="keeps a tensor that nobody reads"
# -         last = max((step for step in range(steps) if tensor in reads[step]), default=first)
# +         last = max((step for step in range(steps) if tensor in reads[step]), default=steps - 1)


# %% wrong="tensor_lifetimes" name="returns the peak alone"
def bytes_alive(sizes, reads):
    alive = []
    for step in range(len(reads)):
        kept = {t for later in reads[step:] for t in later if t <= step} | {step + 1}
        alive.append(sum(sizes[t] for t in kept))
    return max(alive)


# %% right="tensor_lifetimes" name="a set of live tensors for each step"
def bytes_alive(sizes, reads):
    return [
        sum(sizes[t] for t in {step + 1} | {t for later in reads[step:] for t in later if t <= step})
        for step in range(len(reads))
    ]


# %% right="tensor_lifetimes" name="counts readers down, as an allocator would"
def bytes_alive(sizes, reads):
    left = [sum(tensor in read for read in reads) for tensor in range(len(sizes))]
    used, alive = sizes[0], []
    for step, read in enumerate(reads):
        used += sizes[step + 1]
        alive.append(used)
        for tensor in set(read):
            left[tensor] -= 1
            if left[tensor] == 0:
                used -= sizes[tensor]
        if left[step + 1] == 0:
            used -= sizes[step + 1]
    return alive


# %% right="buffer_placement" name="indices i and j"
def place_buffers(sizes, first, last):
    offsets = {}
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        taken = sorted(
            (offsets[j], offsets[j] + sizes[j]) for j in offsets if first[j] <= last[i] and first[i] <= last[j]
        )
        offset = 0
        for start, stop in taken:
            if offset + sizes[i] <= start:
                break
            offset = max(offset, stop)
        offsets[i] = offset
    return [offsets[i] for i in range(len(sizes))]


# %% wrong="buffer_placement" name="places in the given order"
def place_buffers(sizes, first, last):
    offsets = []
    for i in range(len(sizes)):
        taken = sorted(
            (offsets[j], offsets[j] + sizes[j]) for j in range(i) if first[j] <= last[i] and first[i] <= last[j]
        )
        offset = 0
        for start, stop in taken:
            if offset + sizes[i] <= start:
                break
            offset = max(offset, stop)
        offsets.append(offset)
    return offsets


# %% wrong="buffer_placement" name="answers in the order of placement"
def place_buffers(sizes, first, last):
    placed = []
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        taken = sorted((o, o + sizes[j]) for j, o in placed if first[j] <= last[i] and first[i] <= last[j])
        offset = 0
        for start, stop in taken:
            if offset + sizes[i] <= start:
                break
            offset = max(offset, stop)
        placed.append((i, offset))
    return [offset for _, offset in placed]


# %% wrong="buffer_placement" name="ignores gaps"
def place_buffers(sizes, first, last):
    offsets = {}
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        offsets[i] = max(
            (offsets[j] + sizes[j] for j in offsets if first[j] <= last[i] and first[i] <= last[j]), default=0
        )
    return [offsets[i] for i in range(len(sizes))]


# %% wrong="buffer_placement" name="lets a buffer reuse memory at the step of its last use" of="indices i and j"
# -             (offsets[j], offsets[j] + sizes[j]) for j in offsets if first[j] <= last[i] and first[i] <= last[j]
# +             (offsets[j], offsets[j] + sizes[j]) for j in offsets if first[j] < last[i] and first[i] < last[j]


# %% wrong="buffer_placement" name="shares no memory at all"
def place_buffers(sizes, first, last):
    offsets, total = {}, 0
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        offsets[i] = total
        total += sizes[i]
    return [offsets[i] for i in range(len(sizes))]


# %% wrong="buffer_placement" name="goes back below a neighbour that ends lower" of="indices i and j"
# -             offset = max(offset, stop)
# +             offset = stop

# %% wrong="buffer_placement" name="does not use a gap that fits exactly" of="indices i and j"
# -             if offset + sizes[i] <= start:
# +             if offset + sizes[i] < start:

# %% wrong="buffer_placement" name="the last of equal buffers first" of="indices i and j"
# -     for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
# +     for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], -i)):


# %% right="buffer_placement" name="tries zero and every neighbour's end"
def place_buffers(sizes, first, last):
    offsets = {}
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        near = [j for j in offsets if not (last[j] < first[i] or last[i] < first[j])]
        for offset in sorted({0, *(offsets[j] + sizes[j] for j in near)}):
            if all(offset + sizes[i] <= offsets[j] or offsets[j] + sizes[j] <= offset for j in near):
                offsets[i] = offset
                break
    return [offsets[i] for i in range(len(sizes))]


# %% right="buffer_placement" name="marks bytes in a table of steps"
def place_buffers(sizes, first, last):
    used = np.zeros((max(last) + 1, sum(sizes)), dtype=bool)
    offsets = [0] * len(sizes)
    for i in np.argsort([-size for size in sizes], kind="stable").tolist():
        free = ~used[first[i] : last[i] + 1].any(0)
        offset = 0
        while not free[offset : offset + sizes[i]].all():
            offset += 1
        used[first[i] : last[i] + 1, offset : offset + sizes[i]] = True
        offsets[i] = offset
    return offsets


# %% right="in_place_depthwise" name="the convolution pads, channel by channel"
def depthwise_in_place(x, weight):
    for c in range(len(x)):
        x[c] = F.conv2d(x[c][None, None], weight[c][None, None], padding=weight.shape[1] // 2)[0, 0]
    return x


# %% wrong="in_place_depthwise" name="reads pixels that are already overwritten"
def depthwise_in_place(x, weight):
    reach = weight.shape[1] // 2
    for channel, taps in zip(x, weight):
        height, width = channel.shape
        for i in range(height):
            for j in range(width):
                total = 0.0
                for u in range(-reach, reach + 1):
                    for v in range(-reach, reach + 1):
                        if 0 <= i + u < height and 0 <= j + v < width:
                            total += float(channel[i + u, j + v] * taps[u + reach, v + reach])
                channel[i, j] = total
    return x


# %% wrong="in_place_depthwise" name="computes a second tensor and copies it back"
def depthwise_in_place(x, weight):
    y = F.conv2d(x[None], weight[:, None], padding=weight.shape[1] // 2, groups=len(x))[0]
    return x.copy_(y)


# %% wrong="in_place_depthwise" name="keeps all finished channels in a list"
def depthwise_in_place(x, weight):
    reach = weight.shape[1] // 2
    done = [F.conv2d(c[None, None], w[None, None], padding=reach)[0, 0] for c, w in zip(x, weight)]
    for channel, result in zip(x, done):
        channel.copy_(result)
    return x


# %% wrong="in_place_depthwise" name="returns a new tensor"
def depthwise_in_place(x, weight):
    return F.conv2d(x[None], weight[:, None], padding=weight.shape[1] // 2, groups=len(x))[0]


# %% wrong="in_place_depthwise" name="works on a copy of x" of="the convolution pads, channel by channel"
#   def depthwise_in_place(x, weight):
# +     x = x.clone()

# %% wrong="in_place_depthwise" name="uses the first filter for all channels" of="the convolution pads, channel by channel"
# -         x[c] = F.conv2d(x[c][None, None], weight[c][None, None], padding=weight.shape[1] // 2)[0, 0]
# +         x[c] = F.conv2d(x[c][None, None], weight[0][None, None], padding=weight.shape[1] // 2)[0, 0]

# %% wrong="in_place_depthwise" name="always pads by one" of="the convolution pads, channel by channel"
# -         x[c] = F.conv2d(x[c][None, None], weight[c][None, None], padding=weight.shape[1] // 2)[0, 0]
# +         y = F.conv2d(x[c][None, None], weight[c][None, None], padding=1)[0, 0]
# +         x[c, : y.shape[0], : y.shape[1]] = y[: x.shape[1], : x.shape[2]]

# %% wrong="in_place_depthwise" name="returns nothing" of="the convolution pads, channel by channel"
# -     return x


# %% right="in_place_depthwise" name="adds shifted copies of one padded channel"
def depthwise_in_place(x, weight):
    kernel = weight.shape[-1]
    p = kernel // 2
    _, height, width = x.shape
    scratch = torch.zeros(height + 2 * p, width + 2 * p)
    for c in range(x.shape[0]):
        scratch[p : p + height, p : p + width] = x[c]
        x[c] = 0
        for u in range(kernel):
            for v in range(kernel):
                x[c] += weight[c, u, v] * scratch[u : u + height, v : v + width]
    return x


# %% right="in_place_depthwise" name="windows of one channel at a time"
def depthwise_in_place(x, weight):
    p = weight.shape[-1] // 2
    for c in range(x.shape[0]):
        windows = F.pad(x[c], (p, p, p, p)).unfold(0, 2 * p + 1, 1).unfold(1, 2 * p + 1, 1)
        x[c] = torch.einsum("hwuv,uv->hw", windows, weight[c])
    return x


# %% wrong="patch_ranges" name="does not stop at the map's edge"
def patch_ranges(layers, size, start, stop):
    ranges = [(start, stop)]
    for kernel, stride, padding in reversed(layers):
        start, stop = start * stride - padding, (stop - 1) * stride - padding + kernel
        ranges.append((start, stop))
    return ranges[::-1]


# %% wrong="patch_ranges" name="cuts every map at the input's size"
def patch_ranges(layers, size, start, stop):
    ranges = [(start, stop)]
    for kernel, stride, padding in reversed(layers):
        start, stop = max(0, start * stride - padding), min(size, (stop - 1) * stride - padding + kernel)
        ranges.append((start, stop))
    return ranges[::-1]


# %% wrong="patch_ranges" name="takes stop for the last row"
# -         start, stop = max(0, start * stride - padding), min(rows, (stop - 1) * stride - padding + kernel)
# +         start, stop = max(0, start * stride - padding), min(rows, stop * stride - padding + kernel)


# %% wrong="patch_ranges" name="no halo: only the stride"
def patch_ranges(layers, size, start, stop):
    ranges = [(start, stop)]
    for _, stride, _ in reversed(layers):
        start, stop = start * stride, stop * stride
        ranges.append((start, stop))
    return ranges[::-1]


# %% wrong="patch_ranges" name="forgets the padding"
# -         start, stop = max(0, start * stride - padding), min(rows, (stop - 1) * stride - padding + kernel)
# +         start, stop = start * stride, min(rows, (stop - 1) * stride + kernel)

# %% wrong="patch_ranges" name="from the output to the input"
# -     return ranges[::-1]
# +     return ranges

# %% wrong="patch_ranges" name="goes through the layers forwards"
# -     for (kernel, stride, padding), rows in zip(reversed(layers), reversed(sizes[:-1]), strict=True):
# +     for (kernel, stride, padding), rows in zip(layers, reversed(sizes[:-1]), strict=True):


# %% right="patch_ranges" name="marks which rows are read"
def patch_ranges(layers, size, start, stop):
    if not layers:
        return [(start, stop)]
    *before, (kernel, stride, padding) = layers
    rows = size
    for k, s, p in before:
        rows = (rows + 2 * p - k) // s + 1
    read = [r * stride - padding + u for r in range(start, stop) for u in range(kernel)]
    inside = [r for r in read if 0 <= r < rows]
    return [*patch_ranges(before, size, min(inside), max(inside) + 1), (start, stop)]


# %% right="patch_ranges" name="numpy clip, recursive sizes"
def patch_ranges(layers, size, start, stop):
    sizes = [size]
    for kernel, stride, padding in layers:
        sizes.append(1 + (sizes[-1] + 2 * padding - kernel) // stride)
    found = [None] * len(layers) + [(start, stop)]
    for i in range(len(layers) - 1, -1, -1):
        kernel, stride, padding = layers[i]
        edges = np.array([found[i + 1][0], found[i + 1][1] - 1]) * stride - padding + np.array([0, kernel])
        found[i] = tuple(int(edge) for edge in np.clip(edges, 0, sizes[i]))
    return found


# %% right="patch_inference" name="zeros collected side by side"
def infer_by_patches(image, layers, rows, columns):
    lines = []
    for row in rows:
        line = []
        for column in columns:
            tile = image[:, slice(*row[0]), slice(*column[0])]
            for n, (weight, bias, stride, padding) in enumerate(layers):
                k = weight.shape[2]
                pad = []
                for span in (column, row):
                    pad += [span[n][0] - span[n + 1][0] * stride + padding]
                    pad += [(span[n + 1][1] - 1) * stride - padding + k - span[n][1]]
                tile = F.relu(F.conv2d(F.pad(tile, pad), weight, bias, stride))
            line.append(tile)
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)


# %% wrong="patch_inference" name="pads every patch on all sides"
def infer_by_patches(image, layers, rows, columns):
    lines = []
    for row in rows:
        line = []
        for column in columns:
            tile = image[:, slice(*row[0]), slice(*column[0])]
            for number, (weight, bias, stride, padding) in enumerate(layers):
                tile = F.relu(F.conv2d(tile[None], weight, bias, stride, padding)[0])
            height, width = row[-1][1] - row[-1][0], column[-1][1] - column[-1][0]
            line.append(
                F.pad(tile, (0, max(0, width - tile.shape[2]), 0, max(0, height - tile.shape[1])))[:, :height, :width]
            )
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)


# %% wrong="patch_inference" name="pads the image once, then convolves without padding"
def infer_by_patches(image, layers, rows, columns):
    def needed(span):
        start, stop = span[-1]
        for weight, _, stride, padding in reversed(layers):
            start, stop = start * stride - padding, (stop - 1) * stride - padding + weight.shape[2]
        return start, stop

    lines = []
    for row in rows:
        line = []
        for column in columns:
            (top, bottom), (left, right) = needed(row), needed(column)
            tile = image[:, max(0, top) : bottom, max(0, left) : right]
            tile = F.pad(
                tile,
                (max(0, -left), max(0, right - image.shape[2]), max(0, -top), max(0, bottom - image.shape[1])),
            )
            for weight, bias, stride, _ in layers:
                tile = F.relu(F.conv2d(tile, weight, bias, stride))
            line.append(tile)
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)


# %% wrong="patch_inference" name="computes the whole and cuts it"
def infer_by_patches(image, layers, rows, columns):
    for weight, bias, stride, padding in layers:
        image = F.relu(F.conv2d(image[None], weight, bias, stride, padding)[0])
    return image


# %% wrong="patch_inference" name="forgets the ReLU" of="zeros collected side by side"
# -                 tile = F.relu(F.conv2d(F.pad(tile, pad), weight, bias, stride))
# +                 tile = F.conv2d(F.pad(tile, pad), weight, bias, stride)

# %% wrong="patch_inference" name="forgets the bias" of="zeros collected side by side"
# -                 tile = F.relu(F.conv2d(F.pad(tile, pad), weight, bias, stride))
# +                 tile = F.relu(F.conv2d(F.pad(tile, pad), weight, None, stride))

# %% wrong="patch_inference" name="exchanges rows and columns" of="zeros collected side by side"
# -     for row in rows:
# +     for row in columns:
#           line = []
# -         for column in columns:
# +         for column in rows:

# %% wrong="patch_inference" name="puts zeros around the patches of the first layer only" of="zeros collected side by side"
# -                 tile = F.relu(F.conv2d(F.pad(tile, pad), weight, bias, stride))
# +                 if n:
# +                     tile = F.pad(tile[None], pad, mode="replicate")[0]
# +                 else:
# +                     tile = F.pad(tile, pad)
# +                 tile = F.relu(F.conv2d(tile, weight, bias, stride))


# %% right="patch_inference" name="writes patches into the output, zeros into a larger tile"
def infer_by_patches(image, layers, rows, columns):
    height, width = rows[-1][-1][1], columns[-1][-1][1]
    result = torch.empty(len(layers[-1][0]), height, width)
    for row in rows:
        for column in columns:
            (top, bottom), (left, right) = row[0], column[0]
            tile = image[:, top:bottom, left:right]
            for (weight, bias, stride, padding), r, c, r_next, c_next in zip(layers, row, column, row[1:], column[1:]):
                k = weight.shape[2]
                first_r, first_c = r_next[0] * stride - padding, c_next[0] * stride - padding
                high = (r_next[1] - 1 - r_next[0]) * stride + k
                wide = (c_next[1] - 1 - c_next[0]) * stride + k
                padded = torch.zeros(len(tile), high, wide)
                y, x = r[0] - first_r, c[0] - first_c
                padded[:, y : y + tile.shape[1], x : x + tile.shape[2]] = tile
                tile = F.conv2d(padded[None], weight, bias, stride=stride)[0].clamp(min=0)
            result[:, row[-1][0] : row[-1][1], column[-1][0] : column[-1][1]] = tile
    return result


# %% right="patch_inference" name="pads generously and cuts away what is wrong"
def infer_by_patches(image, layers, rows, columns):
    patches = []
    for row in rows:
        line = []
        for column in columns:
            tile = image[:, row[0][0] : row[0][1], column[0][0] : column[0][1]]
            for n in range(len(layers)):
                weight, bias, stride, padding = layers[n]
                k = weight.shape[-1]
                big = F.pad(tile, (k, k, k, k))
                y = row[n + 1][0] * stride - padding - row[n][0] + k
                x = column[n + 1][0] * stride - padding - column[n][0] + k
                high = (row[n + 1][1] - row[n + 1][0] - 1) * stride + k
                wide = (column[n + 1][1] - column[n + 1][0] - 1) * stride + k
                tile = torch.relu(F.conv2d(big[None, :, y : y + high, x : x + wide], weight, bias, stride)[0])
            line.append(tile)
        patches.append(torch.cat(line, dim=2))
    return torch.cat(patches, dim=1)


# %% wrong="redistribute" name="the layer nearest to the image first"
def redistribute(layers, side, limit):
    kernels = [kernel for kernel, _ in layers]
    while True:
        patch = side
        for kernel, (_, stride) in zip(reversed(kernels), reversed(layers)):
            patch = (patch - 1) * stride + kernel
        if patch <= limit:
            return kernels, patch
        left = [i for i, (_, stride) in enumerate(layers) if stride == 1 and kernels[i] > 1]
        if not left:
            raise ValueError("nothing left")
        kernels[left[0]] = 1


# %% wrong="redistribute" name="shrinks layers with a stride too"
# -             gains.append((kernel - 1) * step if stride == 1 else 0)
# +             gains.append((kernel - 1) * step)


# %% wrong="redistribute" name="the largest kernel first, whatever its step"
def redistribute(layers, side, limit):
    kernels = [kernel for kernel, _ in layers]
    while True:
        patch = side
        for kernel, (_, stride) in zip(reversed(kernels), reversed(layers)):
            patch = (patch - 1) * stride + kernel
        if patch <= limit:
            return kernels, patch
        gains = [kernel - 1 if stride == 1 else 0 for kernel, (_, stride) in zip(kernels, layers)]
        if max(gains, default=0) == 0:
            raise ValueError("nothing left")
        kernels[gains.index(max(gains))] = 1


# %% wrong="redistribute" name="goes below the limit"
# -         if patch <= limit:
# +         if patch < limit:


# %% wrong="redistribute" name="shrinks every layer at once"
def redistribute(layers, side, limit):
    def patch_of(kernels):
        patch = side
        for kernel, (_, stride) in zip(reversed(kernels), reversed(layers)):
            patch = (patch - 1) * stride + kernel
        return patch

    kernels = [kernel for kernel, _ in layers]
    if patch_of(kernels) > limit:
        kernels = [1 if stride == 1 else kernel for kernel, stride in layers]
    if patch_of(kernels) > limit:
        raise ValueError("too large")
    return kernels, patch_of(kernels)


# %% wrong="redistribute" name="gives up without an error"
def redistribute(layers, side, limit):
    kernels = [kernel for kernel, _ in layers]
    while True:
        patch, gains, step = side, [], 1
        for kernel, (_, stride) in zip(reversed(kernels), reversed(layers)):
            patch = (patch - 1) * stride + kernel
        for kernel, (_, stride) in zip(kernels, layers):
            gains.append((kernel - 1) * step if stride == 1 else 0)
            step *= stride
        if patch <= limit or max(gains, default=0) == 0:
            return kernels, patch
        kernels[gains.index(max(gains))] = 1


# %% wrong="redistribute" name="multiplies the side by the stride"
# -             patch = (patch - 1) * stride + kernel
# +             patch = patch * stride + kernel - 1

# %% wrong="redistribute" name="the last of equal layers first"
# -         if max(gains, default=0) == 0:
# +         best = max(gains, default=0)
# +         if best == 0:
#               raise ValueError(f"a patch of {patch} pixels cannot be made smaller; the limit is {limit}")
# -         kernels[gains.index(max(gains))] = 1
# +         kernels[max(i for i, gain in enumerate(gains) if gain == best)] = 1


# %% right="redistribute" name="tries every layer and measures"
def redistribute(layers, side, limit):
    def read(kernels):
        span, step = 1, 1
        for kernel, (_, stride) in zip(kernels, layers):
            span += (kernel - 1) * step
            step *= stride
        return span + (side - 1) * step

    kernels = [kernel for kernel, _ in layers]
    while read(kernels) > limit:
        trials = []
        for i, (_, stride) in enumerate(layers):
            if stride == 1 and kernels[i] > 1:
                trial = kernels[:i] + [1] + kernels[i + 1 :]
                trials.append((read(trial), i, trial))
        if not trials:
            raise ValueError(f"no kernel left to shrink; the patch has {read(kernels)} pixels")
        kernels = min(trials)[2]
    return kernels, read(kernels)


# %% right="redistribute" name="sorted gains, no measuring in between"
def redistribute(layers, side, limit):
    steps = [1]
    for _, stride in layers:
        steps.append(steps[-1] * stride)
    patch = (side - 1) * steps[-1] + 1 + sum((kernel - 1) * step for (kernel, _), step in zip(layers, steps))
    kernels = [kernel for kernel, _ in layers]
    queue = sorted(
        (-(kernel - 1) * step, i)
        for i, ((kernel, stride), step) in enumerate(zip(layers, steps))
        if stride == 1 and kernel > 1
    )
    for gain, i in queue:
        if patch <= limit:
            break
        kernels[i] = 1
        patch += gain
    if patch > limit:
        raise ValueError("the patch stays too large")
    return kernels, patch
