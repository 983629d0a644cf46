"""Advice: ffmpeg command lines for conversions that keep the frames, their times and the rate of the sensor."""

from lolblur_synth.core.errors import setting
from lolblur_synth.video.metadata import RateOrigin, VideoInfo


def convert(options: str, info: VideoInfo | None = None, suffix: str = ".mp4") -> str:
    """A line for the ffmpeg program, and what has to be told afterwards if the conversion loses it.

    Matroska keeps the tags of a file, MP4 only if it is asked to; neither keeps a track's, nor boxes and files beside.
    """
    keep = "-movflags use_metadata_tags " if suffix == ".mp4" else ""
    line = f"ffmpeg -i IN {options} {keep}OUT{suffix}"
    if info is None or info.capture_origin not in (RateOrigin.TRACK_TAG, RateOrigin.BOX, RateOrigin.SIDECAR):
        return line
    return f"{line}, and give {setting('video.capture_fps')} {float(info.capture_fps):.6g} from then on"
