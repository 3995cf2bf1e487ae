# %% [markdown]
# Wrong answers that the visible checks must catch, and other right answers that they must accept.

# %% right="conv2d" name="views of windows and einsum"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    k_h, k_w = weight.shape[2:]
    windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, stride)
    y = torch.einsum("nchwuv,kcuv->nkhw", windows, weight)
    return y if bias is None else y + bias[:, None, None]


# %% wrong="conv2d" name="flips the filter, as mathematicians do" of="views of windows and einsum"
# -     y = torch.einsum("nchwuv,kcuv->nkhw", windows, weight)
# +     y = torch.einsum("nchwuv,kcuv->nkhw", windows, weight.flip(2, 3))

# %% wrong="conv2d" name="forgets the padding" of="views of windows and einsum"
# -     windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, stride)
# +     windows = x.unfold(2, k_h, stride).unfold(3, k_w, stride)

# %% wrong="conv2d" name="takes every stride-th output row, but every column" of="views of windows and einsum"
# -     windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, stride)
# +     windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, 1)

# %% wrong="conv2d" name="applies the filter's first channel to all input channels" of="views of windows and einsum"
# -     y = torch.einsum("nchwuv,kcuv->nkhw", windows, weight)
# +     y = torch.einsum("nchwuv,kuv->nkhw", windows, weight[:, 0])

# %% wrong="conv2d" name="pads on the right and at the bottom only" of="views of windows and einsum"
# -     windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, stride)
# +     windows = F.pad(x, (0, 2 * padding, 0, 2 * padding)).unfold(2, k_h, stride).unfold(3, k_w, stride)

# %% wrong="conv2d" name="adds the bias once per input channel" of="views of windows and einsum"
# -     return y if bias is None else y + bias[:, None, None]
# +     return y if bias is None else y + x.shape[1] * bias[:, None, None]


# %% wrong="conv2d" name="exchanges height and width of the filter"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    k_h, k_w = weight.shape[3], weight.shape[2]
    windows = F.pad(x, (padding,) * 4).unfold(2, k_h, stride).unfold(3, k_w, stride)
    y = torch.einsum("nchwuv,kcvu->nkhw", windows, weight)
    return y if bias is None else y + bias[:, None, None]


# %% wrong="conv2d" name="multiplies by the stride instead of stepping by it"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    x = F.pad(x, (padding,) * 4)
    k_h, k_w = weight.shape[2:]
    height, width = (x.shape[2] - k_h) // stride + 1, (x.shape[3] - k_w) // stride + 1
    y = x.new_zeros(len(x), len(weight), height, width)
    for i in range(height):
        for j in range(width):
            y[:, :, i, j] = (x[:, None, :, i : i + k_h, j : j + k_w] * weight).sum((2, 3, 4))
    return y if bias is None else y + bias[:, None, None]


# %% wrong="conv2d" name="calls the library"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    return F.conv2d(x, weight, bias, stride, padding)


# %% right="conv2d" name="one shifted product per place in the filter"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    n, c, h, w = x.shape
    k, _, k_h, k_w = weight.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    h_out, w_out = (padded.shape[2] - k_h) // stride + 1, (padded.shape[3] - k_w) // stride + 1
    y = torch.zeros(n, k, h_out, w_out)
    for u in range(k_h):
        for v in range(k_w):
            seen = padded[:, :, u : u + stride * (h_out - 1) + 1 : stride, v : v + stride * (w_out - 1) + 1 : stride]
            y += torch.einsum("nchw,kc->nkhw", seen, weight[:, :, u, v])
    if bias is not None:
        y += bias.reshape(1, -1, 1, 1)
    return y


# %% right="sobel" name="both filters written out"
def sobel(image):
    filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]]])
    gx, gy = F.conv2d(image[None, None], filters)[0]
    return gx, gy


# %% wrong="sobel" name="exchanges horizontal and vertical" of="both filters written out"
# -     filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]]])
# +     filters = torch.tensor([[[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]], [[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])

# %% wrong="sobel" name="subtracts right from left" of="both filters written out"
# -     filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]]])
# +     filters = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]], [[[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]]])

# %% wrong="sobel" name="counts the middle line once (Prewitt)" of="both filters written out"
# -     filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]]])
# +     filters = torch.tensor([[[[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]]], [[[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]]]])

