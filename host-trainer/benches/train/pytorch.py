"""The reference network in PyTorch, trained for some seconds on the processor.

usage: pytorch.py CLASSES BATCH SECONDS THREADS
Prints one line of JSON: images a second, and PyTorch's version.
"""

import json
import sys
import time

import torch
from torch import nn


class Block(nn.Module):
    """Depthwise-separable convolution, with squeeze-and-excitation and a shortcut where they fit."""

    def __init__(self, inputs, outputs, stride, attention):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(outputs, outputs // 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs // 4, outputs, 1),
            nn.Hardsigmoid(),
        ) if attention else None
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.body(x)
        if self.gate is not None:
            y = y * self.gate(y)
        return y + x if self.has_shortcut else y


def network(classes):
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        Block(32, 64, 1, False),
        Block(64, 128, 2, False),
        Block(128, 128, 1, True),
        Block(128, 256, 2, True),
        Block(256, 256, 1, True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(256, classes),
    )


def main():
    classes, batch, seconds, threads = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    model = network(classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02, fused=True)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    glyphs = torch.rand(batch, 1, 64, 64)
    labels = torch.randint(0, classes, (batch,))

    def step():
        optimizer.zero_grad()
        loss = loss_function(model(glyphs), labels)
        loss.backward()
        optimizer.step()
        # Reading the loss is part of training.
        return loss.item()

    for _ in range(3):
        step()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    speed = steps * batch / (time.perf_counter() - started)
    print(json.dumps({"images_per_second": speed, "version": torch.__version__}))


main()
