"""One training step of the small motion model, in plain PyTorch: what pantin's step is held against.

The model is `smallConfig({ net })` of src/motion/config.ts at 64x64 (batch 8, 10 keypoints with jacobians), the
step that of src/train/reconstruction/step.ts, and parameters have the same names. README.md beside this file says how to run it
and what is compared.

    python training_step.py --net lednet --threads 2 --steps 30 --json      # time it
    python training_step.py --check FOLDER                                  # hold it to export_step.mjs's numbers
"""

import argparse
import json
import math
import pathlib
import resource
import statistics
import struct
import time

import torch
import torch.nn.functional as F
from torch import nn

NETS = ("lednet", "erfnet", "esnet", "hourglass", "hourglass-small")
SIZE, BATCH, KEYPOINTS = 64, 8, 10
TEMPERATURE = 0.5
HEAD_CHANNELS, HEAD_STRIDE = 32, 2
KP_VARIANCE = 0.01
ANCHOR_DEVIATION = 0.35
RESIDUAL_GAIN = 0.1
SPLINE_POINTS = 5
SCALES = 4
WEIGHTS = {"reconstruction": 10.0, "equivarianceValue": 1.0, "equivarianceJacobian": 1.0}
ADAM = {"lr": 2e-3, "betas": (0.5, 0.999), "eps": 1e-8}

# ---------------------------------------------------------------------------------------------------- layers


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
# Each gives its decoder's features with their stride, and the encoder's maps by stride.


