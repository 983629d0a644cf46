"""One peer at one clip, in the environment that `peers` makes: `peers_worker.py PEER FOLDER --threads N [--sigma S]`.

Reads FOLDER/frames.npy, (T, 3, H, W) in sRGB, float32. A denoiser writes as many frames into FOLDER/made.npy; what
interpolates takes the second frame to the last but one for the exposure and writes the mean of its sub-frames,
(3, H, W) or luma alone (1, H, W). Prints the CPU seconds that making them took on all threads. It is another Python
than ours and imports nothing of ours.
"""

import argparse
import json
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import vapoursynth as vs
from dfttest2 import Backend, DFTTest

core = vs.core
FACTOR, FPS = 8, 250
TOLD = 1.6  # bm3dcpu does not normalise its coefficients: it is best when told so many times the noise's sigma
ANY_SCENE = {"thscd1": 16000, "thscd2": 100}  # else noise is taken for a change of scenes, and nothing is done
OPPONENT = np.array([[1 / 3**0.5] * 3, [1 / 2**0.5, 0, -1 / 2**0.5], [1 / 6**0.5, -2 / 6**0.5, 1 / 6**0.5]])
TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]])  # BT.709
# Halves of a pixel are searched last, 8x8 blocks overlap by a quarter, and no part of a picture is faded.
SVP_SUPER = {"pel": 4, "gpu": 0, "scale": {"up": 2}}
SVP_ANALYSE = {"block": {"w": 8, "h": 8, "overlap": 2}}
SVP_SMOOTH = {"rate": {"num": FACTOR, "den": 1}, "algo": 21, "mask": {"area": 0}}
SVP_SMOOTH["scene"] = {"mode": 0, "limits": {"blocks": 100}}

Denoiser = Callable[[vs.VideoNode, float], vs.VideoNode]


def v_bm3d(clip: vs.VideoNode, sigma: float, radius: int, step: int, places: int, reference=None) -> vs.VideoNode:
    """Both stages, in colour; a reference takes the place of the first."""
    options = {"sigma": [TOLD * sigma] * 3, "radius": radius, "block_step": step, "ps_num": places, "chroma": True}
    basic = reference or core.bm3dcpu.BM3Dv2(clip, **options)
    return core.bm3dcpu.BM3Dv2(clip, ref=basic, **options)


