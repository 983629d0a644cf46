"""Damage of a stream in which something is wrong, located by a second decode on one thread."""

from pathlib import Path

import av.logging

from lolblur_synth.video.color import samples_of
from lolblur_synth.video.content import digest
from lolblur_synth.video.decoder_log import tells_damage
from lolblur_synth.video.flaws import DecodeStats
from lolblur_synth.video.stream import decode, open_stream


def locate_damage(path: Path, stats: DecodeStats) -> None:
    """Add to the findings the frames of whose damage the decoder speaks in its log, and those that now differ.

    On several threads the log does not tell frames apart, and what is put in place of damage depends on their timing.
    """
    numbers = {pts: number for number, pts in enumerate(stats.pts) if pts is not None and stats.timed}
    digests = dict[int, bytes]()
    with open_stream(path) as (container, stream), av.logging.Capture() as lines:
        stream.codec_context.thread_count = 1
        count = 0
        for packet, frames in decode(container, stream):
            told = any(tells_damage(line, stream.codec_context.name) for line in lines)
            lines.clear()
            if (told or packet.is_corrupt) and not packet.is_discard:
                number = numbers.get(packet.pts) if stats.timed and packet.pts is not None else count
                stats.concealed += [] if number is None else [min(number, len(stats.pts) - 1)]
            for frame in frames or ():
                number = numbers.get(frame.pts) if stats.timed and frame.pts is not None else count
                if number is not None:
                    digests[number] = digest(samples_of(frame))
                count += 1
    stats.unstable += [number for number, value in enumerate(stats.digests) if digests.get(number) != value]
