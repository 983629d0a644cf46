"""A second decode of a stream in which something is wrong, on one thread: which frames, and do they come out alike?"""

from pathlib import Path

import av.logging

from lolblur_synth.video.color import frame_checksum
from lolblur_synth.video.decoder_log import tells_damage
from lolblur_synth.video.flaws import Findings
from lolblur_synth.video.stream import decode, open_stream


def look_again(path: Path, found: Findings) -> None:
    """Add to the findings the frames of whose damage the decoder speaks in its log, and those that now differ.

    On several threads the log does not tell frames apart, and what is put in place of damage depends on their timing.
    """
    numbers = {pts: number for number, pts in enumerate(found.pts) if pts is not None and found.timed}
    checksums = dict[int, int]()
    with open_stream(path) as (container, stream), av.logging.Capture() as lines:
        stream.codec_context.thread_count = 1
        count = 0
        for packet, frames in decode(container, stream):
            told = any(tells_damage(line, stream.codec_context.name) for line in lines)
            lines.clear()
            if (told or packet.is_corrupt) and not packet.is_discard:
                number = numbers.get(packet.pts) if found.timed and packet.pts is not None else count
                found.concealed += [] if number is None else [min(number, len(found.pts) - 1)]
            for frame in frames or ():
                number = numbers.get(frame.pts) if found.timed and frame.pts is not None else count
                if number is not None:
                    checksums[number] = frame_checksum(frame)
                count += 1
    found.unstable += [number for number, value in enumerate(found.checksums) if checksums.get(number) != value]