def degrain(clip: vs.VideoNode, sigma: float, block: int = 16) -> vs.VideoNode:
    sup = core.mvu.Super(clip, blksize=block, overlap=block // 2, pel=4)
    return core.mvu.Degrain(clip, sup, core.mvu.AnalyseMany(sup, radius=4), thsad=[round(250 * sigma)], **ANY_SCENE)


def dfttest(clip: vs.VideoNode, sigma: float, frames: int, strength: float) -> vs.VideoNode:
    return DFTTest(clip, sigma=strength * sigma**2, tbsize=frames, backend=Backend.CPU())


DENOISERS: dict[str, Denoiser] = {
    "bm3dcpu, radius 1, step 4": lambda clip, sigma: v_bm3d(clip, sigma, 1, 4, 2),
    "bm3dcpu, radius 4, step 8": lambda clip, sigma: v_bm3d(clip, sigma, 4, 8, 1),
    "bm3dcpu, radius 4, step 3": lambda clip, sigma: v_bm3d(clip, sigma, 4, 3, 1),
    "bm3dcpu after Degrain": lambda clip, sigma: v_bm3d(clip, sigma, 4, 3, 1, degrain(clip, sigma, 8)),
    "mvutensils Degrain, radius 4": degrain,
    "dfttest2, 3 frames": lambda clip, sigma: dfttest(clip, sigma, 3, 3),
    "dfttest2, 7 frames": lambda clip, sigma: dfttest(clip, sigma, 7, 3.5),
}


def clip_of(planes: list[np.ndarray], kind: vs.PresetVideoFormat) -> vs.VideoNode:
    """A clip of frames in memory; each plane is (T, H, W), in the values of the format."""
    length, height, width = planes[0].shape
    blank = core.std.BlankClip(width=width, height=height, format=kind, length=length, fpsnum=FPS, fpsden=1)
    held = []
    for number in range(length):
        frame = blank.get_frame(number).copy()
        for index, plane in enumerate(planes):
            np.copyto(np.asarray(frame[index]), plane[number])
        held.append(frame)
    return core.std.ModifyFrame(blank, blank, lambda n, f: held[n])


def timed(clip: vs.VideoNode) -> tuple[list[vs.VideoFrame], float]:
    """All frames of a clip, and the CPU seconds they took."""
    start = time.process_time()
    frames = list(clip.frames())
    return frames, time.process_time() - start


def planes_of(frames: list[vs.VideoFrame], count: int = 3) -> np.ndarray:
    return np.stack([np.stack([np.asarray(frame[index]) for index in range(count)]) for frame in frames])


def denoise(name: str, frames: np.ndarray, sigma: float) -> tuple[np.ndarray, float]:
    """Float frames in orthonormal opponent colours, as ours works in too."""
    opponent = np.einsum("ij,tjhw->ithw", OPPONENT, frames).astype(np.float32)

    def run(length: int) -> tuple[list[vs.VideoFrame], float]:
        return timed(DENOISERS[name](clip_of([plane[:length] for plane in opponent], vs.YUV444PS), sigma))

    run(2)  # what is loaded once is no part of the time
    made, seconds = run(len(frames))
    return np.einsum("ij,tihw->tjhw", OPPONENT, planes_of(made)).astype(np.float32), seconds


def coded(yuv: np.ndarray) -> list[np.ndarray]:
    """Full-range 8-bit planes of Y, Cb, Cr (T, 3, H, W)."""
    offset = np.array([0, 128, 128])[:, None, None]
    return list(np.clip(np.round(255 * yuv + offset), 0, 255).astype(np.uint8).swapaxes(0, 1))


def decoded(planes: np.ndarray) -> np.ndarray:
    """The values (C, H, W) of a mean of full-range 8-bit planes."""
    return (planes - np.array([0, 128, 128])[: len(planes), None, None]) / 255


def flow_fps(clip: vs.VideoNode) -> vs.VideoNode:
    sup = core.mvu.Super(clip, blksize=8, overlap=4, pel=4)
    made = core.mvu.FlowFPS(clip, sup, core.mvu.AnalyseMany(sup), num=FACTOR * FPS, den=1, **ANY_SCENE)
    return made[: (len(clip) - 1) * FACTOR + 1]


def flow_blur(clip: vs.VideoNode) -> vs.VideoNode:
    """Every second frame, blurred over the gap before and the gap behind it: together that is the exposure."""
    sup = core.mvu.Super(clip, blksize=8, overlap=4, pel=4)
    return core.mvu.FlowBlur(clip, sup, core.mvu.AnalyseMany(sup), blur=200, prec=1, **ANY_SCENE)[1::2]


def svpflow(clip: vs.VideoNode) -> vs.VideoNode:
    sup = core.svp1.Super(clip, json.dumps(SVP_SUPER))
    vectors = core.svp1.Analyse(sup["clip"], sup["data"], clip, json.dumps(SVP_ANALYSE))
    found = sup["clip"], sup["data"], vectors["clip"], vectors["data"]
    return core.svp2.SmoothFps(clip, *found, json.dumps(SVP_SMOOTH), src=clip, fps=float(FPS))


def exposure_in_floats(filter_: Callable[[vs.VideoNode], vs.VideoNode], yuv: np.ndarray) -> tuple[np.ndarray, float]:
    frames, seconds = timed(filter_(clip_of(list(yuv.astype(np.float32).swapaxes(0, 1)), vs.YUV444PS)))
    return planes_of(frames).mean(0, dtype=np.float64), seconds


def exposure_in_bytes(filter_: Callable[[vs.VideoNode], vs.VideoNode], yuv: np.ndarray) -> tuple[np.ndarray, float]:
    frames, seconds = timed(filter_(clip_of(coded(yuv), vs.YUV444P8)))
    return decoded(planes_of(frames).mean(0, dtype=np.float64)), seconds


def exposure_by_svpflow(yuv: np.ndarray) -> tuple[np.ndarray, float]:
    """Of 4:2:0, as its 4:4:4 leaves chroma undefined on the processor (0.1.1); luma is what is compared."""
    length, _, height, width = yuv.shape
    half = yuv[:, 1:].reshape(length, 2, height // 2, 2, width // 2, 2).mean((3, 5))
    luma, *_ = coded(yuv)
    chroma = np.round(255 * half + 128).astype(np.uint8).swapaxes(0, 1)
    frames, seconds = timed(svpflow(clip_of([luma, *chroma], vs.YUV420P8)))
    return decoded(planes_of(frames, 1).mean(0, dtype=np.float64)), seconds


def exposure_by_ffmpeg(yuv: np.ndarray) -> tuple[np.ndarray, float]:
    """Of 4:4:4 in 8 bits, with a frame before and one behind, which it needs; time is that of a frame that it makes."""
    length, _, height, width = yuv.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv444p"]
    filter_ = f"minterpolate=fps={FACTOR * FPS}:mi_mode=mci:mc_mode=aobmc:me_mode=bilat:scd=none"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, "-s", f"{width}x{height}", "-r", str(FPS)]
    command += ["-i", "-", "-vf", filter_, *raw, "-"]
    frames = np.stack(coded(yuv), 1).tobytes()
    before = _children()
    made = subprocess.run(command, input=frames, stdout=subprocess.PIPE, check=True).stdout
    seconds = _children() - before
    planes = np.frombuffer(made, np.uint8).reshape(-1, 3, height, width)
    wanted = (length - 3) * FACTOR + 1
    exposed = planes[FACTOR:][:wanted]
    return decoded(exposed.mean(0, dtype=np.float64)), seconds / len(planes) * wanted


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


BLURS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, float]]] = {
    "mvutensils FlowFPS, float": lambda yuv: exposure_in_floats(flow_fps, yuv[1:-1]),
    "mvutensils FlowFPS, 8 bits": lambda yuv: exposure_in_bytes(flow_fps, yuv[1:-1]),
    "mvutensils FlowBlur, float": lambda yuv: exposure_in_floats(flow_blur, yuv[1:-1]),
    "open-svpflow, 8 bits, luma": lambda yuv: exposure_by_svpflow(yuv[1:-1]),
    "ffmpeg minterpolate, 8 bits": exposure_by_ffmpeg,
}


def blur(name: str, frames: np.ndarray) -> tuple[np.ndarray, float]:
    yuv = np.einsum("ij,tjhw->tihw", TO_YUV, frames)
    BLURS[name](yuv[:5, :, :128, :128])  # what is loaded once is no part of the time
    mean, seconds = BLURS[name](yuv)
    rgb = np.einsum("ij,jhw->ihw", np.linalg.inv(TO_YUV), mean) if len(mean) == 3 else mean
    return rgb.astype(np.float32), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=[*DENOISERS, *BLURS])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sigma", type=float, default=0.0)
    arguments = parser.parse_args()
    core.num_threads = arguments.threads
    frames = np.load(arguments.folder / "frames.npy")
    name = arguments.peer
    made, seconds = denoise(name, frames, arguments.sigma) if name in DENOISERS else blur(name, frames)
    np.save(arguments.folder / "made.npy", made)
    print(seconds)


if __name__ == "__main__":
    main()
