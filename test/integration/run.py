#!/usr/bin/env python3
"""Runs the integration tests: real processes, sockets and disks. Each scenario has a name, a time limit and a folder.

usage: test/integration/run.py [--build-dir build/release] [--only PART]... [--list] [--seccomp-profile FILE]

Scenarios are the functions named scenario_* of scenarios_*.py; their first line of text is what is shown."""
import argparse
import dataclasses
import importlib
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import harness  # noqa: E402
import under_profile  # noqa: E402

LIMIT_SECONDS = 300  # at least, against what hangs: a slow machine needs a multiple of the usual time


@dataclasses.dataclass
class Context:
    program: pathlib.Path  # the executable itself
    build_dir: pathlib.Path  # whose executables the scenarios run, perhaps under a seccomp profile
    folder: pathlib.Path
    figures: list = dataclasses.field(default_factory=list)

    @property
    def binary(self):
        return self.build_dir / "bin/whitewater"

    def under(self, profile):
        """The same with members under this seccomp profile and no other."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="under-", dir=self.folder))
        return dataclasses.replace(self, build_dir=under_profile.wrapped_build(folder, profile, self.program.parent.parent))

    def figure(self, what, value):
        """A measured value for the table at the end. Figures are printed, never judged."""
        self.figures.append((what, value))


class TimeLimit(Exception):
    pass


def on_alarm(*_):
    raise TimeLimit


def scenarios():
    for path in sorted(HERE.glob("scenarios_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in vars(module).items():
            if name.startswith("scenario_") and callable(function):
                yield f"{path.stem.removeprefix('scenarios_')}.{name.removeprefix('scenario_')}", function


def run_one(name, function, context):
    """None on success, else what went wrong. Raises harness.Skip if the machine does not allow the scenario."""
    limit = max(getattr(function, "limit_seconds", 0), LIMIT_SECONDS)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(limit)
    try:
        function(context)
        return None
    except harness.Skip:
        raise
    except harness.Failure as failure:
        return f"{failure}\n{''.join(traceback.format_tb(failure.__traceback__)[-2:])}"
    except TimeLimit:
        return f"not finished within {limit} s"
    except Exception:  # a scenario must not hide the others
        return traceback.format_exc()
    finally:
        signal.alarm(0)


def run_unit_tests():
    """The checker that judges the histories, and the launcher that installs seccomp profiles, are themselves tested first."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(["test_linearizability", "test_under_profile"])
    result = unittest.TextTestRunner(verbosity=0, stream=open("/dev/null", "w")).run(suite)
    for _, text in result.failures + result.errors:
        print(text)
    return result.wasSuccessful()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=harness.ROOT / "build/release")
    parser.add_argument("--only", action="append", default=[], help="part of a scenario's name; repeatable")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seccomp-profile", type=pathlib.Path, metavar="FILE", help="run every member under this profile (docker/seccomp)")
    arguments = parser.parse_args()
    chosen = [(name, f) for name, f in scenarios() if not arguments.only or any(part in name for part in arguments.only)]
    if arguments.list:
        for name, function in chosen:
            print(f"{name:44} {(function.__doc__ or '').strip().splitlines()[0]}")
        return 0
    program = (arguments.build_dir / "bin/whitewater").resolve()
    if not program.exists():
        sys.exit(f"{program} does not exist; ./dev build makes it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that members are ended and folders removed
    folder = pathlib.Path(tempfile.mkdtemp(prefix="whitewater-integration-"))
    failed, skipped, figures = [], [], []
    build_dir = program.parent.parent
    try:
        if arguments.seccomp_profile:
            build_dir = under_profile.wrapped_build(folder / "filtered", arguments.seccomp_profile, build_dir)
            print(f"every member runs under {arguments.seccomp_profile}", flush=True)
        if not arguments.only:
            print(f"{'ok' if run_unit_tests() else failed.append('tests of the tests') or 'FAILED':7} tests of the tests", flush=True)
        for name, function in chosen:
            started = time.monotonic()
            context = Context(program, build_dir, folder)
            try:
                problem = run_one(name, function, context)
            except harness.Skip as reason:
                skipped.append(name)
                print(f"{'skipped':7} {name:44} {reason}", flush=True)
                continue
            seconds = time.monotonic() - started
            figures += [(name, what, value) for what, value in context.figures]
            print(f"{'ok' if problem is None else 'FAILED':7} {name:44} {seconds:6.1f} s", flush=True)
            if problem is not None:
                failed.append(name)
                print("    " + problem.strip().replace("\n", "\n    "), flush=True)
    finally:
        if failed:
            print(f"folders of the failed scenarios: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if figures:
        print("figures, which are not judged:")
        for name, what, value in figures:
            print(f"    {name:44} {what:56} {value}")
    print(f"integration: {len(chosen)} scenarios, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
