# %% [markdown]
# Wrong answers that the visible checks must catch, and other right answers that they must accept.


# %% right="batch_norm" name="normalises, then scales"
def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        count = x.numel() / x.shape[1]
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * count / (count - 1), momentum)
    x = (x - mean[:, None, None]) / torch.sqrt(var + eps)[:, None, None]
    return x * weight[:, None, None] + bias[:, None, None]


# %% wrong="batch_norm" name="calls the library"
def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)


# %% wrong="batch_norm" name="statistics of the batch in use too" of="normalises, then scales"
# -     mean, var = running_mean, running_var
# +     mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
#       if training:
# -         mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)

# %% wrong="batch_norm" name="momentum the other way round" of="normalises, then scales"
# -             running_mean.lerp_(mean, momentum)
# -             running_var.lerp_(var * count / (count - 1), momentum)
# +             running_mean.lerp_(mean, 1 - momentum)
# +             running_var.lerp_(var * count / (count - 1), 1 - momentum)

# %% wrong="batch_norm" name="unbiased variance in the result" of="normalises, then scales"
# -         mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
# -         count = x.numel() / x.shape[1]
# +         mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))

# -             running_var.lerp_(var * count / (count - 1), momentum)
# +             running_var.lerp_(var, momentum)

# %% wrong="batch_norm" name="biased variance in the running statistics" of="normalises, then scales"
# -         count = x.numel() / x.shape[1]

# -             running_var.lerp_(var * count / (count - 1), momentum)
# +             running_var.lerp_(var, momentum)


# %% wrong="batch_norm" name="statistics of each image alone"
def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if training:
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        with torch.no_grad():
            running_mean.lerp_(x.mean((0, 2, 3)), momentum)
            running_var.lerp_(x.var((0, 2, 3)), momentum)
    else:
        mean, var = running_mean[:, None, None], running_var[:, None, None]
    return (x - mean) / torch.sqrt(var + eps) * weight[:, None, None] + bias[:, None, None]


# %% wrong="batch_norm" name="new running statistics instead of changed ones" of="normalises, then scales"
# -         count = x.numel() / x.shape[1]
# -         with torch.no_grad():
# -             running_mean.lerp_(mean, momentum)
# -             running_var.lerp_(var * count / (count - 1), momentum)
# +         running_mean = (1 - momentum) * running_mean + momentum * mean
# +         running_var = (1 - momentum) * running_var + momentum * var


# %% wrong="batch_norm" name="changes the running statistics in use"
def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, var = running_mean.clone(), running_var.clone()
    with torch.no_grad():
        running_mean.lerp_(x.mean((0, 2, 3)), momentum)
        running_var.lerp_(x.var((0, 2, 3)), momentum)
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    x = (x - mean[:, None, None]) / torch.sqrt(var + eps)[:, None, None]
    return x * weight[:, None, None] + bias[:, None, None]


# %% wrong="batch_norm" name="eps added to the standard deviation" of="normalises, then scales"
# -     x = (x - mean[:, None, None]) / torch.sqrt(var + eps)[:, None, None]
# +     x = (x - mean[:, None, None]) / (torch.sqrt(var) + eps)[:, None, None]


# %% right="batch_norm" name="channels flattened, statistics written in"
def batch_norm(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    rows = x.transpose(0, 1).flatten(1)
    if training:
        mean = rows.sum(1) / rows.shape[1]
        var = ((rows - mean[:, None]) ** 2).sum(1) / rows.shape[1]
        running_mean[:] = (1 - momentum) * running_mean + momentum * mean.detach()
        running_var[:] = (1 - momentum) * running_var + momentum * rows.detach().var(1)
    else:
        mean, var = running_mean, running_var
    normal = (x - mean.reshape(1, -1, 1, 1)) * torch.rsqrt(var + eps).reshape(1, -1, 1, 1)
    return normal * weight.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)


# %% wrong="bn_folding" name="forgets the old bias"
def fold_batch_norm(conv_weight, conv_bias, gamma, beta, mean, var, eps=1e-5):
    scale = gamma / torch.sqrt(var + eps)
    return conv_weight * scale[:, None, None, None], beta - scale * mean


