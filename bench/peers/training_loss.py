"""The losses of one batch in plain PyTorch, as src/train/reconstruction has them: `pyramidLoss` and both equivariances."""

import torch
import torch.nn.functional as F
from motion_model import Detector, coordinates, inverse, make_generator, sample
from torch import nn

SPLINE_POINTS = 5
SCALES = 4
WEIGHTS = {"reconstruction": 10.0, "equivarianceValue": 1.0, "equivarianceJacobian": 1.0}


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
    def __init__(self, config):
        super().__init__()
        self.size = config.size
        self.kp_detector = Detector(config)
        self.generator = make_generator(config)
        self.register_buffer("grid", coordinates(config.size).view(1, -1, 2), persistent=False)

    def forward(self, frames, theta, spline):
        """The losses of one batch: frames uint8 [2 N, H, W, 3], sources first."""
        source, driving = images(self, frames).chunk(2)
        warp = Warp(theta, spline)
        points = warp(self.grid).view(-1, self.size, self.size, 2)
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

    def __init__(self, config):
        super().__init__()
        self.kp_detector = Detector(config)

    def forward(self, frames, value, jacobian):
        """The losses of one batch: frames uint8 [N, H, W, 3], their keypoints and jacobians."""
        found = self.kp_detector(images(self, frames))
        return {"value": F.mse_loss(found[0], value), "jacobian": F.mse_loss(found[1], jacobian)}


def images(model, frames):
    """Frames as fed to [N, 3, H, W] in [0, 1], laid out as the model's weights are."""
    weight = next(p for p in model.parameters() if p.dim() == 4)
    pixels = frames.permute(0, 3, 1, 2).to(weight.dtype).mul_(1 / 255)
    return pixels if model.channels_last else pixels.contiguous()


def make_model(what, config, channels_last):
    model = {"step": MotionModel, "detector": DistilledDetector}[what](config).train()
    model.channels_last = channels_last
    return model.to(memory_format=torch.channels_last) if channels_last else model
