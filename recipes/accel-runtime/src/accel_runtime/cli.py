"""The `accel` command."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from typing import TYPE_CHECKING

from accel_runtime import __version__
from accel_runtime.settings import Device, Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAILED, _USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of a command: 1 where it fails, 2 where the command line is wrong."""
    parser = _parser()
    options = parser.parse_args(argv)
    if not options.command:
        parser.print_help()
        return _USAGE
    code: int = options.command(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="accel", description="Run the same PyTorch code on NVIDIA GPUs and on CPUs.")
    parser.add_argument("--version", action="version", version=f"accel {__version__}")
    parser.set_defaults(command=None)
    verbs = parser.add_subparsers(metavar="COMMAND")

    run = verbs.add_parser("run", help="run an unmodified script and optimise its models when they are called")
    run.add_argument("--dtype", choices=[p.value for p in Precision], default=Precision.FP32.value)
    run.add_argument("--report", action="store_true", help="print at the end what was optimised, what was not and why")
    _script(run)
    run.set_defaults(command=_run)

    info = verbs.add_parser("info", help="show the hardware, the path that is used and why, and versions")
    info.add_argument("--json", action="store_true")
    info.set_defaults(command=_info)

    bench = verbs.add_parser("bench", help="measure what each path gains over plain torch")
    bench.add_argument("--json", action="store_true")
    bench.add_argument(
        "--quick",
        action="store_true",
        help="the same table in two minutes at most: fewer rounds, batch 8 in place of 16",
    )
    bench.add_argument("--model", choices=("resnet50", "transformer", "lstm"), default="resnet50")
    bench.add_argument(
        "--batch", type=_positive, action="append", help="examples in a call (1 and 16; 1 and 8 with --quick)"
    )
    bench.add_argument("--rounds", type=_positive, help="turns of each path (8)")
    bench.add_argument("--path", action="append", help="only paths whose name contains this")
    bench.add_argument("--compile", action="store_true", help="torch.compile too, which needs a C++ compiler")
    bench.set_defaults(command=_bench)

    launch = verbs.add_parser("launch", help="train on several GPUs, cores or machines")
    launch.add_argument("--nproc", type=_positive, help="processes on this machine (by the hardware)")
    launch.add_argument("--plan", action="store_true", help="print what would be run, as JSON")
    _script(launch)
    launch.set_defaults(command=_launch)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _script(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", dest="module", action="store_true", help="SCRIPT is the name of a module")
    parser.add_argument("script", metavar="SCRIPT")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER)


def _argv(options: argparse.Namespace) -> list[str]:
    return [*(["-m"] if options.module else []), options.script, *options.arguments]


def _run(options: argparse.Namespace) -> int:
    from accel_runtime import machine, run  # noqa: PLC0415 - each command imports what it needs

    found = machine.look()
    for warning in found.choice.warnings:
        _say(f"warning: {warning}")
    if found.choice.refused:
        return _error(found.choice.refused)
    if found.torch is None:
        _say("warning: torch is not installed in this environment; the script runs unchanged")
    precision = Precision(options.dtype)
    variables, said = run.environment(os.environ, found, precision=precision, report=options.report)
    if options.report:
        _say(said)
    return run.start(_argv(options), variables)


def _info(options: argparse.Namespace) -> int:
    from accel_runtime import info  # noqa: PLC0415 - see _run

    found = info.collect()
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if options.json else "\n".join(info.lines(found)) + "\n")
    return _FAILED if found["path"]["refused"] else 0


def _bench(options: argparse.Namespace) -> int:
    from accel_runtime import bench, bench_ways, machine  # noqa: PLC0415 - see _run
    from accel_runtime.bench_host import BenchError  # noqa: PLC0415 - see _run
    from accel_runtime.bench_pace import Pace  # noqa: PLC0415 - see _run

    if importlib.util.find_spec("torch") is None:
        return _error("torch is not installed in this environment")
    if options.model == "resnet50" and importlib.util.find_spec("torchvision") is None:
        return _error("resnet50 needs torchvision; `--model transformer` and `--model lstm` do not")
    found = machine.look()
    if found.choice.refused:
        return _error(found.choice.refused)
    ways = list(bench_ways.GPU_WAYS if found.choice.device == "cuda" else bench_ways.CPU_WAYS)
    ways += bench_ways.COMPILE_WAYS if options.compile else ()
    if found.choice.device == "cpu" and not found.extension.works:
        ways = [way for way in ways if not way.needs_ipex]
        _say(f"without the paths of IPEX: {found.extension.problem or 'it is not installed'}")
    chosen = [way for way in ways if not options.path or any(part in way.name for part in options.path)]
    batches = tuple(
        dict.fromkeys(options.batch or (bench.LATENCY, bench.QUICK_THROUGHPUT if options.quick else bench.THROUGHPUT))
    )
    limit = bench.QUICK if options.quick else None
    pace = Pace(batches, len(chosen), most=options.rounds or bench.ROUNDS, limit=limit)
    try:
        lines = bench.measure(options.model, chosen, device=found.choice.device, batches=batches, pace=pace, tell=_say)
    except BenchError as error:
        return _error(str(error))
    where = found.choice.why if found.choice.device == "cuda" else found.cpu.name
    if options.json:
        about = {"machine": where, "model": options.model, "torch": found.torch, "quick": options.quick}
        document = {**bench.summary(lines), **about, "paths": bench.as_json(lines)}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        head = f"{options.model} on {where}, torch {found.torch}"
        end = (*bench.precision(lines, limit=limit), *bench.verdict(lines))
        sys.stdout.write("\n".join((head, *bench.table(lines), "", *end)) + "\n")
    return 0


def _launch(options: argparse.Namespace) -> int:
    from accel_runtime import cpu, gpu, launch, machine, run  # noqa: PLC0415 - see _run

    found = machine.look()
    for warning in found.choice.warnings:
        _say(f"warning: {warning}")
    if found.choice.refused:
        return _error(found.choice.refused)
    gpus = launch.visible(len(found.drivers.gpus), os.environ) if found.choice.device == "cuda" else 0
    automatic = found.drivers.seen and found.settings.device is Device.AUTO
    try:
        plan = launch.plan(
            _argv(options),
            gpus=gpus,
            cores=cpu.cores(),
            environment=os.environ,
            processes=options.nproc,
            broken=gpu.obstacle(found.drivers, found.build) if automatic else None,
        )
    except launch.LaunchError as error:
        return _error(str(error))
    if options.plan:
        sys.stdout.write(json.dumps(launch.as_json(plan), indent=2) + "\n")
        return 0
    return run.start(plan.argv[1:], {**os.environ, **plan.variables})


def _say(text: str) -> None:
    sys.stderr.write(f"accel: {text}\n")
    sys.stderr.flush()


def _error(text: str) -> int:
    _say(f"error: {text}")
    return _FAILED
