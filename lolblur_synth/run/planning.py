"""Planning of a run: from a folder of videos, and what is in the dataset's, to the plan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.output import read_existing, recover_if_dataset
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.defocus import generalized_gaussian
from lolblur_synth.ops.interpolation.backends import Choice, choose_backend
from lolblur_synth.run.continuation import is_alike, refuse_changes
from lolblur_synth.run.cutting import cut_video, without_copies
from lolblur_synth.run.footage import scan_or_fault
from lolblur_synth.run.made import Made, made_of, seen
from lolblur_synth.run.numbering import Making, number_video
from lolblur_synth.run.plan import Plan, VideoPlan
from lolblur_synth.run.sources import find_sources
from lolblur_synth.run.splits import assign_splits
from lolblur_synth.video import scan_cache


def plan_run(
    videos: Path | str,
    out: Path | str,
    config: Config,
    notify: Callable[[Path], None] | None = None,
    *,
    overwrite: bool = False,
    dry: bool = False,
) -> Plan:
    """Plan a run over a folder of videos, or one elsewhere by its URL.

    Unless `dry`, what a killed run left in `out` is finished first.
    `notify` is told of each video before it is read. Raises `UserError` when nothing can be made or `out` is foreign.
    """
    out = Path(out)
    choose_device(config.run.device)
    _, sha256 = load_ec_zero_dce(config.darken.weights, "cpu")
    if not dry:
        recover_if_dataset(out)
    return make_plan(videos, out, config, {"ec_zero_dce": sha256}, notify, overwrite=overwrite)


def make_plan(
    videos: Path | str,
    out: Path,
    config: Config,
    weights: dict[str, str],
    notify: Callable[[Path], None] | None = None,
    *,
    overwrite: bool = False,
) -> Plan:
    """Read every video once and plan the run; raises `UserError` when nothing can be made or `out` is another's.

    The plan's configuration names the backend that `interpolate.backend = auto` takes here, so that a dataset is never
    made by several.
    """
    _check_kernel(config)
    config, chosen = _choose_backend(config)
    weights = weights | chosen.weights
    found = find_sources(videos, (out, cache_dir()), config.run)
    existing, lasting = dict[str, Made](), dict[str, Made]()
    for record in read_existing(out, config, overwrite=overwrite):
        existing[record.id] = made_of(record)
        if is_alike(record, config, weights):
            lasting[record.id] = existing[record.id]
    making = Making(config, weights, existing)
    cuts: list[VideoPlan] = []
    for video in found.videos:
        if notify:
            notify(video.path)
        told = list[str]()
        scan = scan_or_fault(video.path, config, video.remote, told.append)
        cut = cut_video(video.path, video.name, scan, config)
        cuts.append(replace(cut, warnings=(*told, *cut.warnings)))
    scan_cache.prune()
    cuts = without_copies(cuts)
    useful = {cut.path: cut.scan.content for cut in cuts if cut.scan and not cut.fault}
    places = assign_splits(useful, lasting, config)
    planned = [number_video(cut, *places[cut.path], making) if cut.path in places else cut for cut in cuts]
    if not overwrite:
        refuse_changes(out, planned, existing.keys() - lasting.keys())
    planned_ids = {sequence.id for video in planned for sequence in video.sequences}
    anew = set(useful.values()) if overwrite else set()  # of these videos the plan tells all that there is to be
    stale = tuple(
        name
        for name, made in existing.items()
        if name not in planned_ids and (name not in lasting or made.content in anew)
    )
    return Plan(
        out, config, weights, tuple(planned), stale, seen(existing), f"sub-frames by {chosen.told}", found.left_out
    )


def _choose_backend(config: Config) -> tuple[Config, Choice]:
    """The configuration with a backend by name instead of `auto`."""
    section, run = config.interpolate, config.run
    chosen = choose_backend(section.backend, section.weights, choose_device(run.device), vulkan=run.device != "cpu")
    settled = section.model_copy(update={"backend": chosen.backend})
    return config.model_copy(update={"interpolate": settled}), chosen


def _check_kernel(config: Config) -> None:
    """The widest blur has to fit into the picture."""
    if config.video.size == "source" or config.defocus.probability == 0:
        return
    widest = config.defocus.sigma[1]
    side = generalized_gaussian(widest, widest, 0.0, config.defocus.shape[0]).shape[0]
    if side > min(config.video.size):
        raise UserError(
            (
                f"defocus.sigma up to {widest:g} and defocus.shape from {config.defocus.shape[0]:g} make "
                f"kernels of {side} pixels, more than the {min(config.video.size)} of video.size"
            ),
            advice="lower sigma, raise shape, or enlarge them",
        )
