"""PySceneDetect's two detectors over packed RGB frames on stdin, at many thresholds in one pass. Arguments: width, height, frames a second, and JSON
with the thresholds of each. Prints the frames at which each finds a cut, as JSON.

Everything but the threshold is PySceneDetect's default. The score of a frame, which does not depend on the threshold, is computed once.
"""

import json
import sys
import time

import numpy
import scenedetect
from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode


class Scored:
    """Takes the score that another detector has computed for the same frame."""

    score = 0.0

    def _calculate_frame_score(self, timecode, frame_img):
        return Scored.score


class Content(Scored, ContentDetector):
    pass


class Adaptive(Scored, AdaptiveDetector):
    pass


width, height, fps = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
thresholds = json.loads(sys.argv[4])
scorer = ContentDetector()
detectors = {
    "content": {value: Content(threshold=value) for value in thresholds["content"]},
    "adaptive": {value: Adaptive(adaptive_threshold=value) for value in thresholds["adaptive"]},
}
cuts = {name: {value: [] for value in group} for name, group in detectors.items()}
started = time.process_time()
number = 0
timecode = None
while len(packed := sys.stdin.buffer.read(width * height * 3)) == width * height * 3:
    frame = numpy.frombuffer(packed, numpy.uint8).reshape(height, width, 3)[:, :, ::-1]
    timecode = FrameTimecode(number, fps)
    Scored.score = scorer._calculate_frame_score(timecode, numpy.ascontiguousarray(frame))
    for name, group in detectors.items():
        for value, detector in group.items():
            cuts[name][value] += [cut.frame_num for cut in detector.process_frame(timecode, frame)]
    number += 1
for name, group in detectors.items():
    for value, detector in group.items():
        cuts[name][value] += [cut.frame_num for cut in detector.post_process(timecode)]
json.dump({"version": scenedetect.__version__, "cuts": cuts, "cpu_s": time.process_time() - started}, sys.stdout)
