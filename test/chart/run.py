#!/usr/bin/env python3
"""The chart without a cluster: lint, renders for several versions of Kubernetes against the recorded ones, refusals, lookups, alerts.
--record writes the recorded renders anew; look at their difference before committing it."""
import argparse
import difflib
import pathlib
import sys
import unittest

import yaml

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import helm  # noqa: E402

GOLDEN = HERE / "golden"
OLDER = ("1.20.0", "1.22.0", "1.24.0", "1.26.0")  # of each gate in the templates one version on either side
CASES = sorted(helm.CHART.glob("ci/*-values.yaml"))


def render(case, kube):
    text = helm.template("--values", str(case), kube=kube)
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        if document and "whitewater.json" in (document.get("data") or {}):
            document["data"]["whitewater.json"] = "files/dashboard.json"
    return yaml.safe_dump_all([one for one in documents if one], sort_keys=True, width=160)


def recordings():
    """File name and text of each recording: the newest version as a whole, the older ones as their difference from it."""
    wanted = [(case, kube) for case in CASES for kube in (helm.NEWEST, *OLDER)]
    renders = dict(zip(wanted, helm.in_parallel(lambda one: render(*one), wanted)))
    for case in CASES:
        name = case.name.removesuffix("-values.yaml")
        newest = renders[case, helm.NEWEST]
        yield f"{name}.yaml", newest
        for kube in OLDER:
            lines = difflib.unified_diff(newest.splitlines(), renders[case, kube].splitlines(), helm.NEWEST, kube, lineterm="", n=2)
            # Where a difference stands does not matter.
            yield f"{name}-{kube}.diff", "".join(("@@" if line.startswith("@@") else line) + "\n" for line in lines)


class Renders(unittest.TestCase):
    def test_lint(self):
        helm.in_parallel(lambda case: helm.helm("lint", "--strict", str(helm.CHART), "--values", str(case)), CASES)

    def test_renders_are_the_recorded_ones(self):
        names = set()
        for name, text in recordings():
            names.add(name)
            with self.subTest(name):
                path = GOLDEN / name
                old = path.read_text() if path.exists() else ""
                changes = "\n".join(list(difflib.unified_diff(old.splitlines(), text.splitlines(), "recorded", "rendered", lineterm=""))[:60])
                self.assertEqual("", changes, "\nIf this is meant: python3 test/chart/run.py --record, and look at git diff")
        self.assertEqual(names, {path.name for path in GOLDEN.iterdir()}, "recordings of no values file")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the recorded renders anew")
    arguments, rest = parser.parse_known_args()
    if arguments.record:
        GOLDEN.mkdir(exist_ok=True)
        for path in GOLDEN.iterdir():
            path.unlink()
        for name, text in recordings():
            (GOLDEN / name).write_text(text)
        print(f"recorded {len(list(GOLDEN.iterdir()))} renders in {GOLDEN.relative_to(helm.ROOT)}")
        return 0
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromTestCase(Renders)
    for module in ("refusals_test", "lookup_test", "sources_test", "alerts_test"):
        suite.addTests(loader.loadTestsFromName(module))
    if rest:
        suite = loader.loadTestsFromNames(rest)
    return 0 if unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