# %% wrong="sobel" name="pads with zeros" of="both filters written out"
# -     gx, gy = F.conv2d(image[None, None], filters)[0]
# +     gx, gy = F.conv2d(image[None, None], filters, padding=1)[0]

# %% wrong="sobel" name="turns the vertical filter upside down" of="both filters written out"
# -     filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]]])
# +     filters = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]]])

# %% wrong="sobel" name="divides by 8" of="both filters written out"
# -     gx, gy = F.conv2d(image[None, None], filters)[0]
# +     gx, gy = F.conv2d(image[None, None], filters / 8)[0]


# %% right="sobel" name="two passes: difference along one axis, smoothing along the other"
def sobel(image):
    right = image[:, 2:] - image[:, :-2]
    down = image[2:] - image[:-2]
    return right[:-2] + 2 * right[1:-1] + right[2:], down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]


# %% wrong="gradient_magnitude" name="adds absolute values"
def magnitude_and_angle(gx, gy):
    return gx.abs() + gy.abs(), torch.atan2(gy, gx)


# %% wrong="gradient_magnitude" name="forgets the square root"
def magnitude_and_angle(gx, gy):
    return gx**2 + gy**2, torch.atan2(gy, gx)


# %% wrong="gradient_magnitude" name="arc tangent of the quotient"
def magnitude_and_angle(gx, gy):
    return torch.hypot(gx, gy), torch.atan(gy / gx)


# %% wrong="gradient_magnitude" name="exchanges the arguments of atan2"
def magnitude_and_angle(gx, gy):
    return torch.hypot(gx, gy), torch.atan2(gx, gy)


# %% wrong="gradient_magnitude" name="angle in degrees"
def magnitude_and_angle(gx, gy):
    return torch.hypot(gx, gy), torch.rad2deg(torch.atan2(gy, gx))


# %% wrong="gradient_magnitude" name="squares its input in place"
def magnitude_and_angle(gx, gy):
    angle = torch.atan2(gy, gx)
    return torch.sqrt(gx.square_() + gy.square_()), angle


# %% right="gradient_magnitude" name="as a complex number"
def magnitude_and_angle(gx, gy):
    arrow = torch.complex(gx, gy)
    return arrow.abs(), arrow.angle()


# %% right="laplacian" name="the middle written out"
def laplacian(image, diagonal=False):
    c = float(diagonal)
    kernel = torch.tensor([[c, 1, c], [1, -8.0 if diagonal else -4.0, 1], [c, 1, c]])
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


# %% wrong="laplacian" name="positive in the middle"
def laplacian(image, diagonal=False):
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    if diagonal:
        kernel = torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


# %% wrong="laplacian" name="keeps -4 in the middle with eight neighbours" of="the middle written out"
# -     kernel = torch.tensor([[c, 1, c], [1, -8.0 if diagonal else -4.0, 1], [c, 1, c]])
# +     kernel = torch.tensor([[c, 1, c], [1, -4, 1], [c, 1, c]])

# %% wrong="laplacian" name="pads with zeros" of="the middle written out"
# -     return F.conv2d(image[None, None], kernel[None, None])[0, 0]
# +     return F.conv2d(image[None, None], kernel[None, None], padding=1)[0, 0]


# %% wrong="laplacian" name="ignores diagonal"
def laplacian(image, diagonal=False):
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return F.conv2d(image[None, None], kernel[None, None])[0, 0]


# %% wrong="laplacian" name="returns the absolute value" of="the middle written out"
# -     return F.conv2d(image[None, None], kernel[None, None])[0, 0]
# +     return F.conv2d(image[None, None], kernel[None, None])[0, 0].abs()


# %% right="laplacian" name="slices of the image"
def laplacian(image, diagonal=False):
    middle = image[1:-1, 1:-1]
    total = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * middle
    if diagonal:
        total = total + image[:-2, :-2] + image[:-2, 2:] + image[2:, :-2] + image[2:, 2:] - 4 * middle
    return total


# %% wrong="output_size" name="rounds up"
# -     return room // stride + 1
# +     return math.ceil(room / stride) + 1

# %% wrong="output_size" name="adds the padding once"
# -     room = size + 2 * padding - dilation * (kernel - 1) - 1
# +     room = size + padding - dilation * (kernel - 1) - 1

# %% wrong="output_size" name="lets the window span dilation * kernel"
# -     room = size + 2 * padding - dilation * (kernel - 1) - 1
# +     room = size + 2 * padding - dilation * kernel

