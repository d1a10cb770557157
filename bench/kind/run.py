#!/usr/bin/env python3
"""Whitewater and etcd on the Kubernetes cluster that KUBECONFIG names: installation, speed, and every kind of failure, each judged by a bar.

usage: ./dev kind bench [--build-dir DIR] [SCENARIO ...] [--list] [--rounds N] [--quick] [--record] [--keep] [--clean] [--seed N]

All of it takes about 25 minutes, --quick about 14. Scenarios run in the order of --list, whatever the order of their names here. Everything is made
in the namespace whitewater-bench and taken away afterwards. A scenario that fails names a folder with logs, descriptions and events, and does not end the others.
Exit code: 0 every bar is met, 1 some are not, 2 usage."""
import argparse
import dataclasses
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tools/kind"), str(ROOT / "tools")]
import plots  # noqa: E402
import report  # noqa: E402
import stage_plot  # noqa: E402
from bench import QUICK, Bench, Pace, Sheet  # noqa: E402
from kube import Failure, Kube, Skip, say  # noqa: E402
from machine import load_average, machine  # noqa: E402
from scenarios import all_scenarios  # noqa: E402
from session import NAMESPACE, Session, remove_namespace  # noqa: E402

RESULTS = ROOT / "docs/kubernetes-bench.md"
PICTURES = ROOT / "docs/kubernetes-bench"
ROUNDS_MAX = 50


class TimeLimit(BaseException):
    """Not an Exception: no retry may swallow it."""


def on_alarm(*_):
    raise TimeLimit


def run_scenario(bench, scenario):
    """The scenario's data, whatever happens to it."""
    say(f"==> {scenario.name}: {scenario.title}")
    sheet, started = Sheet(scenario.name), time.monotonic()
    sheet.data["load_average"] = load_average()
    signal.alarm(scenario.limit_seconds)
    try:
        scenario.run(bench, sheet)
    except Skip as reason:
        sheet.data.update(outcome="skipped", reason=str(reason))
    except TimeLimit:
        sheet.data.update(outcome="failed", reason=f"not finished within {scenario.limit_seconds} s")
    except (Failure, subprocess.TimeoutExpired) as problem:
        sheet.data.update(outcome="failed", reason=str(problem))
    except Exception:  # one scenario must not hide the others
        sheet.data.update(outcome="failed", reason=traceback.format_exc())
    finally:
        signal.alarm(0)
    sheet.data["seconds"] = time.monotonic() - started
    return sheet.data


def tell(scenario, data):
    if data["outcome"] != "ran":
        say(f"{data['outcome'].upper()}  {scenario.name} after {data['seconds']:.0f} s: {data['reason']}")
    for verdict in report.verdicts(scenario, data):
        say(f"    {verdict.word:7} {verdict.bar.what}: {report.bars.value_text(verdict.value, verdict.bar.unit)}, bar {verdict.bar.text()}")


def run_all(bench, scenarios, run, folder):
    for scenario in scenarios:
        data = run_scenario(bench, scenario)
        run["scenarios"][scenario.name] = data
        tell(scenario, data)
        if data["outcome"] == "failed":
            say(f"        logs, descriptions and events: {bench.session.kube.diagnose(folder / f'failed-{scenario.name}')}")
            bench.recover()
        (folder / "run.json").write_text(json.dumps(run))


def draw(scenarios, run, folder):
    """The pictures' files, by scenario: (name, what it shows)."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for scenario in scenarios:
        data = run["scenarios"].get(scenario.name)
        if not data:
            continue
        has_events = any(load["events"] for load in data["loads"])
        texts = {"time" if has_events else "latency": (plots.over_time if has_events else plots.distribution)(scenario.title, data["loads"])}
        if data["profile"]:
            texts["stages"] = stage_plot.draw(data["profile"])
        for kind, text in texts.items():
            if text:
                name = f"{scenario.name}-{kind}.svg"
                (folder / name).write_text(text)
                made.setdefault(scenario.name, []).append((f"{PICTURES.name}/{name}", f"{scenario.title}: {kind}"))
    return made


def record(scenarios, run):
    shutil.rmtree(PICTURES, ignore_errors=True)
    RESULTS.write_text(report.as_markdown(scenarios, run, draw(scenarios, run, PICTURES)))
    say(f"written: {RESULTS.relative_to(ROOT)} and {PICTURES.relative_to(ROOT)}/")


def chosen(names, scenarios):
    unknown = sorted(set(names) - {scenario.name for scenario in scenarios})
    if unknown:
        raise SystemExit(f"kind bench: no scenario {', '.join(unknown)}; there are {', '.join(scenario.name for scenario in scenarios)}")
    return [scenario for scenario in scenarios if not names or scenario.name in names]


def list_scenarios(scenarios):
    for scenario in scenarios:
        print(f"{scenario.name:12} {scenario.title}")
        for bar in scenario.bars:
            print(f"{'':12}   {bar.what}: {bar.text()}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev kind bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these")
    parser.add_argument("--list", action="store_true", help="the scenarios and their bars")
    parser.add_argument("--rounds", type=int, help=f"of what is repeated ({Pace.rounds})")
    parser.add_argument("--quick", action="store_true", help="one round and short measurements: to see it work, not to quote")
    parser.add_argument("--record", action="store_true", help="write docs/kubernetes-bench.md and its pictures")
    parser.add_argument("--clean", action="store_true", help="only take away what an earlier run left in the cluster")
    parser.add_argument("--keep", action="store_true", help="leave everything in the cluster")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**6), help="of the order in which the systems take turns")
    arguments = parser.parse_args()
    if arguments.rounds is not None and not 1 <= arguments.rounds <= ROUNDS_MAX:
        parser.error(f"--rounds: 1 to {ROUNDS_MAX}")
    return arguments


def main():
    arguments, everything = parse_arguments(), all_scenarios()
    scenarios = chosen(arguments.scenarios, everything)
    if arguments.list:
        list_scenarios(scenarios)
        return 0
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.clean:
        remove_namespace(Kube(NAMESPACE))
        return 0
    pace = QUICK if arguments.quick else Pace()
    if arguments.rounds:
        pace = dataclasses.replace(pace, rounds=arguments.rounds)
    folder = ROOT / ".run/kind-bench" / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    session = Session(folder)
    run = {"machine": machine(session.kube), "date": time.strftime("%Y-%m-%d", time.gmtime()), "seed": arguments.seed,
           "pace": dataclasses.asdict(pace), "scenarios": {}}
    say(f"cluster {session.kube.context}, seed {arguments.seed}, {len(scenarios)} scenarios; results in {folder}")
    try:
        session.open()
        run_all(Bench(session, pace, arguments.seed), scenarios, run, folder)
    finally:
        session.close(arguments.keep)
    print("\n" + report.as_text(scenarios, run))
    draw(scenarios, run, folder / PICTURES.name)
    if arguments.record:
        record(everything, run)
    missed = report.missed(scenarios, run)
    say(f"kind bench: {len(scenarios)} scenarios, {'with bars missed: ' + ', '.join(missed) if missed else 'every bar is met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"kind bench: {failure}")