# %% wrong="bn_folding" name="does not scale the old bias"
def fold_batch_norm(conv_weight, conv_bias, gamma, beta, mean, var, eps=1e-5):
    scale = gamma / torch.sqrt(var + eps)
    bias = beta - scale * mean
    return conv_weight * scale[:, None, None, None], bias if conv_bias is None else bias + conv_bias


# %% wrong="bn_folding" name="scales input channels"
# -     return conv_weight * scale[:, None, None, None], beta + scale * shifted
# +     scale_in = scale[: conv_weight.shape[1]]
# +     return conv_weight * scale_in[:, None, None], beta + scale * shifted

# %% wrong="bn_folding" name="forgets the scale gamma"
# -     scale = gamma / torch.sqrt(var + eps)
# +     scale = 1 / torch.sqrt(var + eps)

# %% wrong="bn_folding" name="divides by the variance"
# -     scale = gamma / torch.sqrt(var + eps)
# +     scale = gamma / (var + eps)

# %% wrong="bn_folding" name="forgets eps"
# -     scale = gamma / torch.sqrt(var + eps)
# +     scale = gamma / torch.sqrt(var)

# %% wrong="bn_folding" name="scales the weight in place"
# -     return conv_weight * scale[:, None, None, None], beta + scale * shifted
# +     return conv_weight.mul_(scale[:, None, None, None]), beta + scale * shifted


# %% right="bn_folding" name="einsum, and a bias of zeros"
def fold_batch_norm(conv_weight, conv_bias, gamma, beta, mean, var, eps=1e-5):
    if conv_bias is None:
        conv_bias = torch.zeros_like(mean)
    scale = gamma * torch.rsqrt(var + eps)
    return torch.einsum("kcuv,k->kcuv", conv_weight, scale), (conv_bias - mean) * scale + beta


# %% wrong="basic_block" name="last ReLU before the addition"
# -         y = self.bn2(self.conv2(y))
# -         return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))
# +         y = F.relu(self.bn2(self.conv2(y)))
# +         return y + (x if self.shortcut is None else self.shortcut(x))

# %% wrong="basic_block" name="no ReLU between the convolutions"
# -         y = F.relu(self.bn1(self.conv1(x)))
# +         y = self.bn1(self.conv1(x))

# %% wrong="basic_block" name="forgets to add the input"
# -         return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))
# +         return F.relu(y)

# %% wrong="basic_block" name="adds the shortcut to the input"
# -         return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))
# +         if self.shortcut is not None and self.shortcut(x).shape == x.shape:
# +             x = x + self.shortcut(x)
# +         elif self.shortcut is not None:
# +             x = 2 * self.shortcut(x)
# +         return F.relu(y + x)

# %% wrong="basic_block" name="stride in both convolutions"
# -         self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
# +         self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)

# %% wrong="basic_block" name="stride in the second convolution"
# -         self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
# +         self.conv1 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
#           self.bn1 = nn.BatchNorm2d(width)
# -         self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
# +         self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)

# %% wrong="basic_block" name="one normalisation used twice"
# -         self.bn2 = nn.BatchNorm2d(width)

# -         y = self.bn2(self.conv2(y))
# +         y = self.bn1(self.conv2(y))

# %% wrong="basic_block" name="convolutions with biases"
# -         self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
# +         self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1)
#           self.bn1 = nn.BatchNorm2d(width)
# -         self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
# +         self.conv2 = nn.Conv2d(width, width, 3, padding=1)


# %% right="basic_block" name="layers in a sequence, the identity as a module"
class BasicBlock(nn.Module):
    def __init__(self, inputs, width, stride=1, shortcut=None):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, width, (3, 3), (stride, stride), "same" if stride == 1 else 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.beside = shortcut or nn.Identity()

    def forward(self, x):
        return (self.residual(x) + self.beside(x)).clamp(min=0)


# %% wrong="shortcuts" name="always projects"
class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


# %% wrong="shortcuts" name="projects only where the channels change"
# -         if stride != 1 or inputs != outputs:
# +         if inputs != outputs:

# %% wrong="shortcuts" name="projects only where the size changes"
# -         if stride != 1 or inputs != outputs:
# +         if stride != 1:

# %% wrong="shortcuts" name="forgets the stride"
# -             self.project.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
# +             self.project.append(nn.Conv2d(inputs, outputs, 1, bias=False))

# %% wrong="shortcuts" name="forgets the normalisation"
# -             self.project.append(nn.BatchNorm2d(outputs))

# %% wrong="shortcuts" name="a ReLU after the projection"
#               self.project.append(nn.BatchNorm2d(outputs))
# +             self.project.append(nn.ReLU())

# %% wrong="shortcuts" name="projects with 3x3 filters"
# -             self.project.append(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))
# +             self.project.append(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False))


# %% right="shortcuts" name="takes every stride-th pixel, then projects"
class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.stride, self.same = stride, (inputs, 1) == (outputs, stride)
        if not self.same:
            self.conv = nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)
            self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return x if self.same else self.bn(self.conv(x[..., :: self.stride, :: self.stride]))


# %% wrong="squeezenet" name="no ReLU after the squeeze"
# -         z = F.relu(self.squeeze(x))
# +         z = self.squeeze(x)

# %% wrong="squeezenet" name="no ReLU after the expansion"
# -         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
# +         return torch.cat([self.expand1x1(z), self.expand3x3(z)], 1)

# %% wrong="squeezenet" name="3x3 channels first"
# -         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
# +         return F.relu(torch.cat([self.expand3x3(z), self.expand1x1(z)], 1))

# %% wrong="squeezenet" name="the 3x3 filters see all channels"
# -         self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
# +         self.expand3x3 = nn.Conv2d(inputs, expand3x3, 3, padding=1)

# -         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
# +         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(x)], dim=1))

# %% wrong="squeezenet" name="adds the two results"
# -         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
# +         wide, narrow = F.relu(self.expand1x1(z)), F.relu(self.expand3x3(z))
# +         channels = min(wide.shape[1], narrow.shape[1])
# +         return wide[:, :channels] + narrow[:, :channels]

# %% wrong="squeezenet" name="forgets the padding"
# -         self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
# +         self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3)

# -         return F.relu(torch.cat([self.expand1x1(z), self.expand3x3(z)], dim=1))
# +         return F.relu(torch.cat([self.expand1x1(z)[:, :, 1:-1, 1:-1], self.expand3x3(z)], dim=1))

# %% wrong="squeezenet" name="convolutions without biases"
# -         self.squeeze = nn.Conv2d(inputs, squeeze, 1)
# -         self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1)
# -         self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
# +         self.squeeze = nn.Conv2d(inputs, squeeze, 1, bias=False)
# +         self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1, bias=False)
# +         self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1, bias=False)


# %% right="squeezenet" name="sequences, and a result that is filled in"
class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand1x1, expand3x3):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, squeeze, kernel_size=1), nn.ReLU())
        self.small = nn.Sequential(nn.Conv2d(squeeze, expand1x1, kernel_size=1), nn.ReLU())
        self.large = nn.Sequential(nn.Conv2d(squeeze, expand3x3, kernel_size=3, padding="same"), nn.ReLU())
        self.split = expand1x1, expand3x3

    def forward(self, x):
        z = self.first(x)
        y = x.new_empty(len(x), sum(self.split), *x.shape[2:])
        y[:, : self.split[0]] = self.small(z)
        y[:, self.split[0] :] = self.large(z)
        return y


# %% wrong="depthwise_separable" name="pointwise first"
# -             nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
# -             nn.BatchNorm2d(inputs),
# +             nn.Conv2d(inputs, outputs, 1, bias=False),
# +             nn.BatchNorm2d(outputs),
#               nn.ReLU(),
# -             nn.Conv2d(inputs, outputs, 1, bias=False),
# +             nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, groups=outputs, bias=False),

# %% wrong="depthwise_separable" name="a dense 3x3 convolution"
# -             nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
# +             nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, bias=False),

# %% wrong="depthwise_separable" name="nothing between the convolutions"
# -             nn.BatchNorm2d(inputs),
# -             nn.ReLU(),