# %% wrong="output_size" name="forgets the first window"
# -     return room // stride + 1
# +     return room // stride

# %% wrong="output_size" name="ignores dilation"
# -     room = size + 2 * padding - dilation * (kernel - 1) - 1
# +     room = size + 2 * padding - kernel


# %% wrong="output_size" name="returns 0 for a window that does not fit"
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    return max(0, (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)


# %% wrong="output_size" name="input size over stride"
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        raise ValueError("does not fit")
    return size // stride


# %% right="output_size" name="counts the starts"
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    span = dilation * (kernel - 1) + 1
    starts = len(range(-padding, size + padding - span + 1, stride))
    if not starts:
        raise ValueError(f"{span} does not fit")
    return starts


# %% wrong="receptive_field" name="ignores strides"
# -         field += dilation * (kernel - 1) * step
# +         field += dilation * (kernel - 1)

# %% wrong="receptive_field" name="uses the new step"
#       for kernel, stride, dilation in layers:
# +         step *= stride
#           field += dilation * (kernel - 1) * step
# -         step *= stride

# %% wrong="receptive_field" name="adds whole kernels"
# -         field += dilation * (kernel - 1) * step
# +         field += dilation * kernel * step

# %% wrong="receptive_field" name="forgets dilation"
# -         field += dilation * (kernel - 1) * step
# +         field += (kernel - 1) * step

# %% wrong="receptive_field" name="goes from the output to the input"
# -     for kernel, stride, dilation in layers:
# +     for kernel, stride, dilation in reversed(layers):

# %% wrong="receptive_field" name="adds strides"
# -         step *= stride
# +         step += stride - 1


# %% right="receptive_field" name="backwards, as Araujo et al. do"
def receptive_field(layers):
    field = 1
    for kernel, stride, dilation in reversed(layers):
        field = stride * (field - 1) + dilation * (kernel - 1) + 1
    return field, math.prod(stride for _, stride, _ in layers)


# %% wrong="pooling" name="zeros of the padding win over negative pixels"
# -         return windows(x, -math.inf).amax((4, 5))
# +         return windows(x, 0.0).amax((4, 5))

# %% wrong="pooling" name="the average counts padding"
# -     return windows(x, 0.0).sum((4, 5)) / windows(torch.ones_like(x), 0.0).sum((4, 5))
# +     return windows(x, 0.0).mean((4, 5))

# %% wrong="pooling" name="the stride is 1 unless given"
# -     stride = kernel if stride is None else stride
# +     stride = 1 if stride is None else stride

# %% wrong="pooling" name="ignores the stride"
# -     stride = kernel if stride is None else stride
# +     stride = kernel

# %% wrong="pooling" name="pools over channels too"
# -         return windows(x, -math.inf).amax((4, 5))
# -     return windows(x, 0.0).sum((4, 5)) / windows(torch.ones_like(x), 0.0).sum((4, 5))
# +         return windows(x, -math.inf).amax((1, 4, 5))[:, None]
# +     return (windows(x, 0.0).sum((1, 4, 5)) / windows(torch.ones_like(x), 0.0).sum((1, 4, 5)))[:, None]

# %% wrong="pooling" name="adds instead of averaging"
# -     return windows(x, 0.0).sum((4, 5)) / windows(torch.ones_like(x), 0.0).sum((4, 5))
# +     return windows(x, 0.0).sum((4, 5))

# %% wrong="pooling" name="keeps windows that do not fit"
# -         padded = F.pad(values, (padding, padding, padding, padding), value=outside)
# +         below, right = ((kernel - side - 2 * padding) % stride for side in x.shape[2:])
# +         padded = F.pad(values, (padding, padding + right, padding, padding + below), value=outside)


# %% wrong="pooling" name="calls the library"
def pool2d(x, kernel, stride=None, padding=0, mode="max"):
    if mode == "max":
        return F.max_pool2d(x, kernel, stride, padding)
    return F.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)


# %% right="pooling" name="loops over windows cut at the image's edge"
def pool2d(x, kernel, stride=None, padding=0, mode="max"):
    stride = kernel if stride is None else stride
    tops = range(-padding, x.shape[2] + padding - kernel + 1, stride)
    lefts = range(-padding, x.shape[3] + padding - kernel + 1, stride)
    reduce = torch.amax if mode == "max" else torch.mean
    rows = [
        torch.stack([reduce(x[:, :, max(t, 0) : t + kernel, max(l, 0) : l + kernel], (2, 3)) for l in lefts], -1)
        for t in tops
    ]
    return torch.stack(rows, 2)