class LEDNet(nn.Module):
    channels, stride, sides = HEAD_CHANNELS, 8, {4: 64, 2: 32}

    def __init__(self):
        super().__init__()
        side = SIZE // 8
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

    def __init__(self):
        super().__init__()
        side = SIZE // 8
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

    def __init__(self):
        super().__init__()
        self.initial_block = Downsampler(3, 16)
        blocks = [NonBottleneck1d(16) for _ in range(3)]
        blocks += [Downsampler(16, 64), NonBottleneck1d(64, 5), NonBottleneck1d(64, 5), Downsampler(64, 128)]
        blocks += [Parallel(128, SIZE // 8) for _ in range(3)]
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
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = conv(inputs, outputs, 3)
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


def backbone(net):
    if net == "hourglass":
        return Hourglass(3, 32, 1024, 5)
    if net == "hourglass-small":
        return Hourglass(3, 16, 128, 4)
    return {"lednet": LEDNet, "erfnet": ERFNet, "esnet": ESNet}[net]()


# ---------------------------------------------------------------------------------------------------- detector


class Doubling(nn.Module):
    """Nearest neighbour, plus the encoder's map, then 3x3, norm and ReLU."""

    def __init__(self, channels, side):
        super().__init__()
        self.skip = conv(side, channels, 1)
        self.conv = conv(channels, channels, 3, bias=False)
        self.norm = norm(channels, eps=1e-5)

    def forward(self, x, side):
        x = F.interpolate(x, scale_factor=2, mode="nearest") + self.skip(side)
        return relu(self.norm(self.conv(x)))


class Head(nn.Module):
    """Keypoint maps: a 3x3 convolution, and a trained anchor for each keypoint."""

    def __init__(self, channels, side):
        super().__init__()
        bound = 1 / math.sqrt(channels * 9)
        self.weight = nn.Parameter(torch.empty(KEYPOINTS, channels, 3, 3).uniform_(-bound, bound))
        radius = [0.75 * math.sqrt((i + 0.5) / KEYPOINTS) for i in range(KEYPOINTS)]
        angle = [i * math.pi * (3 - math.sqrt(5)) for i in range(KEYPOINTS)]
        seeds = [[r * math.cos(a), r * math.sin(a)] for r, a in zip(radius, angle)]
        self.anchor = nn.Parameter(torch.tensor(seeds))
        self.register_buffer("line", torch.linspace(-1, 1, side), persistent=False)

    def forward(self, x):
        """[N, K, h w], each of sum 1."""
        squared = (self.line - self.anchor[:, :, None]).square()
        prior = (squared[:, 1, :, None] + squared[:, 0, None, :]) * (-0.5 / ANCHOR_DEVIATION**2)
        maps = F.conv2d(x, self.weight, padding=1) / TEMPERATURE + prior
        return maps.flatten(2).softmax(2)


class Detector(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.predictor = backbone(net)
        self.up = nn.Module()
        if self.predictor.channels != HEAD_CHANNELS:
            self.up.project = conv(self.predictor.channels, HEAD_CHANNELS, 1)
        stride = self.predictor.stride
        for i in range(int(math.log2(stride / HEAD_STRIDE)) if stride > HEAD_STRIDE else 0):
            stride //= 2
            self.up.add_module(str(i), Doubling(HEAD_CHANNELS, self.predictor.sides[stride]))
        side = SIZE // stride
        self.kp = Head(HEAD_CHANNELS, side)
        self.jacobian = nn.Conv2d(HEAD_CHANNELS, 4 * KEYPOINTS, 1)
        nn.init.zeros_(self.jacobian.weight)
        with torch.no_grad():
            self.jacobian.bias.copy_(torch.tensor([1.0, 0, 0, 1]).repeat(KEYPOINTS))
        self.register_buffer("grid", coordinates(side).view(-1, 2), persistent=False)

    def forward(self, x):
        """Keypoints [N, K, 2] and jacobians [N, K, 2, 2] of [N, 3, H, W]."""
        x, maps = self.predictor(x)
        if hasattr(self.up, "project"):
            x = self.up.project(x)
        stride = self.predictor.stride
        for name, block in self.up.named_children():
            if name != "project":
                stride //= 2
                x = block(x, maps[stride])
        heat = self.kp(x)
        # A 1x1 convolution and a weighted mean commute: features are pooled under each heatmap first.
        pooled = heat @ x.flatten(2).transpose(1, 2)
        weight = self.jacobian.weight.view(KEYPOINTS, 4, -1)
        jacobian = torch.einsum("kjf,nkf->nkj", weight, pooled) + self.jacobian.bias.view(KEYPOINTS, 4)
        return heat @ self.grid, jacobian.view(-1, KEYPOINTS, 2, 2)


# --------------------------------------------------------------------------------------------------- generator


def coordinates(side):
    """(x, y) of every pixel in [-1, 1], [side, side, 2]."""
    line = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], 2)


def inverse(m):
    """Of 2x2 matrices; much faster than torch.linalg.inv for so small ones."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    adjugate = torch.stack([d, -b, -c, a], -1).view(m.shape)
    return adjugate / (a * d - b * c)[..., None, None]


def memory_format(x):
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last


def sample(x, points, padding="zeros"):
    """[N, C, h, w], laid out as x is."""
    sampled = F.grid_sample(x, points, padding_mode=padding, align_corners=True)
    return sampled.contiguous(memory_format=memory_format(x))


class AntiAlias(nn.Module):
    """Gaussian filter and choice of every second pixel, as one strided convolution."""

    def __init__(self):
        super().__init__()
        sigma, reach = 0.5, 2
        line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
        line = line / line.sum()
        self.register_buffer("weight", (line[:, None] * line).repeat(3, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight, stride=2, padding=2, groups=3)


class DenseMotion(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = AntiAlias()
        self.hourglass = Hourglass((KEYPOINTS + 1) * 4, 16, 128, 3)
        self.mask = conv(self.hourglass.channels, KEYPOINTS + 1, 3)
        self.occlusion = conv(self.hourglass.channels, 1, 3)
        side = SIZE // 2
        grid = coordinates(side)
        self.register_buffer("line", grid[0, :, 0].clone(), persistent=False)
        points = torch.cat([grid, torch.ones(side, side, 1)], 2).view(-1, 3)
        self.register_buffer("points", points, persistent=False)
        background = torch.tensor([[1.0, 0], [0, 1], [0, 0]])
        self.register_buffer("background", background, persistent=False)

    def gaussian(self, value):
        line = (self.line - value[..., None]).square_().mul_(-0.5 / KP_VARIANCE).exp_()
        return line[:, :, 1, :, None] * line[:, :, 0, None, :]

    def forward(self, source, kp_source, kp_driving):
        """Deformation [N, h, w, 2] and occlusion map [N, 1, h, w], at half of the picture's size."""
        small = self.down(source)
        n, c, h, w = small.shape
        k = KEYPOINTS + 1

        # Affine maps from the driving picture's coordinates to the source's: (x, y, 1) times [N, K + 1, 3, 2].
        linear = (kp_source[1] @ inverse(kp_driving[1])).transpose(2, 3)
        shift = kp_source[0][:, :, None] - kp_driving[0][:, :, None] @ linear
        motions = torch.cat([linear, shift], 2)
        motions = torch.cat([self.background.expand(n, 1, 3, 2), motions], 1)

        points = self.points @ motions
        moved = F.grid_sample(small, points.view(n, k * h, w, 2), align_corners=True).view(n, c, k, h, w)
        heat = self.gaussian(kp_driving[0]) - self.gaussian(kp_source[0])
        heat = F.pad(heat, (0, 0, 0, 0, 1, 0))
        seen = torch.cat([heat[:, :, None], moved.transpose(1, 2)], 2).view(n, 4 * k, h, w)

        features = self.hourglass.features(seen.contiguous(memory_format=memory_format(source)))
        mask = self.mask(features).softmax(1)
        occlusion = self.occlusion(features).sigmoid()
        # The motions are linear in the coordinates: their matrices are averaged, and each pixel mapped once.
        mean = mask.flatten(2).transpose(1, 2) @ motions.view(n, k, 6)
        deformation = (self.points[:, :, None] * mean.view(n, h * w, 3, 2)).sum(2)
        return deformation.view(n, h, w, 2), occlusion


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1 = norm(channels, eps=1e-5)
        self.conv1 = conv(channels, channels, 3)
        self.norm2 = norm(channels, eps=1e-5)
        self.conv2 = conv(channels, channels, 3)

    def forward(self, x):
        y = self.conv1(relu(self.norm1(x)))
        return self.conv2(relu(self.norm2(y))) + x


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [min(128, 12 * 2**i) for i in range(4)]
        self.dense_motion_network = DenseMotion()
        self.first = SameBlock(3, widths[0])
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in zip(widths, widths[1:]))
        self.bottleneck = nn.Sequential()
        for i in range(2):
            self.bottleneck.add_module(f"r{i}", ResidualBlock(widths[-1]))
        back = widths[::-1]
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in zip(back, back[1:]))
        self.final = conv(widths[0], 3, 3)

    def forward(self, source, kp_source, kp_driving):
        deformation, occlusion = self.dense_motion_network(source, kp_source, kp_driving)
        planes = deformation.permute(0, 3, 1, 2)

        def moved(x):
            return sample(x, bilinear(planes, x.shape[2:]).permute(0, 2, 3, 1))

        maps = [self.first(source)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        x = maps.pop()
        x = moved(x) * bilinear(occlusion, x.shape[2:])
        x = self.bottleneck(x)
        for block in self.up_blocks:
            x = block(x)
            side = maps.pop()
            if maps:  # the map at full resolution is not carried over
                x = torch.lerp(x, moved(side), bilinear(occlusion, x.shape[2:]))
        made = self.final(x).sigmoid()
        return torch.lerp(made, moved(source), bilinear(occlusion, source.shape[2:]))


# -------------------------------------------------------------------------------------------- losses and steps


def pyramid_loss(prediction, target):
    difference = prediction - target
    total = 0
    for scale in range(SCALES):
        if scale > 0:
            difference = F.avg_pool2d(difference, 2)
        total = total + difference.abs().mean()
        total = total + difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
    return total / SCALES


class Warp:
    """Random affine maps theta [N, 2, 3] with thin-plate splines [N, points², 1]."""

    controls = None

    def __init__(self, theta, spline):
        self.theta, self.spline = theta, spline
        line = torch.linspace(-1, 1, SPLINE_POINTS, dtype=theta.dtype)
        self.controls = torch.stack([line.repeat(SPLINE_POINTS), line.repeat_interleave(SPLINE_POINTS)])

    def offsets(self, points):
        return points[..., :1] - self.controls[0], points[..., 1:] - self.controls[1]

    def __call__(self, points):
        dx, dy = self.offsets(points)
        distance = dx.abs() + dy.abs()
        basis = distance * distance * torch.log(distance + 1e-6)
        affine = points @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
        return affine + basis @ self.spline

    def jacobian(self, points):
        """In closed form, [N, P, 2, 2]."""
        dx, dy = self.offsets(points)
        distance = dx.abs() + dy.abs()
        safe = distance + 1e-6
        slope = 2 * distance * safe.log() + distance * distance / safe
        gradient = [torch.where(d > 0, slope, -slope) @ self.spline for d in (dx, dy)]
        return self.theta[:, None, :, :2] + torch.cat(gradient, 2)[:, :, None, :]


class MotionModel(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.kp_detector = Detector(net)
        self.generator = Generator()
        self.register_buffer("grid", coordinates(SIZE).view(1, -1, 2), persistent=False)

    def forward(self, frames, theta, spline):
        """The losses of one batch: frames uint8 [2 N, H, W, 3], sources first."""
        source, driving = images(self, frames).chunk(2)
        warp = Warp(theta, spline)
        points = warp(self.grid).view(-1, SIZE, SIZE, 2)
        warped = sample(driving, points, "reflection")

        # One batch of three: the norms' statistics are those of all frames.
        value, jacobian = self.kp_detector(torch.cat([source, driving, warped]))
        kp_source, kp_driving, kp_warped = zip(value.chunk(3), jacobian.chunk(3))
        prediction = self.generator(source, kp_source, kp_driving)

        moved = warp.jacobian(kp_warped[0]) @ kp_warped[1]
        identity = torch.eye(2, dtype=moved.dtype)
        terms = {
            "reconstruction": pyramid_loss(prediction, driving),
            "equivarianceValue": (kp_driving[0] - warp(kp_warped[0])).abs().mean(),
            "equivarianceJacobian": (identity - inverse(kp_driving[1]) @ moved).abs().mean(),
        }
        return {name: WEIGHTS[name] * term for name, term in terms.items()}


class DistilledDetector(nn.Module):
    """The detector alone, trained towards given keypoints and jacobians."""

    def __init__(self, net):
        super().__init__()
        self.kp_detector = Detector(net)

    def forward(self, frames, value, jacobian):
        """The losses of one batch: frames uint8 [N, H, W, 3], their keypoints and jacobians."""
        found = self.kp_detector(images(self, frames))
        return {"value": F.mse_loss(found[0], value), "jacobian": F.mse_loss(found[1], jacobian)}


def images(model, frames):
    """Frames as fed to [N, 3, H, W] in [0, 1], laid out as the model's weights are."""
    weight = next(p for p in model.parameters() if p.dim() == 4)
    pixels = frames.permute(0, 3, 1, 2).to(weight.dtype).mul_(1 / 255)
    return pixels if model.channels_last else pixels.contiguous()


def make_model(what, net, channels_last):
    model = {"step": MotionModel, "detector": DistilledDetector}[what](net).train()
    model.channels_last = channels_last
    return model.to(memory_format=torch.channels_last) if channels_last else model


def make_inputs(what):
    """A batch of the right shapes, where no folder gives one."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    count = 2 * BATCH if what == "step" else BATCH
    smooth = F.interpolate(normal(count, 3, 8, 8), SIZE, mode="bicubic") * 60 + 128
    frames = smooth.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()
    if what == "step":
        theta = torch.eye(2, 3) + 0.05 * normal(BATCH, 2, 3)
        return {"frames": frames, "theta": theta, "spline": 0.005 * normal(BATCH, SPLINE_POINTS**2, 1)}
    jacobian = torch.eye(2) + 0.1 * normal(BATCH, KEYPOINTS, 2, 2)
    return {"frames": frames, "value": 0.5 * normal(BATCH, KEYPOINTS, 2), "jacobian": jacobian}


# ------------------------------------------------------------------------------------------------------- check


def read_safetensors(path):
    types = {"F32": torch.float32, "U8": torch.uint8}
    data = bytearray(pathlib.Path(path).read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            flat = torch.frombuffer(data[begin:end], dtype=types[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def relative(got, expected, floor=0.0):
    return ((got - expected).norm() / max(expected.norm().item(), floor, 1e-30)).item()


def check(folder, args):
    """Compares losses, gradients, the update and the running statistics with those in the folder."""
    meta = json.loads((folder / "step.json").read_text())
    state = read_safetensors(folder / "state.safetensors")
    inputs = read_safetensors(folder / "inputs.safetensors")
    expected = read_safetensors(folder / "results.safetensors")
    model = make_model(meta["what"], meta["net"], args.channels_last)
    weights = {name: value for name, value in state.items() if not name.startswith("adam.")}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"the models differ: missing here {unexpected}, too many here {missing}")
    optimizer = make_optimizer(model, args)
    for name, p in model.named_parameters():
        # The fused optimiser walks through memory: moments are laid out as the parameter is.
        first, second = (torch.empty_like(p).copy_(state[f"adam.{key}.{name}"]) for key in ("first", "second"))
        optimizer.state[p] = {"step": torch.tensor(float(meta["steps"])), "exp_avg": first, "exp_avg_sq": second}
    if args.double:
        model.double()
        inputs = {k: v if v.dtype == torch.uint8 else v.double() for k, v in inputs.items()}

    terms = model(**inputs)
    loss = sum(terms.values())
    loss.backward()
    got = {**terms, "loss": loss}
    losses = {name: relative(got[name].detach(), expected[f"loss.{name}"]) for name in got}

    grads = {name: p.grad for name, p in model.named_parameters()}
    wanted = {name: expected[f"gradient.{name}"] for name in grads}
    everything = torch.cat([g.flatten() for g in wanted.values()])
    overall = relative(torch.cat([g.flatten() for g in grads.values()]), everything)
    # A bias in front of a norm has a gradient of 0, of which both sides compute rounding errors.
    floor = 1e-4 * everything.norm().item()
    idle = [name for name in wanted if wanted[name].norm() < floor]
    each = sorted(((relative(grads[n], wanted[n], floor), n) for n in grads), reverse=True)

    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    if not args.double:
        optimizer.step()
    live = [name for name in before if name not in idle]
    now = dict(model.named_parameters())
    ours = torch.cat([(expected[f"next.{n}"] - before[n]).flatten() for n in live])
    update = relative(torch.cat([(now[n].detach() - before[n]).flatten() for n in live]), ours)
    buffers = {
        name: relative(value, expected[f"next.{name}"])
        for name, value in model.named_buffers()
        if f"next.{name}" in expected
    }

    print(f"{meta['what']} of {meta['net']}, after {meta['steps']} steps")
    for name, error in losses.items():
        print(f"  {name:<22} {got[name].item():.7f}  relative error {error:.1e}")
    print(f"  gradient, overall      {everything.norm().item():.7f}  relative error {overall:.1e}")
    for error, name in each[:5]:
        print(f"    {error:.1e}  {name}")
    print(f"    ({len(idle)} of {len(each)} parameters have a gradient of 0 up to rounding)")
    if not args.double:
        print(f"  Adam's update          relative error {update:.1e}")
    worst = max(buffers, key=buffers.get)
    print(f"  running statistics     relative error {buffers[worst]:.1e} at most ({worst})")
    if max(losses.values()) > 1e-5 or overall > 1e-3:
        raise SystemExit("  FAILED: losses are to agree to 1e-5, the gradient to 1e-3")


# ------------------------------------------------------------------------------------------------------ timing


def make_optimizer(model, args):
    kinds = {"fused": {"fused": True}, "foreach": {"foreach": True}, "single": {"foreach": False}}
    return torch.optim.Adam(model.parameters(), **ADAM, **kinds[args.adam])


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(args):
    imported = peak_mib()
    model = make_model(args.what, args.net, args.channels_last)
    inputs = make_inputs(args.what)
    optimizer = make_optimizer(model, args)
    losses_of = torch.compile(model) if args.compile else model

    def step():
        terms = losses_of(**inputs)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if args.norm:
            torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
        optimizer.step()
        return loss.item()

    began = time.perf_counter()
    step()
    first = time.perf_counter() - began
    for _ in range(args.warmup):
        step()
    times = []
    processor = time.process_time()
    for _ in range(args.steps):
        began = time.perf_counter()
        loss = step()
        times.append(1e3 * (time.perf_counter() - began))
    cores = 1e3 * (time.process_time() - processor) / sum(times)
    if not math.isfinite(loss):
        raise SystemExit("the loss is not finite")
    if args.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(5):
                step()
        table = profile.key_averages()
        print(table.table(sort_by="self_cpu_time_total", row_limit=args.profile, max_name_column_width=50))
    return {
        "peer": "torch",
        "version": torch.__version__,
        "what": args.what,
        "net": args.net,
        "threads": torch.get_num_threads(),
        "steps": args.steps,
        "median_ms": round(statistics.median(times), 2),
        "min_ms": round(min(times), 2),
        "first_ms": round(1e3 * first, 2),
        "cores": round(cores, 2),
        "peak_rss_mib": round(peak_mib()),
        "import_rss_mib": round(imported),
        "channels_last": args.channels_last,
        "adam": args.adam,
        "compile": args.compile,
    }


def main():
    parser = argparse.ArgumentParser(description="One training step of the small motion model in PyTorch.")
    parser.add_argument("--net", choices=NETS, default="lednet")
    parser.add_argument("--what", choices=("step", "detector"), default="step", help="the whole step, or distillation")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=30, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=5, help="steps before them")
    parser.add_argument("--adam", choices=("fused", "foreach", "single"), default="fused")
    layout = argparse.BooleanOptionalAction
    parser.add_argument("--channels-last", action=layout, default=True, help="memory layout of maps and kernels")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--norm", action="store_true", help="compute the gradient's norm, as our step does")
    parser.add_argument("--profile", type=int, metavar="ROWS", default=0, help="print the costliest operators")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", type=pathlib.Path, metavar="FOLDER", help="compare with export_step.mjs's numbers")
    parser.add_argument("--double", action="store_true", help="check in float64")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    if args.check:
        check(args.check, args)
        return
    result = measure(args)
    if args.json:
        print(json.dumps(result))
    else:
        print("  ".join(f"{key} {value}" for key, value in result.items()))


main()
