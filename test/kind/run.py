#!/usr/bin/env python3
"""The Kubernetes guide's manifests on a real cluster, the one that KUBECONFIG names.

usage: test/kind/run.py prepare | clean
       test/kind/run.py discovery [--only OPTION[/STEP]]... [--list] [--keep] [--record] [--guide FILE]

Options run one after the other, each from an empty cluster, each step with a time limit. A step that fails leaves logs, descriptions and
events in a folder and ends its option, not the others."""
import argparse
import pathlib
import random
import signal
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools/kind")]
import docker_images  # noqa: E402
import guide  # noqa: E402
import guide_steps  # noqa: E402
import images  # noqa: E402
import report  # noqa: E402
import steps  # noqa: E402
from kube import Failure, Skip, say  # noqa: E402
from load_pod import Cluster, ensure_load_pod, remove_load_pod  # noqa: E402
from options import OPTIONS  # noqa: E402
from trial import Trial, clear  # noqa: E402

RESULTS = docker_images.ROOT / "docs/kubernetes-results.md"
RUN_FOLDER = docker_images.ROOT / ".run/kind"
# In this order; what a step needs to have run before it is in NEEDS.
STEPS = {"form": (steps.form, 300), "guide": (guide_steps.guide, 120), "load": (steps.start_load, 60), "scale": (steps.scale, 600),
         "pod": (steps.pod, 400), "leader": (steps.leader, 400), "node": (steps.node, 400), "apiserver": (steps.apiserver, 800),
         "verify": (steps.verify, 240), "all": (steps.everyone, 480)}
NEEDS_LOAD = ("scale", "pod", "leader", "node", "apiserver")
SHORT = ("form", "load", "pod", "verify", "all")  # of the option with volumes, which differs in nothing else


class TimeLimit(BaseException):
    """Not an Exception: no retry may swallow it."""


def on_alarm(*_):
    raise TimeLimit


def plan(option, only):
    """The steps of an option that the command line asks for, with those that they need."""
    usual = [name for name in STEPS if not option.has_volumes or name in SHORT]
    wanted = {part.partition("/")[2] for part in only if part.partition("/")[0] == option.name}
    if not only or "" in wanted:
        return usual
    if not wanted:
        return []
    unknown = wanted - set(usual)
    if unknown:
        raise SystemExit(f"option {option.name} has no step {', '.join(sorted(unknown))}; it has {', '.join(usual)}")
    if wanted & set(NEEDS_LOAD) or "verify" in wanted or (option.has_volumes and "all" in wanted):
        wanted |= {"load", "verify"}
    return [name for name in usual if name in wanted | {"form"}]


def run_step(trial, name):
    """None, or what went wrong."""
    function, limit = STEPS[name]
    signal.alarm(limit)
    try:
        function(trial)
        return None
    except Skip:
        raise
    except (Failure, subprocess.TimeoutExpired) as failure:
        return str(failure)
    except TimeLimit:
        return f"not finished within {limit} s"
    except Exception:  # a step must not hide the other options
        return traceback.format_exc()
    finally:
        signal.alarm(0)


def run_option(kube, option, names, seed):
    trial, outcomes = Trial(kube, option, seed), []
    for name in names:
        say(f"==> {option.name}/{name}")
        started = time.monotonic()
        try:
            problem = run_step(trial, name)
        except Skip as reason:
            say(f"skipped {option.name}/{name}: {reason}")
            outcomes.append((name, f"skipped: {reason}"))
            continue
        seconds = time.monotonic() - started
        outcomes.append((name, f"{'ok' if problem is None else 'FAILED'}, {seconds:.0f} s"))
        if problem is None:
            say(f"ok      {option.name}/{name} {seconds:.1f} s")
            continue
        folder = kube.diagnose(RUN_FOLDER / f"failed-{time.strftime('%H%M%S')}-{option.name}-{name}")
        say(f"FAILED  {option.name}/{name} after {seconds:.1f} s: {problem}")
        say(f"        pods' logs, descriptions and events: {folder}")
        break
    return {"trial": trial, "steps": outcomes, "failed": [name for name, outcome in outcomes if outcome.startswith("FAILED")]}


def prepare(kube, options):
    """Images in the nodes, and the load pod."""
    docker_images.require_product()
    wanted = [docker_images.PRODUCT, images.LOAD]
    say(f"image {images.LOAD}: clients and judge of the integration tests (a minute the first time)")
    images.ensure_load()
    if any(option.init_image == images.BUSYBOX for option in options):
        images.ensure_busybox()
        wanted.append(images.BUSYBOX)
    if any(option.init_image == images.KUBECTL for option in options):
        images.ensure_kubectl(kube.control_plane() if kube.kind_name else None)
        wanted.append(images.KUBECTL)
    # The load pod prefers the control plane.
    docker_images.load_into(kube, wanted, only_control_plane=[images.LOAD])


def discovery(arguments):
    if arguments.list:
        for option in OPTIONS:
            print(f"{option.name:14} {option.title:34} {' '.join(plan(option, []))}")
        return 0
    plans = [(option, plan(option, arguments.only)) for option in OPTIONS]
    plans = [(option, names) for option, names in plans if names]
    if not plans:
        sys.exit(f"--only names no option; there are {', '.join(option.name for option in OPTIONS)}")
    if arguments.guide and any(guide.MANIFESTS.joinpath(f"{name}.yaml").read_text() != text
                               for name, text in guide.compose(arguments.guide.read_text()).items()):
        sys.exit("manifests differ from the guide; test/kind/guide.py shows where")
    kube, seed = Cluster(), random.randrange(1, 10**6)
    say(f"cluster {kube.context}, seed {seed}")
    clear(kube)
    prepare(kube, [option for option, _ in plans])
    ensure_load_pod(kube, HERE / "load/pod.yaml", is_fresh=True)
    results = []
    try:
        for option, names in plans:
            results.append(run_option(kube, option, names, seed))
            if arguments.record:  # after each, so that a run that is ended early leaves what it saw
                RESULTS.write_text(report.as_markdown(kube, results))
    finally:
        if arguments.keep:
            say("the last option's objects are kept; ./dev kind down removes them")
        else:
            clear(kube)
            remove_load_pod(kube)
    text = report.as_markdown(kube, results)
    print("\n" + text[text.index("## Machine"):])
    if arguments.record:
        say(f"written to {RESULTS.relative_to(docker_images.ROOT)}")
    failed = [f"{result['trial'].option.name}/{name}" for result in results for name in result["failed"]]
    say(f"discovery: {len(results)} options, {'failed: ' + ', '.join(failed) if failed else 'all steps passed'}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("prepare", "clean", "discovery"))
    parser.add_argument("--only", action="append", default=[], metavar="OPTION[/STEP]", help="repeatable; form runs before any other step")
    parser.add_argument("--list", action="store_true", help="options and their steps")
    parser.add_argument("--keep", action="store_true", help="leave the last option's objects in the cluster")
    parser.add_argument("--record", action="store_true", help=f"write the results to docs/{RESULTS.name}")
    parser.add_argument("--guide", type=pathlib.Path, help="a copy of the guide, to which the manifests are held first")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.command == "discovery":
        return discovery(arguments)
    kube = Cluster()
    if arguments.command == "prepare":
        prepare(kube, OPTIONS)
    else:
        clear(kube)
        remove_load_pod(kube)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"kind: {failure}")