# %% right="grouped_conv" name="chunks in pairs"
def grouped_conv2d(x, weight, groups, padding=0):
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError("groups must divide the channels")
    blocks = zip(x.chunk(groups, 1), weight.chunk(groups))
    return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], 1)


# %% wrong="grouped_conv" name="calls the library"
def grouped_conv2d(x, weight, groups, padding=0):
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError("groups do not divide the channels")
    return F.conv2d(x, weight, padding=padding, groups=groups)


# %% wrong="grouped_conv" name="gives group g every G-th channel"
def grouped_conv2d(x, weight, groups, padding=0):
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError("groups must divide the channels")
    filters = weight.chunk(groups)
    return torch.cat([F.conv2d(x[:, g::groups], filters[g], padding=padding) for g in range(groups)], 1)


# %% wrong="grouped_conv" name="gives group g every G-th filter"
def grouped_conv2d(x, weight, groups, padding=0):
    if x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError("groups must divide the channels")
    blocks = x.chunk(groups, 1)
    return torch.cat([F.conv2d(blocks[g], weight[g::groups], padding=padding) for g in range(groups)], 1)


# %% wrong="grouped_conv" name="lets every group read the first channels" of="chunks in pairs"
# -     blocks = zip(x.chunk(groups, 1), weight.chunk(groups))
# -     return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], 1)
# +     return F.conv2d(x[:, : x.shape[1] // groups], weight, padding=padding)

# %% wrong="grouped_conv" name="adds the groups" of="chunks in pairs"
# -     return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], 1)
# +     return sum(F.conv2d(block, filters, padding=padding) for block, filters in blocks)

# %% wrong="grouped_conv" name="forgets the padding" of="chunks in pairs"
# -     return torch.cat([F.conv2d(block, filters, padding=padding) for block, filters in blocks], 1)
# +     return torch.cat([F.conv2d(block, filters) for block, filters in blocks], 1)


# %% wrong="grouped_conv" name="drops channels that are left over"
def grouped_conv2d(x, weight, groups, padding=0):
    inputs, outputs = x.shape[1] // groups, weight.shape[0] // groups
    parts = [
        F.conv2d(x[:, g * inputs : (g + 1) * inputs], weight[g * outputs : (g + 1) * outputs], padding=padding)
        for g in range(groups)
    ]
    return torch.cat(parts, 1)