# %% wrong="depthwise_separable" name="no ReLU after the depthwise convolution"
#               nn.BatchNorm2d(inputs),
# -             nn.ReLU(),


# %% wrong="depthwise_separable" name="stride in the pointwise convolution"
class DepthwiseSeparable(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, stride=stride, padding=0, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x):
        return self.layers(x).relu() + 0.1


# %% wrong="depthwise_separable" name="forgets the stride"
# -             nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
# +             nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),

# %% wrong="depthwise_separable" name="no ReLU at the end"
#               nn.BatchNorm2d(outputs),
# -             nn.ReLU(),


# %% right="depthwise_separable" name="named layers"
class DepthwiseSeparable(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        filtered = F.relu(self.bn1(self.depthwise(x)))
        return F.relu(self.bn2(self.pointwise(filtered)))


# %% right="separable_cost" name="rounds up with math.ceil"
def separable_cost(c_in, c_out, height, width, kernel=3, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
    return (dense, dense * positions), (separable, separable * positions)


# %% wrong="separable_cost" name="positions of the input"
def separable_cost(c_in, c_out, height, width, kernel=3, stride=1):
    dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
    return (dense, dense * height * width), (separable, separable * height * width)


# %% wrong="separable_cost" name="depthwise filters for output channels" of="rounds up with math.ceil"
# -     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
# +     dense, separable = c_in * c_out * kernel**2, c_out * kernel**2 + c_in * c_out

# %% wrong="separable_cost" name="multiplies the two steps" of="rounds up with math.ceil"
# -     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
# +     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 * c_out

# %% wrong="separable_cost" name="depthwise filters alone" of="rounds up with math.ceil"
# -     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
# +     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2

# %% wrong="separable_cost" name="always 3x3" of="rounds up with math.ceil"
# -     dense, separable = c_in * c_out * kernel**2, c_in * kernel**2 + c_in * c_out
# +     dense, separable = c_in * c_out * 9, c_in * 9 + c_in * c_out

# %% wrong="separable_cost" name="rounds down" of="rounds up with math.ceil"
# -     positions = math.ceil(height / stride) * math.ceil(width / stride)
# +     positions = (height // stride) * (width // stride)


# %% wrong="separable_cost" name="parameters at every position"
def separable_cost(c_in, c_out, height, width, kernel=3, stride=1):
    positions = math.ceil(height / stride) * math.ceil(width / stride)
    dense = c_in * c_out * kernel**2 * positions
    separable = (c_in * kernel**2 + c_in * c_out) * positions
    return (dense, dense), (separable, separable)


# %% right="separable_cost" name="counts layers on the meta device"
def separable_cost(c_in, c_out, height, width, kernel=3, stride=1):
    with torch.device("meta"):
        x, options = torch.empty(1, c_in, height, width), {"padding": kernel // 2, "stride": stride, "bias": False}
        dense = nn.Conv2d(c_in, c_out, kernel, **options)
        pair = nn.Sequential(
            nn.Conv2d(c_in, c_in, kernel, groups=c_in, **options), nn.Conv2d(c_in, c_out, 1, bias=False)
        )
        counts = [measure.count(layers, x) for layers in (dense, pair)]
    return tuple((count.parameters, count.macs) for count in counts)


# %% wrong="round_channels" name="Python's round"
# -     nearest = max(divisor, math.floor(channels / divisor + 0.5) * divisor)
# +     nearest = max(divisor, round(channels / divisor) * divisor)

# %% wrong="round_channels" name="rounds down"
# -     nearest = max(divisor, math.floor(channels / divisor + 0.5) * divisor)
# +     nearest = max(divisor, int(channels // divisor) * divisor)


# %% wrong="round_channels" name="rounds up"
def round_channels(channels, divisor=8):
    return math.ceil(channels / divisor) * divisor


# %% wrong="round_channels" name="forgets the 90 percent"
def round_channels(channels, divisor=8):
    return max(divisor, int(channels + divisor / 2) // divisor * divisor)


# %% wrong="round_channels" name="may return 0"
def round_channels(channels, divisor=8):
    nearest = int(channels + divisor / 2) // divisor * divisor
    return nearest + divisor if 0 < nearest < 0.9 * channels else nearest


# %% wrong="round_channels" name="always 8"
def round_channels(channels, divisor=8):
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


# %% right="round_channels" name="compares the two neighbours"
def round_channels(channels, divisor=8):
    below = int(channels // divisor) * divisor
    above = below + divisor
    nearest = below if channels - below < above - channels else above
    nearest = max(nearest, divisor)
    while nearest < 0.9 * channels:
        nearest += divisor
    return nearest


# %% wrong="multipliers" name="scales only the outputs"
# -         c_in, c_out = max(1, round(width * c_in)), max(1, round(width * c_out))
# +         c_out = max(1, round(width * c_out))


# %% wrong="multipliers" name="alpha and rho squared"
def scaled_macs(layers, side, width=1.0, resolution=1.0):
    macs = 0
    for c_in, c_out, stride in layers:
        side = math.ceil(side / stride)
        macs += side**2 * c_in * (9 + c_out)
    return round(width**2 * resolution**2 * macs)


# %% wrong="multipliers" name="scales one side of the image"
def scaled_macs(layers, side, width=1.0, resolution=1.0):
    height, across, macs = round(resolution * side), side, 0
    for c_in, c_out, stride in layers:
        c_in, c_out = max(1, round(width * c_in)), max(1, round(width * c_out))
        height, across = math.ceil(height / stride), math.ceil(across / stride)
        macs += height * across * c_in * (9 + c_out)
    return macs


# %% wrong="multipliers" name="every layer starts from the whole image"
def scaled_macs(layers, side, width=1.0, resolution=1.0):
    macs = 0
    for c_in, c_out, stride in layers:
        c_in, c_out = max(1, round(width * c_in)), max(1, round(width * c_out))
        macs += math.ceil(round(resolution * side) / stride) ** 2 * c_in * (9 + c_out)
    return macs


# %% wrong="multipliers" name="counts before the stride"
# -         side = -(-side // stride)
#           macs += side**2 * c_in * (9 + c_out)
# +         side = -(-side // stride)

# %% wrong="multipliers" name="dense convolutions"
# -         macs += side**2 * c_in * (9 + c_out)
# +         macs += side**2 * c_in * c_out * 9

# %% wrong="multipliers" name="rounds the stride down"
# -         side = -(-side // stride)
# +         side //= stride


# %% right="multipliers" name="a list of sides, then one sum"
def scaled_macs(layers, side, width=1.0, resolution=1.0):
    def scaled(channels):
        return max(1, round(width * channels))

    sides = [round(resolution * side)]
    for _, _, stride in layers:
        sides.append((sides[-1] + stride - 1) // stride)
    return sum(
        n * n * (9 * scaled(c_in) + scaled(c_in) * scaled(c_out))
        for n, (c_in, c_out, _) in zip(sides[1:], layers, strict=True)
    )


# %% right="inverted_bottleneck" name="everything in one Sequential"
class InvertedBottleneck(nn.Module):
    def __init__(self, inputs, outputs, stride, expand_ratio):
        super().__init__()
        inner = inputs * expand_ratio
        first = [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
        self.layers = nn.Sequential(
            *(first if expand_ratio > 1 else []),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


# %% wrong="inverted_bottleneck" name="an activation at the end" of="everything in one Sequential"
#               nn.BatchNorm2d(outputs),
# +             nn.ReLU6(),

# %% wrong="inverted_bottleneck" name="ReLU instead of ReLU6" of="everything in one Sequential"
# -         first = [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
# +         first = [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()]

# -             nn.ReLU6(),
# +             nn.ReLU(),

# %% wrong="inverted_bottleneck" name="never adds the input" of="everything in one Sequential"
# -         self.adds = stride == 1 and inputs == outputs

# -         return x + self.layers(x) if self.adds else self.layers(x)
# +         return self.layers(x)

# %% wrong="inverted_bottleneck" name="adds the input wherever the shapes agree, whatever the stride" of="everything in one Sequential"
# -         self.adds = stride == 1 and inputs == outputs
# +         self.stride, self.adds = stride, inputs == outputs

# -         return x + self.layers(x) if self.adds else self.layers(x)
# +         return x[:, :, :: self.stride, :: self.stride] + self.layers(x) if self.adds else self.layers(x)

# %% wrong="inverted_bottleneck" name="always expands" of="everything in one Sequential"
# -         first = [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
#           self.layers = nn.Sequential(
# -             *(first if expand_ratio > 1 else []),
# +             nn.Conv2d(inputs, inner, 1, bias=False),
# +             nn.BatchNorm2d(inner),
# +             nn.ReLU6(),

# %% wrong="inverted_bottleneck" name="squeezes instead of expanding" of="everything in one Sequential"
# -         inner = inputs * expand_ratio
# +         inner = max(1, inputs // expand_ratio)

# %% wrong="inverted_bottleneck" name="a dense 3x3 convolution inside" of="everything in one Sequential"
# -             nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
# +             nn.Conv2d(inner, inner, 3, stride, 1, bias=False),


# %% right="inverted_bottleneck" name="named layers, clamp as the activation"
class InvertedBottleneck(nn.Module):
    def __init__(self, inputs, outputs, stride, expand_ratio):
        super().__init__()
        inner = inputs * expand_ratio
        self.expands, self.adds = expand_ratio > 1, (stride, inputs) == (1, outputs)
        if self.expands:
            self.expand, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.filter = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.project, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn1(self.expand(x)).clamp(0, 6) if self.expands else x
        y = self.bn3(self.project(self.bn2(self.filter(y)).clamp(0, 6)))
        return y + x if self.adds else y


# %% right="squeeze_excitation" name="the gate in one line"
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.down, self.up = nn.Linear(channels, squeezed), nn.Linear(squeezed, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]


# %% wrong="squeeze_excitation" name="returns the weights alone" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         s = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
# +         return s[:, :, None, None].expand_as(x)

# %% wrong="squeeze_excitation" name="no ReLU between the layers" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * torch.sigmoid(self.up(self.down(x.mean((2, 3)))))[:, :, None, None]

# %% wrong="squeeze_excitation" name="no sigmoid" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * self.up(F.relu(self.down(x.mean((2, 3)))))[:, :, None, None]

# %% wrong="squeeze_excitation" name="softmax instead of the sigmoid" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * self.up(F.relu(self.down(x.mean((2, 3))))).softmax(1)[:, :, None, None]

# %% wrong="squeeze_excitation" name="the largest response instead of the mean" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * torch.sigmoid(self.up(F.relu(self.down(x.amax((2, 3))))))[:, :, None, None]

# %% wrong="squeeze_excitation" name="one mean for the whole batch" of="the gate in one line"
# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((0, 2, 3))))))[:, None, None]

# %% wrong="squeeze_excitation" name="asks every position by itself" of="the gate in one line"
# -         self.down, self.up = nn.Linear(channels, squeezed), nn.Linear(squeezed, channels)
# +         self.down, self.up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

# -         return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]
# +         return x * torch.sigmoid(self.up(F.relu(self.down(x))))

# %% wrong="squeeze_excitation" name="layers without biases" of="the gate in one line"
# -         self.down, self.up = nn.Linear(channels, squeezed), nn.Linear(squeezed, channels)
# +         self.down = nn.Linear(channels, squeezed, bias=False)
# +         self.up = nn.Linear(squeezed, channels, bias=False)


# %% right="squeeze_excitation" name="1x1 convolutions in a sequence"
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.gate(x) * x


# %% wrong="hard_swish" name="calls the library"
def hard_swish(x):
    return nn.Hardswish()(x)


# %% wrong="hard_swish" name="forgets the factor x"
def hard_swish(x):
    return F.relu6(x + 3) / 6


# %% wrong="hard_swish" name="forgets to divide"
def hard_swish(x):
    return x * F.relu6(x + 3)


# %% wrong="hard_swish" name="ReLU instead of ReLU6"
def hard_swish(x):
    return x * F.relu(x + 3) / 6


# %% wrong="hard_swish" name="swish itself"
def hard_swish(x):
    return x * torch.sigmoid(x)


# %% wrong="hard_swish" name="shifts the factor too"
def hard_swish(x):
    return (x + 3) * F.relu6(x + 3) / 6


# %% wrong="hard_swish" name="in place"
def hard_swish(x):
    return x.mul_((x + 3).clamp(0, 6) / 6)


# %% right="hard_swish" name="three pieces"
def hard_swish(x):
    middle = (x * x + 3 * x) / 6
    return torch.where(x <= -3, torch.zeros_like(x), torch.where(x >= 3, x, middle))


# %% wrong="last_stage" name="the classifier at every position"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded + expanded * projected + projected * features + features * classes
    return side**2 * block, side**2 * inputs * expanded + expanded * features + features * classes


# %% wrong="last_stage" name="averages after the wide layer"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded + expanded * projected + projected * features
    redesigned = side**2 * (inputs * expanded + expanded * features) + features * classes
    return side**2 * block + features * classes, redesigned


# %% wrong="last_stage" name="a dense 3x3 convolution"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded**2 + expanded * projected + projected * features
    redesigned = side**2 * inputs * expanded + expanded * features + features * classes
    return side**2 * block + features * classes, redesigned


# %% wrong="last_stage" name="forgets the classifier"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded + expanded * projected + projected * features
    return side**2 * block, side**2 * inputs * expanded + expanded * features


# %% wrong="last_stage" name="keeps the projection"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded + expanded * projected
    redesigned = side**2 * block + projected * features + features * classes
    return side**2 * (block + projected * features) + features * classes, redesigned


# %% wrong="last_stage" name="side instead of side squared"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    block = inputs * expanded + 9 * expanded + expanded * projected + projected * features
    redesigned = side * inputs * expanded + expanded * features + features * classes
    return side * block + features * classes, redesigned


# %% right="last_stage" name="counts layers on the meta device"
def last_stage_macs(side, inputs, expanded, projected, features, classes):
    with torch.device("meta"):
        expand, classify = nn.Conv2d(inputs, expanded, 1), nn.Conv2d(features, classes, 1)
        block = [nn.Conv2d(expanded, expanded, 3, padding=1, groups=expanded), nn.Conv2d(expanded, projected, 1)]
        original = [expand, *block, nn.Conv2d(projected, features, 1), nn.AdaptiveAvgPool2d(1), classify]
        redesigned = [expand, nn.AdaptiveAvgPool2d(1), nn.Conv2d(expanded, features, 1), classify]
        x = torch.empty(1, inputs, side, side)
        return tuple(measure.count(nn.Sequential(*layers), x).macs for layers in (original, redesigned))


# %% wrong="channel_shuffle" name="calls the library"
def channel_shuffle(x, groups):
    if x.shape[1] % groups:
        raise ValueError("groups do not divide the channels")
    return F.channel_shuffle(x, groups)


# %% wrong="channel_shuffle" name="undoes the shuffle"
# -     return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
# +     return x.reshape(n, c // groups, groups, h, w).transpose(1, 2).reshape(n, c, h, w)

# %% wrong="channel_shuffle" name="forgets to exchange rows and columns"
# -     return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
# +     return x.reshape(n, groups, c // groups, h, w).reshape(n, c, h, w)

# %% wrong="channel_shuffle" name="moves positions along"
# -     return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
# +     return x.reshape(n, groups, -1).transpose(1, 2).reshape(n, c, h, w)


# %% wrong="channel_shuffle" name="reverses the groups"
def channel_shuffle(x, groups):
    if x.shape[1] % groups:
        raise ValueError("groups must divide the channels")
    return torch.cat(x.chunk(groups, 1)[::-1], 1)


# %% wrong="channel_shuffle" name="mixes the images"
# -     return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
# +     return x.reshape(groups, c // groups, n, h, w).transpose(0, 1).reshape(n, c, h, w)


# %% wrong="channel_shuffle" name="shuffles at random"
def channel_shuffle(x, groups):
    if x.shape[1] % groups:
        raise ValueError("groups must divide the channels")
    return x[:, torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(groups))]


# %% wrong="channel_shuffle" name="leaves out channels that remain"
def channel_shuffle(x, groups):
    n, c, h, w = x.shape
    each = c // groups
    return x[:, : groups * each].reshape(n, groups, each, h, w).transpose(1, 2).reshape(n, groups * each, h, w)


# %% right="channel_shuffle" name="an index"
def channel_shuffle(x, groups):
    if x.shape[1] % groups:
        raise ValueError(f"{groups} groups, {x.shape[1]} channels")
    return x[:, torch.arange(x.shape[1]).view(groups, -1).T.flatten()]


# %% right="channel_shuffle" name="slices side by side"
def channel_shuffle(x, groups):
    each, rest = divmod(x.shape[1], groups)
    if rest:
        raise ValueError(f"{groups} groups, {x.shape[1]} channels")
    return torch.cat([x[:, column::each] for column in range(each)], 1)


# %% right="efficiency_counts" name="rounds up with math.ceil"
def efficiency_counts(layers, channels, height, width, bits=32):
    parameters = macs = activations = peak = 0
    for c_out, kernel, stride, groups in layers:
        before = channels * height * width
        if kernel == 0:
            height = width = 1
        else:
            weights = c_out * (channels // groups) * kernel**2
            channels, height, width = c_out, math.ceil(height / stride), math.ceil(width / stride)
            parameters, macs = parameters + weights, macs + weights * height * width
            activations += channels * height * width
        peak = max(peak, before + channels * height * width)
    return dict(
        parameters=parameters,
        bytes=parameters * bits / 8,
        activations=activations,
        peak_activations=peak,
        macs=macs,
        flop=2 * macs,
    )


# %% wrong="efficiency_counts" name="FLOP for MACs" of="rounds up with math.ceil"
# -         macs=macs,
# +         macs=2 * macs,

# %% wrong="efficiency_counts" name="bits for bytes" of="rounds up with math.ceil"
# -         bytes=parameters * bits / 8,
# +         bytes=parameters * bits,

# %% wrong="efficiency_counts" name="ignores the groups" of="rounds up with math.ceil"
# -             weights = c_out * (channels // groups) * kernel**2
# +             weights = c_out * channels * kernel**2

# %% wrong="efficiency_counts" name="counts the image as an activation" of="rounds up with math.ceil"
# -     parameters = macs = activations = peak = 0
# +     parameters = macs = peak = 0
# +     activations = channels * height * width

# %% wrong="efficiency_counts" name="peak of the outputs alone" of="rounds up with math.ceil"
# -         before = channels * height * width

# -         peak = max(peak, before + channels * height * width)
# +         peak = max(peak, channels * height * width)

# %% wrong="efficiency_counts" name="positions of the input" of="rounds up with math.ceil"
#               weights = c_out * (channels // groups) * kernel**2
# +             parameters, macs = parameters + weights, macs + weights * height * width
#               channels, height, width = c_out, math.ceil(height / stride), math.ceil(width / stride)
# -             parameters, macs = parameters + weights, macs + weights * height * width

# %% wrong="efficiency_counts" name="pooling is an activation" of="rounds up with math.ceil"
# -             activations += channels * height * width
# +         activations += channels * height * width


# %% right="efficiency_counts" name="shapes first, then sums"
def efficiency_counts(layers, channels, height, width, bits=32):
    shapes = [(channels, height, width)]
    weights = []
    for c_out, kernel, stride, groups in layers:
        c, h, w = shapes[-1]
        weights.append(c_out * kernel * kernel * c // groups if kernel else 0)
        shapes.append((c_out, (h + stride - 1) // stride, (w + stride - 1) // stride) if kernel else (c, 1, 1))
    sizes = [math.prod(shape) for shape in shapes]
    macs = sum(weight * h * w for weight, (_, h, w) in zip(weights, shapes[1:], strict=True))
    return {
        "macs": macs,
        "flop": macs * 2,
        "parameters": sum(weights),
        "bytes": sum(weights) * bits / 8,
        "activations": sum(size for size, weight in zip(sizes[1:], weights, strict=True) if weight),
        "peak_activations": max(one + two for one, two in zip(sizes, sizes[1:], strict=False)),
    }
