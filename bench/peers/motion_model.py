"""The motion model in plain PyTorch: `smallConfig` with either generator, and `publishedConfig`, of src/motion/config.ts.

Parameters have the names of src/motion. The detector is under `kp_detector`, dense motion and generator under `generator`.
"""

import math

import torch
import torch.nn.functional as F
from networks import HEAD_CHANNELS, RESIDUAL_GAIN, DownBlock, Hourglass, SameBlock, UpBlock, backbone, conv
from networks import depthwise, norm, relu
from torch import nn

KEYPOINTS = 10
HEAD_STRIDE = 2
KP_VARIANCE = 0.01
ANCHOR_DEVIATION = 0.35
HALF_MOVED = 5e-5
GENERATORS = ("small", "light", "published")


class Config:
    """What decides the model.

    `small` and `light` are smallConfig's generators, and `published` is the whole published model: its heads,
    temperature and conventions too.
    """

    def __init__(self, net, size=64, generator="small"):
        self.net, self.size, self.generator = net, size, generator
        published, light = generator == "published", generator == "light"
        scaled = light and size > 64
        self.published_head = published
        self.align_corners = not published
        self.temperature = 0.1 if published else 0.5
        self.detector_scale = 0.25 if published else 64 / size if scaled else 1
        self.box_filter = scaled
        # Channels of the first scale, most channels, and number of halvings.
        self.motion = {"small": (16, 128, 3), "light": (16, 64, 3), "published": (64, 1024, 5)}[generator]
        self.motion_scale = 0.25 if scaled or published else 0.5
        expansion, most, downs, self.bottleneck = {
            "small": (12, 128, 3, 2),
            "light": (16, 64, 2 if scaled else 1, 3),
            "published": (64, 512, 2, 6),
        }[generator]
        self.widths = [min(most, expansion * 2**i) for i in range(downs + 1)]
        self.kernel = 7 if published else 3


# ------------------------------------------------------------------------------------------ pictures and their places


def coordinates(side):
    """(x, y) of every pixel in [-1, 1], [side, side, 2]."""
    line = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], 2)


