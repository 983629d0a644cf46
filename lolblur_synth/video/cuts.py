"""Scene cuts: frames that change colours more than a motion does, and much more than the frames beside them do.

By PySceneDetect's adaptive detector.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

_SCORE = 25.0  # of 255: a cut exceeds it, a lamp or the sun that flares up does not
_RATIO = 2.0  # and exceeds by this factor what the frames beside it change
_BESIDE = 2  # frames on each side
_COLOUR = ContentDetector.Components(1, 1, 0.5, 0)  # hue and saturation count most, as they hardly heed a lamp
_GREY = ContentDetector.Components(0, 0, 1, 0)


def find_cuts(pictures: Iterable[NDArray[np.uint8]], fps: Fraction, *, grey: bool) -> Iterator[int]:
    """Numbers of the frames that begin a scene, of small sRGB pictures (H, W, 3) of all frames; 0 may be among them."""
    detector = AdaptiveDetector(
        adaptive_threshold=_RATIO,
        min_content_val=_SCORE,
        window_width=_BESIDE,
        min_scene_len=1,
        weights=_GREY if grey else _COLOUR,
    )
    for number, picture in enumerate(_mirrored(pictures)):
        for cut in detector.process_frame(FrameTimecode(number, fps), picture):
            yield cut.frame_num - _BESIDE


def _mirrored(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """With as many more at both ends as the detector looks at beside one, so that it sees the first and the last."""
    stream = iter(pictures)
    latest = deque(islice(stream, _BESIDE + 1), maxlen=_BESIDE + 1)
    yield from reversed([*latest][1:])
    yield from latest
    for picture in stream:
        latest.append(picture)
        yield picture
    yield from reversed([*latest][:-1])