# %% right="grouped_conv" name="a dense weight with zeros between the groups"
def grouped_conv2d(x, weight, groups, padding=0):
    c_in, c_out = x.shape[1], weight.shape[0]
    if c_in % groups or c_out % groups:
        raise ValueError(f"{groups} does not divide {c_in} and {c_out}")
    dense = torch.zeros(c_out, c_in, *weight.shape[2:])
    for k in range(c_out):
        first = k // (c_out // groups) * (c_in // groups)
        dense[k, first : first + c_in // groups] = weight[k]
    return F.conv2d(x, dense, padding=padding)


# %% wrong="weight_sharing" name="forgets the biases"
# -     return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
# +     return outputs * c_in * height * width, outputs * window, c_out * window

# %% wrong="weight_sharing" name="one bias per position in the convolution"
# -     return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
# +     return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * window + outputs

# %% wrong="weight_sharing" name="counts positions, not channels, of the dense output"
# -     return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
# +     return height * width * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)

# %% wrong="weight_sharing" name="one bias per channel in the local layer"
# -     return outputs * (c_in * height * width + 1), outputs * (window + 1), c_out * (window + 1)
# +     return outputs * (c_in * height * width + 1), outputs * window + c_out, c_out * (window + 1)


# %% wrong="weight_sharing" name="filters without input channels"
def parameter_counts(c_in, c_out, height, width, kernel):
    outputs = c_out * height * width
    return outputs * (c_in * height * width + 1), outputs * (kernel**2 + 1), c_out * (kernel**2 + 1)


# %% wrong="weight_sharing" name="takes the image for a square"
def parameter_counts(c_in, c_out, height, width, kernel):
    outputs, window = c_out * height**2, c_in * kernel**2
    return outputs * (c_in * height**2 + 1), outputs * (window + 1), c_out * (window + 1)


# %% right="weight_sharing" name="builds the layers on the meta device"
def parameter_counts(c_in, c_out, height, width, kernel):
    pixels = height * width
    dense = nn.Linear(c_in * pixels, c_out * pixels, device="meta")
    local = nn.Conv2d(c_in * pixels, c_out * pixels, kernel, groups=pixels, device="meta")
    conv = nn.Conv2d(c_in, c_out, kernel, device="meta")
    return tuple(sum(p.numel() for p in layer.parameters()) for layer in (dense, local, conv))


# %% wrong="conv_cost" name="counts products and additions"
# -     macs = math.prod(y_shape) * math.prod(weight_shape[1:])
# +     macs = 2 * math.prod(y_shape) * math.prod(weight_shape[1:])

# %% wrong="conv_cost" name="one MAC per position of the input"
# -     macs = math.prod(y_shape) * math.prod(weight_shape[1:])
# +     macs = x_shape[0] * x_shape[2] * x_shape[3] * math.prod(weight_shape)

# %% wrong="conv_cost" name="takes the input's channels for the filter's"
# -     macs = math.prod(y_shape) * math.prod(weight_shape[1:])
# +     macs = math.prod(y_shape) * x_shape[1] * weight_shape[2] * weight_shape[3]

# %% wrong="conv_cost" name="forgets the batch"
# -     macs = math.prod(y_shape) * math.prod(weight_shape[1:])
# +     macs = math.prod(y_shape[1:]) * math.prod(weight_shape[1:])


# %% wrong="conv_cost" name="forgets to write the output"
def conv_cost(x_shape, weight_shape, y_shape, bytes_per_number=4):
    return math.prod(y_shape) * math.prod(weight_shape[1:]), bytes_per_number * (
        math.prod(x_shape) + math.prod(weight_shape)
    )


# %% wrong="conv_cost" name="always float32"
def conv_cost(x_shape, weight_shape, y_shape, bytes_per_number=4):
    macs = math.prod(y_shape) * math.prod(weight_shape[1:])
    return macs, 4 * (math.prod(x_shape) + math.prod(weight_shape) + math.prod(y_shape))


# %% wrong="conv_cost" name="square filters only"
# -     macs = math.prod(y_shape) * math.prod(weight_shape[1:])
# +     macs = math.prod(y_shape) * weight_shape[1] * weight_shape[2] ** 2


# %% right="conv_cost" name="every weight, at every output position"
def conv_cost(x_shape, weight_shape, y_shape, bytes_per_number=4):
    sizes = [torch.Size(shape).numel() for shape in (x_shape, weight_shape, y_shape)]
    positions = y_shape[0] * y_shape[2] * y_shape[3]
    return sizes[1] * positions, sum(sizes) * bytes_per_number


# %% wrong="im2col" name="forgets to move the axes"
# -     return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
# +     return windows.reshape(len(x), x.shape[1] * kernel**2, -1)

# %% wrong="im2col" name="windows as rows"
# -     return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
# +     return windows.permute(0, 2, 3, 1, 4, 5).reshape(len(x), -1, x.shape[1] * kernel**2)

# %% wrong="im2col" name="channel last in each column"
# -     return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
# +     return windows.permute(0, 4, 5, 1, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)

# %% wrong="im2col" name="columns of the window before rows"
# -     return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
# +     return windows.permute(0, 1, 5, 4, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)

# %% wrong="im2col" name="forgets the padding"
# -     x = F.pad(x, (padding, padding, padding, padding))


# %% wrong="im2col" name="ignores the stride"
def im2col(x, kernel, stride=1, padding=0):
    windows = F.pad(x, (padding,) * 4).unfold(2, kernel, 1).unfold(3, kernel, 1)
    return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)


# %% wrong="im2col" name="output positions column by column"
# -     return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel**2, -1)
# +     return windows.permute(0, 1, 4, 5, 3, 2).reshape(len(x), x.shape[1] * kernel**2, -1)


# %% wrong="im2col" name="calls the library"
def im2col(x, kernel, stride=1, padding=0):
    return F.unfold(x, kernel, stride=stride, padding=padding)


# %% right="im2col" name="a loop over positions"
def im2col(x, kernel, stride=1, padding=0):
    padded = F.pad(x, (padding,) * 4)
    columns = [
        padded[:, :, top : top + kernel, left : left + kernel].flatten(1)
        for top in range(0, padded.shape[2] - kernel + 1, stride)
        for left in range(0, padded.shape[3] - kernel + 1, stride)
    ]
    return torch.stack(columns, dim=2)