def resized(x, size, align_corners=True):
    return x if x.shape[2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def memory_format(x):
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last


def sample(x, points, padding="zeros", align_corners=True):
    """[N, C, h, w], laid out as x is."""
    sampled = F.grid_sample(x, points, padding_mode=padding, align_corners=align_corners)
    return sampled.contiguous(memory_format=memory_format(x))


def inverse(m):
    """Of 2x2 matrices; much faster than torch.linalg.inv for so small ones."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    adjugate = torch.stack([d, -b, -c, a], -1).view(m.shape)
    return adjugate / (a * d - b * c)[..., None, None]


class AntiAlias(nn.Module):
    """Gaussian filter and choice of every n-th pixel, as one strided convolution."""

    def __init__(self, scale):
        super().__init__()
        self.stride, sigma = round(1 / scale), (1 / scale - 1) / 2
        self.reach = round(4 * sigma)
        line = torch.exp(-(torch.arange(-self.reach, self.reach + 1.0) ** 2) / (2 * sigma**2))
        line = line / line.sum()
        self.register_buffer("weight", (line[:, None] * line).repeat(3, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight, stride=self.stride, padding=self.reach, groups=3)


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


class Anchored(nn.Module):
    """Keypoint maps: a 3x3 convolution, and a trained anchor for each keypoint."""

    def __init__(self, channels, side, temperature):
        super().__init__()
        self.temperature = temperature
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
        maps = F.conv2d(x, self.weight, padding=1) / self.temperature + prior
        return maps.flatten(2).softmax(2)


class Detector(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.published, self.temperature = config.published_head, config.temperature
        self.reduction = round(1 / config.detector_scale)
        size = config.size // self.reduction
        if self.reduction > 1 and not config.box_filter:
            self.down = AntiAlias(config.detector_scale)
        self.predictor = backbone(config.net, size)
        side = self.make_published_head(size) if self.published else self.make_light_head(size)
        nn.init.zeros_(self.jacobian.weight)
        with torch.no_grad():
            self.jacobian.bias.copy_(torch.tensor([1.0, 0, 0, 1]).repeat(KEYPOINTS))
        self.register_buffer("grid", coordinates(side).view(-1, 2), persistent=False)

    def make_published_head(self, size):
        """7x7 convolutions without padding."""
        self.kp = nn.Conv2d(self.predictor.channels, KEYPOINTS, 7)
        self.jacobian = nn.Conv2d(self.predictor.channels, 4 * KEYPOINTS, 7)
        return size - 6

    def make_light_head(self, size):
        self.up = nn.Module()
        if self.predictor.channels != HEAD_CHANNELS:
            self.up.project = conv(self.predictor.channels, HEAD_CHANNELS, 1)
        stride = self.predictor.stride
        for i in range(int(math.log2(stride / HEAD_STRIDE)) if stride > HEAD_STRIDE else 0):
            stride //= 2
            self.up.add_module(str(i), Doubling(HEAD_CHANNELS, self.predictor.sides[stride]))
        self.kp = Anchored(HEAD_CHANNELS, size // stride, self.temperature)
        self.jacobian = nn.Conv2d(HEAD_CHANNELS, 4 * KEYPOINTS, 1)
        return size // stride

    def forward(self, x):
        """Keypoints [N, K, 2] and jacobians [N, K, 2, 2] of [N, 3, H, W]."""
        if hasattr(self, "down"):
            x = self.down(x)
        elif self.reduction > 1:
            x = F.avg_pool2d(x, self.reduction)
        x, maps = self.predictor(x)
        if self.published:
            heat = (self.kp(x) / self.temperature).flatten(2).softmax(2)
            jacobian = (self.jacobian(x).unflatten(1, (KEYPOINTS, 4)).flatten(3) * heat[:, :, None]).sum(3)
        else:
            x = self.upsampled(x, maps)
            heat = self.kp(x)
            # A 1x1 convolution and a weighted mean commute: features are pooled under each heatmap first.
            pooled = heat @ x.flatten(2).transpose(1, 2)
            weight = self.jacobian.weight.view(KEYPOINTS, 4, -1)
            jacobian = torch.einsum("kjf,nkf->nkj", weight, pooled) + self.jacobian.bias.view(KEYPOINTS, 4)
        return heat @ self.grid, jacobian.view(-1, KEYPOINTS, 2, 2)

    def upsampled(self, x, maps):
        if hasattr(self.up, "project"):
            x = self.up.project(x)
        stride = self.predictor.stride
        for name, block in self.up.named_children():
            if name != "project":
                stride //= 2
                x = block(x, maps[stride])
        return x


# ------------------------------------------------------------------------------------------------- dense motion


class DenseMotion(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.align_corners = config.align_corners
        self.down = AntiAlias(config.motion_scale)
        self.hourglass = Hourglass((KEYPOINTS + 1) * 4, *config.motion)
        self.mask = conv(self.hourglass.channels, KEYPOINTS + 1, config.kernel)
        self.occlusion = conv(self.hourglass.channels, 1, config.kernel)
        side = round(config.size * config.motion_scale)
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
        """Deformation [N, h, w, 2] and occlusion map [N, 1, h, w], at `motion_scale` of the picture's size."""
        small = self.down(source)
        n, c, h, w = small.shape
        k = KEYPOINTS + 1

        # Affine maps from the driving picture's coordinates to the source's: (x, y, 1) times [N, K + 1, 3, 2].
        linear = (kp_source[1] @ inverse(kp_driving[1])).transpose(2, 3)
        shift = kp_source[0][:, :, None] - kp_driving[0][:, :, None] @ linear
        motions = torch.cat([linear, shift], 2)
        motions = torch.cat([self.background.expand(n, 1, 3, 2), motions], 1)

        points = (self.points @ motions).view(n, k * h, w, 2)
        moved = F.grid_sample(small, points, align_corners=self.align_corners).view(n, c, k, h, w)
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


# --------------------------------------------------------------------------------------------------- generators


class Generator(nn.Module):
    """What all generators have in common: dense motion, and the source read where it says."""

    def __init__(self, config):
        super().__init__()
        self.align_corners = config.align_corners
        self.dense_motion_network = DenseMotion(config)

    def forward(self, source, kp_source, kp_driving):
        deformation, occlusion = self.dense_motion_network(source, kp_source, kp_driving)
        planes = deformation.permute(0, 3, 1, 2)

        def moved(x):
            points = self.fitted(planes, x).permute(0, 2, 3, 1)
            return sample(x, points, align_corners=self.align_corners)

        return self.paint(source, moved, self.settled(occlusion, kp_source[0], kp_driving[0]))

    def fitted(self, planes, x):
        return resized(planes, x.shape[2:], self.align_corners)

    def settled(self, occlusion, kp_source, kp_driving):
        return occlusion


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


def numbered(blocks):
    """As `r0`, `r1`, ..."""
    made = nn.Sequential()
    for i, block in enumerate(blocks):
        made.add_module(f"r{i}", block)
    return made


class FommGenerator(Generator):
    """The published generator, and the small one, which carries maps over to its decoder."""

    def __init__(self, config):
        super().__init__(config)
        widths = config.widths
        self.carries = config.generator == "small"
        self.first = SameBlock(3, widths[0], config.kernel)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in zip(widths, widths[1:]))
        self.bottleneck = numbered(ResidualBlock(widths[-1]) for _ in range(config.bottleneck))
        back = widths[::-1]
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in zip(back, back[1:]))
        self.final = conv(widths[0], 3, config.kernel)

    def paint(self, source, moved, occlusion):
        maps = [self.first(source)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        x = maps.pop()
        x = moved(x) * self.fitted(occlusion, x)
        x = self.bottleneck(x)
        for block in self.up_blocks:
            x = block(x)
            side = maps.pop()
            if self.carries and maps:  # the map at full resolution is not carried over
                x = torch.lerp(x, moved(side), self.fitted(occlusion, x))
        made = self.final(x).sigmoid()
        return torch.lerp(made, moved(source), self.fitted(occlusion, source)) if self.carries else made


class SeparableHalf(nn.Module):
    def __init__(self, channels, gain):
        super().__init__()
        self.depthwise = depthwise(channels)
        self.pointwise = conv(channels, channels, 1, bias=False)
        self.norm = norm(channels, eps=1e-5, gain=gain)

    def forward(self, x):
        return self.norm(self.pointwise(self.depthwise(x)))


class SeparableResidual(nn.Sequential):
    def __init__(self, channels):
        super().__init__(SeparableHalf(channels, 1.0), SeparableHalf(channels, RESIDUAL_GAIN))

    def forward(self, x):
        return relu(x + self[1](relu(self[0](x))))


class Halving(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = conv(inputs, outputs, 3, stride=2, bias=False)
        self.norm = norm(outputs, eps=1e-5)

    def forward(self, x):
        return relu(self.norm(self.conv(x)))


class LightUp(nn.Module):
    def __init__(self, inputs, outputs, sees_picture):
        super().__init__()
        self.narrow = conv(inputs, outputs, 1, bias=False)
        if sees_picture:
            self.picture = conv(12, outputs, 1, bias=False)
        self.norm = norm(outputs, eps=1e-5)
        self.block = SeparableResidual(outputs)

    def forward(self, x, picture):
        x = F.interpolate(self.narrow(x), scale_factor=2, mode="nearest")
        if hasattr(self, "picture"):
            x = x + self.picture(F.pixel_unshuffle(picture, 2))
        return self.block(relu(self.norm(x)))


class LightGenerator(Generator):
    """No convolution at full size; the source itself where nothing moves."""

    def __init__(self, config):
        super().__init__(config)
        widths = [3, *config.widths[1:]]
        self.down_blocks = nn.ModuleList(Halving(a, b) for a, b in zip(widths, widths[1:]))
        self.bottleneck = numbered(SeparableResidual(widths[-1]) for _ in range(config.bottleneck))
        back = widths[:0:-1]
        last = len(back) - 2
        self.up_blocks = nn.ModuleList(LightUp(a, b, i == last) for i, (a, b) in enumerate(zip(back, back[1:])))
        self.final = conv(widths[1], 12, 3)

    def settled(self, occlusion, kp_source, kp_driving):
        movement = (kp_driving - kp_source).square().sum(2).mean(1)[:, None, None, None]
        return 1 - (1 - occlusion) * (movement / (movement + HALF_MOVED))

    def paint(self, source, moved, occlusion):
        x = source
        for block in self.down_blocks:
            x = block(x)
        picture = moved(source)
        x = self.bottleneck(moved(x) * self.fitted(occlusion, x))
        for block in self.up_blocks:
            x = block(x, picture)
        made = F.pixel_shuffle(self.final(x), 2).sigmoid()
        return torch.lerp(made, picture, self.fitted(occlusion, source))


def make_generator(config):
    return LightGenerator(config) if config.generator == "light" else FommGenerator(config)
