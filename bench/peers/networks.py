"""Networks of the zoo in plain PyTorch, as backbones of a detector: the same layers and names as in src/zoo.

Each gives its decoder's features, of `channels` and `stride`, and the encoder's maps by stride; `sides` has the channels
of the maps that a light head joins.
"""

import torch
import torch.nn.functional as F
from torch import nn

HEAD_CHANNELS = 32
RESIDUAL_GAIN = 0.1

def relu(x):
    return F.relu(x, inplace=True)


def norm(channels, eps=1e-3, gain=1.0):
    made = nn.BatchNorm2d(channels, eps=eps)
    nn.init.constant_(made.weight, gain)
    return made


def clipped(dilation, side):
    """A dilation beyond the map only reads its middle tap: half of the side is used in its place."""
    return dilation if dilation < side else max(1, side // 2)


def conv(inputs, outputs, kernel, stride=1, bias=True):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


def depthwise(channels):
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride, bias=False)
        self.bn = norm(outputs, eps=1e-5)

    def forward(self, x):
        return self.bn(self.conv(x))


def column(inputs, length, dilation=1, stride=1, outputs=None):
    """length x 1."""
    padding = (length - 1) * dilation // 2
    return nn.Conv2d(inputs, outputs or inputs, (length, 1), (stride, 1), (padding, 0), (dilation, 1))


def row(inputs, length, dilation=1, stride=1, outputs=None):
    """1 x length."""
    padding = (length - 1) * dilation // 2
    return nn.Conv2d(inputs, outputs or inputs, (1, length), (1, stride), (0, padding), (1, dilation))


def bilinear(x, size):
    return x if x.shape[2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=True)