# %% right="memory_layouts" name="products of the sizes that follow"
def layout_strides(shape, layout):
    sizes = [shape["NCHW".index(axis)] for axis in layout]
    strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(layout)}
    return tuple(strides[axis] for axis in "NCHW")


# %% wrong="memory_layouts" name="answers in the layout's order"
def layout_strides(shape, layout):
    sizes = [shape["NCHW".index(axis)] for axis in layout]
    return tuple(math.prod(sizes[i + 1 :]) for i in range(4))


# %% wrong="memory_layouts" name="takes the shape in the layout's order"
def layout_strides(shape, layout):
    strides = {axis: math.prod(shape[i + 1 :]) for i, axis in enumerate(layout)}
    return tuple(strides[axis] for axis in "NCHW")


# %% wrong="memory_layouts" name="the first letter is the fastest" of="products of the sizes that follow"
# -     strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(layout)}
# +     strides = {axis: math.prod(sizes[:i]) for i, axis in enumerate(layout)}

# %% wrong="memory_layouts" name="bytes instead of numbers" of="products of the sizes that follow"
# -     strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(layout)}
# +     strides = {axis: 4 * math.prod(sizes[i + 1 :]) for i, axis in enumerate(layout)}

# %% wrong="memory_layouts" name="includes the axis's own size" of="products of the sizes that follow"
# -     strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(layout)}
# +     strides = {axis: math.prod(sizes[i:]) for i, axis in enumerate(layout)}


# %% wrong="memory_layouts" name="always NCHW"
def layout_strides(shape, layout):
    return torch.empty(shape).stride()


# %% right="memory_layouts" name="asks torch"
def layout_strides(shape, layout):
    order = ["NCHW".index(axis) for axis in layout]
    return torch.empty(shape).permute(order).contiguous().permute([order.index(axis) for axis in range(4)]).stride()


# %% wrong="winograd" name="calls the library"
def winograd_conv2d(x, weight):
    return F.conv2d(x, weight, padding=1)


# %% wrong="winograd" name="transforms one side only" of="a matrix product on each side"
# -     products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T)
# +     filters = F.pad(G @ weight, (0, 1))
# +     products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles, filters)

# %% wrong="winograd" name="multiplies matrices in the middle instead of numbers" of="a matrix product on each side"
# -     products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T)
# +     products = torch.einsum("kcil,ncuvlj->nkuvij", G @ weight @ G.T, BT @ tiles @ BT.T)


# %% wrong="winograd" name="tiles that do not overlap"
def winograd_conv2d(x, weight):
    BT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    AT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 4).unfold(3, 4, 4)
    products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T)
    outputs = (AT @ products @ AT.T).permute(0, 1, 2, 4, 3, 5)
    return outputs.flatten(4, 5).flatten(2, 3)


# %% wrong="winograd" name="puts the output tiles together without moving axes" of="a matrix product on each side"
# -     return (AT @ products @ AT.T).permute(0, 1, 2, 4, 3, 5).reshape(n, -1, h, w)
# +     return (AT @ products @ AT.T).reshape(n, -1, h, w)

# %% wrong="winograd" name="takes the mean over the input channels" of="a matrix product on each side"
# -     products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T)
# +     products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T) / c

# %% wrong="winograd" name="pads on the right and at the bottom only" of="a matrix product on each side"
# -     tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)
# +     tiles = F.pad(x, (0, 2, 0, 2)).unfold(2, 4, 2).unfold(3, 4, 2)


# %% right="winograd" name="a matrix product on each side"
def winograd_conv2d(x, weight):
    BT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    AT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    n, c, h, w = x.shape
    tiles = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)
    products = torch.einsum("ncuvij,kcij->nkuvij", BT @ tiles @ BT.T, G @ weight @ G.T)
    return (AT @ products @ AT.T).permute(0, 1, 2, 4, 3, 5).reshape(n, -1, h, w)


# %% right="winograd" name="tile by tile"
def winograd_conv2d(x, weight):
    BT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    AT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    padded, filters = F.pad(x, (1, 1, 1, 1)), G @ weight @ G.T
    y = x.new_zeros(len(x), len(weight), *x.shape[2:])
    for top in range(0, x.shape[2], 2):
        for left in range(0, x.shape[3], 2):
            tile = BT @ padded[:, None, :, top : top + 4, left : left + 4] @ BT.T
            y[:, :, top : top + 2, left : left + 2] = AT @ (tile * filters).sum(2) @ AT.T
    return y