class Downsampler(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = conv(inputs, outputs - inputs, 3, stride=2)
        self.bn = norm(outputs)

    def forward(self, x):
        return relu(self.bn(torch.cat([self.conv(x), F.max_pool2d(x, 2)], 1)))


class Upsampler(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.bn = norm(outputs)

    def forward(self, x):
        return relu(self.bn(self.conv(x)))


class NonBottleneck1d(nn.Module):
    def __init__(self, channels, length=3, dilation=1):
        super().__init__()
        self.conv3x1_1 = column(channels, length)
        self.conv1x3_1 = row(channels, length)
        self.bn1 = norm(channels)
        self.conv3x1_2 = column(channels, length, dilation)
        self.conv1x3_2 = row(channels, length, dilation)
        self.bn2 = norm(channels, gain=RESIDUAL_GAIN)

    def forward(self, x):
        y = relu(self.bn1(self.conv1x3_1(relu(self.conv3x1_1(x)))))
        y = self.bn2(self.conv1x3_2(relu(self.conv3x1_2(y))))
        return relu(y + x)


class SplitShuffle(nn.Module):
    """LEDNet's SS-nbt."""

    def __init__(self, channels, dilation):
        super().__init__()
        half = channels // 2
        self.conv3x1_1_l = column(half, 3)
        self.conv1x3_1_l = row(half, 3)
        self.bn1_l = norm(half)
        self.conv3x1_2_l = column(half, 3, dilation)
        self.conv1x3_2_l = row(half, 3, dilation)
        self.bn2_l = norm(half, gain=RESIDUAL_GAIN)
        self.conv1x3_1_r = row(half, 3)
        self.conv3x1_1_r = column(half, 3)
        self.bn1_r = norm(half)
        self.conv1x3_2_r = row(half, 3, dilation)
        self.conv3x1_2_r = column(half, 3, dilation)
        self.bn2_r = norm(half, gain=RESIDUAL_GAIN)

    def forward(self, x):
        left, right = x.chunk(2, 1)
        a = relu(self.bn1_l(self.conv1x3_1_l(relu(self.conv3x1_1_l(left)))))
        a = self.bn2_l(self.conv1x3_2_l(relu(self.conv3x1_2_l(a))))
        b = relu(self.bn1_r(self.conv3x1_1_r(relu(self.conv1x3_1_r(right)))))
        b = self.bn2_r(self.conv3x1_2_r(relu(self.conv1x3_2_r(b))))
        return interleaved(relu(a + left), relu(b + right))


def interleaved(a, b):
    """Joins two halves and shuffles the channels, in one copy. Channels that lie last in memory stay there."""
    if a.is_contiguous():
        return torch.stack([a, b], 2).flatten(1, 2)
    return torch.stack([a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)], 4).flatten(3).permute(0, 3, 1, 2)


class Parallel(nn.Module):
    """ESNet's PFCU; its three branches share one norm, as in the published code."""

    def __init__(self, channels, side):
        super().__init__()
        self.conv3x1_1 = column(channels, 3)
        self.conv1x3_1 = row(channels, 3)
        self.bn1 = norm(channels)
        for rate in (2, 5, 9):
            self.add_module(f"conv3x1_2{rate}", column(channels, 3, clipped(rate, side)))
            self.add_module(f"conv1x3_2{rate}", row(channels, 3, clipped(rate, side)))
        self.bn2 = norm(channels, gain=RESIDUAL_GAIN)

    def forward(self, x):
        y = relu(self.bn1(self.conv1x3_1(relu(self.conv3x1_1(x)))))
        a = self.bn2(self.conv1x3_22(relu(self.conv3x1_22(y))))
        b = self.bn2(self.conv1x3_25(relu(self.conv3x1_25(y))))
        c = self.bn2(self.conv1x3_29(relu(self.conv3x1_29(y))))
        return relu(x + a + b + c)


class ConvNormRelu(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Sequential(conv(inputs, outputs, 1), norm(outputs))

    def forward(self, x):
        return relu(self.conv(x))


def lines(inputs, length, stride=1):
    """n x 1, 1 x n, norm and ReLU, to one channel."""
    return [
        column(inputs, length, stride=stride, outputs=1),
        row(1, length, stride=stride),
        norm(1),
        nn.ReLU(inplace=True),
    ]


class AttentionPyramid(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.branch1 = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvNormRelu(inputs, outputs))
        self.mid = nn.Sequential(ConvNormRelu(inputs, outputs))
        self.down1 = nn.Sequential(*lines(inputs, 7, stride=2))
        self.down2 = nn.Sequential(*lines(1, 5, stride=2))
        self.down3 = nn.Sequential(*lines(1, 3, stride=2), *lines(1, 3))
        self.conv2 = nn.Sequential(*lines(1, 5))
        self.conv1 = nn.Sequential(*lines(1, 7))

    def forward(self, x):
        half = self.down1(x)
        quarter = self.down2(half)
        y = self.conv2(quarter) + bilinear(self.down3(quarter), quarter.shape[2:])
        y = self.conv1(half) + bilinear(y, half.shape[2:])
        return bilinear(y, x.shape[2:]) * self.mid(x) + self.branch1(x)


# --------------------------------------------------------------------------------------------------- backbones


class LEDNet(nn.Module):
    channels, stride, sides = HEAD_CHANNELS, 8, {4: 64, 2: 32}

    def __init__(self, size):
        super().__init__()
        side = size // 8
        self.initial_block = Downsampler(3, 32)
        blocks = [SplitShuffle(32, 1) for _ in range(3)]
        blocks += [Downsampler(32, 64), SplitShuffle(64, 1), SplitShuffle(64, 1), Downsampler(64, 128)]
        blocks += [SplitShuffle(128, clipped(rate, side)) for rate in (1, 2, 5, 9, 2, 5, 9, 17)]
        self.layers = nn.ModuleList(blocks)
        self.apn = AttentionPyramid(128, HEAD_CHANNELS)

    def forward(self, x):
        x = self.initial_block(x)
        maps = {}
        for i, layer in enumerate(self.layers):
            if i == 3:
                maps[2] = x
            elif i == 6:
                maps[4] = x
            x = layer(x)
        return self.apn(x), maps


class ERFNet(nn.Module):
    channels, stride, sides = 16, 2, {}

    def __init__(self, size):
        super().__init__()
        side = size // 8
        self.encoder = nn.Module()
        self.encoder.initial_block = Downsampler(3, 16)
        blocks = [Downsampler(16, 64)] + [NonBottleneck1d(64) for _ in range(5)]
        blocks += [Downsampler(64, 128)]
        blocks += [NonBottleneck1d(128, dilation=clipped(rate, side)) for rate in (2, 4, 8, 16) * 2]
        self.encoder.layers = nn.ModuleList(blocks)
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList(
            [Upsampler(128, 64), NonBottleneck1d(64), NonBottleneck1d(64)]
            + [Upsampler(64, 16), NonBottleneck1d(16), NonBottleneck1d(16)]
        )
        self.decoder.skip = conv(64, 64, 1)

    def forward(self, x):
        x = self.encoder.initial_block(x)
        for i, layer in enumerate(self.encoder.layers):
            if i == 6:
                quarter = x
            x = layer(x)
        for i, layer in enumerate(self.decoder.layers):
            x = layer(x)
            if i == 0:
                x = x + self.decoder.skip(quarter)
        return x, {}


class ESNet(nn.Module):
    channels, stride, sides = 16, 2, {}

    def __init__(self, size):
        super().__init__()
        self.initial_block = Downsampler(3, 16)
        blocks = [NonBottleneck1d(16) for _ in range(3)]
        blocks += [Downsampler(16, 64), NonBottleneck1d(64, 5), NonBottleneck1d(64, 5), Downsampler(64, 128)]
        blocks += [Parallel(128, size // 8) for _ in range(3)]
        blocks += [Upsampler(128, 64), NonBottleneck1d(64, 5), NonBottleneck1d(64, 5)]
        blocks += [Upsampler(64, 16), NonBottleneck1d(16), NonBottleneck1d(16)]
        self.layers = nn.ModuleList(blocks)
        self.skip = conv(64, 64, 1)

    def forward(self, x):
        x = self.initial_block(x)
        for i, layer in enumerate(self.layers):
            if i == 6:
                quarter = x
            x = layer(x)
            if i == 10:
                x = x + self.skip(quarter)
        return x, {}


class SameBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel=3):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel)
        self.norm = norm(outputs, eps=1e-5)

    def forward(self, x):
        return relu(self.norm(self.conv(x)))


class DownBlock(SameBlock):
    def forward(self, x):
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class Hourglass(nn.Module):
    stride, sides = 1, {}

    def __init__(self, inputs, expansion, most, blocks):
        super().__init__()
        widths = [inputs] + [min(most, expansion * 2**i) for i in range(1, blocks + 1)]
        self.encoder = nn.Module()
        self.encoder.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in zip(widths, widths[1:]))
        self.decoder = nn.Module()
        ups, channels = [], widths[-1]
        for scale in reversed(range(blocks)):
            width = min(most, expansion * 2**scale)
            ups.append(UpBlock(channels, width))
            channels = width + widths[scale]
        self.decoder.up_blocks = nn.ModuleList(ups)
        self.channels = channels

    def features(self, x):
        maps = [x]
        for block in self.encoder.down_blocks:
            maps.append(block(maps[-1]))
        x = maps.pop()
        for block in self.decoder.up_blocks:
            x = torch.cat([block(x), maps.pop()], 1)
        return x

    def forward(self, x):
        return self.features(x), {}


class RepVgg(nn.Module):
    """Three branches, each with a norm; the third only where the shape stays."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.rbr_dense = ConvNorm(inputs, outputs, 3, stride)
        self.rbr_1x1 = ConvNorm(inputs, outputs, 1, stride)
        self.rbr_identity = norm(inputs, eps=1e-5) if stride == 1 and inputs == outputs else None

    def forward(self, x):
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        return relu(y if self.rbr_identity is None else y + self.rbr_identity(x))


class InvertedResidual(nn.Module):
    def __init__(self, channels, expansion=4):
        super().__init__()
        wide = expansion * channels
        self.conv_pw = conv(channels, wide, 1, bias=False)
        self.bn1 = norm(wide, eps=1e-5)
        self.conv_dw = depthwise(wide)
        self.bn2 = norm(wide, eps=1e-5)
        self.conv_pwl = conv(wide, channels, 1, bias=False)
        self.bn3 = norm(channels, eps=1e-5, gain=RESIDUAL_GAIN)

    def forward(self, x):
        y = relu(self.bn1(self.conv_pw(x)))
        y = relu(self.bn2(self.conv_dw(y)))
        return self.bn3(self.conv_pwl(y)) + x


class Stage(nn.Module):
    """A RepVGG block that halves the map, then inverted residuals."""

    def __init__(self, inputs, outputs, depth):
        super().__init__()
        self.down = RepVgg(inputs, outputs, stride=2)
        self.blocks = nn.Sequential(*(InvertedResidual(outputs) for _ in range(depth)))

    def forward(self, x):
        return self.blocks(self.down(x))


class Level(nn.Module):
    """Doubles a map, adds the encoder's, and smooths the sum."""

    def __init__(self, inputs, outputs, side):
        super().__init__()
        self.up = conv(inputs, outputs, 1, bias=False)
        self.skip = conv(side, outputs, 1)
        self.blocks = nn.Sequential(RepVgg(outputs, outputs))

    def forward(self, x, side):
        x = F.interpolate(self.up(x), scale_factor=2, mode="nearest")
        return self.blocks(x + self.skip(side))


class Ficelle(nn.Module):
    """Its default design."""

    channels, stride, sides = 32, 4, {2: 32}

    def __init__(self):
        super().__init__()
        stem = nn.Module()
        # A 3x3 kernel over squares of 2x2 pixels.
        stem.conv = nn.Conv2d(3, 32, 6, 2, 2, bias=False)
        stem.bn = norm(32, eps=1e-5)
        self.stem = nn.ModuleList([stem])
        self.encoder = nn.ModuleList([Stage(32, 32, 1), Stage(32, 48, 2), Stage(48, 80, 2)])
        self.decoder = nn.ModuleList([Level(80, 48, 48), Level(48, 32, 32)])

    def forward(self, x):
        stem = self.stem[0]
        half = relu(stem.bn(stem.conv(x)))
        quarter = self.encoder[0](half)
        eighth = self.encoder[1](quarter)
        x = self.encoder[2](eighth)
        x = self.decoder[0](x, eighth)
        return self.decoder[1](x, quarter), {2: half}


def backbone(net, size):
    """@param size of the pictures that it sees, in pixels"""
    if net == "hourglass":
        return Hourglass(3, 32, 1024, 5)
    if net == "hourglass-small":
        return Hourglass(3, 16, 128, 4)
    if net == "ficelle":
        return Ficelle()
    return {"lednet": LEDNet, "erfnet": ERFNet, "esnet": ESNet}[net](size)


NETS = ("lednet", "erfnet", "esnet", "hourglass", "hourglass-small", "ficelle")
