#!/usr/bin/env python3
"""The Helm chart on a real cluster, the one that KUBECONFIG names, in a namespace with Pod Security `restricted`.

usage: test/kind/chart.py [--only STEP]... [--list] [--keep]

Each step builds on the ones before it. A step that fails leaves logs, descriptions and events in a folder and ends the run."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "tools/kind")]
import docker_images  # noqa: E402
from kube import Failure, Kube, check, run, say, wait_for  # noqa: E402

CHART = docker_images.ROOT / "helm/whitewater"
RUN_FOLDER = docker_images.ROOT / ".run/kind"
NAMESPACE = "whitewater-chart-test"
RELEASE = "ww"
MEMBERS = f"{RELEASE}-whitewater"
CRD_MODULE = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CRDS = ("servicemonitors", "podmonitors", "prometheusrules")


class Chart:
    """helm and kubectl in the namespace of the test. Warnings of the API server are failures."""

    def __init__(self):
        self.kube = Kube(NAMESPACE)
        own = docker_images.ROOT / ".deps/helm"
        self.helm_path = str(own) if own.exists() else shutil.which("helm")
        if not self.helm_path:
            raise Failure("helm is missing: tools/fetch_helm .deps builds it with Go, or https://helm.sh/docs/intro/install/")

    def helm(self, *arguments, seconds=240):
        done = run([self.helm_path, *arguments, "--namespace", NAMESPACE, "--kube-context", self.kube.context], seconds)
        warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
        check(not warnings, f"helm {arguments[0]} made the API server warn: {warnings}")
        return done.stdout

    def kubectl(self, *arguments, **more):
        return self.kube.kubectl(*arguments, **more)

    def upgrade(self, *arguments):
        return self.helm("upgrade", RELEASE, str(CHART), "--reuse-values", "--wait", "--timeout", "200s", *arguments)

    def exec(self, ordinal, *command, **more):
        return self.kubectl("exec", f"{MEMBERS}-{ordinal}", "--", "whitewater", *command, **more)

    def roles(self):
        """The roles by name, as member 0 sees them."""
        rows = json.loads(self.exec(0, "members", "--output", "json").stdout)
        return {row["name"]: row["role"] for row in rows}

    def wait_voters(self, count, seconds):
        def are_voters():
            roles = self.roles()
            wanted = sorted(f"{MEMBERS}-{i}" for i in range(count))
            is_whole = sorted(roles) == wanted and sorted(roles.values()) == sorted(["leader"] + ["follower"] * (count - 1))
            return roles if is_whole else None
        started = time.monotonic()
        wait_for(f"{count} voters and nobody else", are_voters, seconds)
        return time.monotonic() - started


def crds_of_the_operator(chart):
    """Applies the operator's definitions where the cluster has none; returns those that were made."""
    there = chart.kubectl("get", "crd", "-o", "name").stdout
    missing = [name for name in CRDS if f"/{name}.monitoring.coreos.com" not in there]
    if not missing:
        return []
    if not shutil.which("go"):
        raise Failure("Go is missing, with whose modules the definitions of prometheus-operator come. Debian: apt-get install golang")
    done = run(["go", "mod", "download", "-json", CRD_MODULE], 240)
    folder = pathlib.Path(json.loads(done.stdout)["Dir"]) / "example/prometheus-operator-crd"
    for name in missing:
        chart.kubectl("apply", "--server-side", "-f", str(folder / f"monitoring.coreos.com_{name}.yaml"), seconds=60)
    wait_for("the definitions are served", lambda: all(f"{name}.monitoring" in chart.kubectl(
        "api-resources", "--api-group=monitoring.coreos.com", "-o", "name").stdout for name in missing), 60)
    return missing


def dry_run(chart):
    """Every example of values, as the API server takes it."""
    made = crds_of_the_operator(chart)
    try:
        for values in sorted((CHART / "ci").glob("*-values.yaml")):
            version = json.loads(chart.kubectl("version", "-o", "json").stdout)["serverVersion"]["gitVersion"]
            text = chart.helm("template", RELEASE, str(CHART), "--values", str(values), "--kube-version", version,
                              "--api-versions", "monitoring.coreos.com/v1")
            done = chart.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text, seconds=60)
            warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
            check(not warnings, f"{values.name}: {warnings}")
            say(f"  {values.name}: {len(done.stdout.splitlines())} objects accepted without a warning")
    finally:
        for name in made:
            chart.kubectl("delete", "crd", f"{name}.monitoring.coreos.com", "--wait=false", check=False)


def install(chart):
    """No values: three members that are one cluster."""
    started = time.monotonic()
    notes = chart.helm("install", RELEASE, str(CHART))
    check("whitewater doctor" in notes and "WARNINGS in force" in notes, f"the notes lack something:\n{notes}")

    def written():
        return chart.exec(0, "put", "greeting", "hello", check=False, seconds=5).returncode == 0
    wait_for("the first write", written, 120, interval=0.2)
    pods = chart.kube.json("get", "pods", "-l", f"app.kubernetes.io/instance={RELEASE}")["items"]
    check(len(pods) == 3, f"{len(pods)} pods")
    say(f"  first write {time.monotonic() - started:.1f} s after helm install began")
    chart.wait_voters(3, 60)
    chart.kubectl("rollout", "status", f"statefulset/{MEMBERS}", "--timeout=120s", seconds=130)
    claims = chart.kube.json("get", "pvc")["items"]
    check(len(claims) == 3 and all(claim["status"]["phase"] == "Bound" for claim in claims), "not a volume for each member")
    say(f"  ready after {time.monotonic() - started:.1f} s")


def helm_test(chart):
    chart.helm("test", RELEASE, "--timeout", "120s")


def grow(chart):
    chart.upgrade("--set", "replicaCount=5")
    say(f"  five voters {chart.wait_voters(5, 120):.1f} s after the upgrade")
    check(chart.exec(4, "get", "greeting").stdout.strip().endswith("hello"), "the newcomer does not have what was written")
    helm_test(chart)


def shrink(chart):
    """By the hook, before the pods go."""
    chart.upgrade("--set", "replicaCount=3")
    say(f"  three voters {chart.wait_voters(3, 60):.1f} s after the upgrade")
    helm_test(chart)


def grow_again(chart):
    """The volumes of the removed members are still there."""
    claims = chart.kube.json("get", "pvc")["items"]
    check(len(claims) == 5, f"{len(claims)} volumes before growing again: those of removed members should be retained")
    chart.upgrade("--set", "replicaCount=5")
    say(f"  five voters {chart.wait_voters(5, 120):.1f} s after the upgrade, with the old volumes")
    helm_test(chart)


def uninstall(chart):
    chart.helm("uninstall", RELEASE, "--wait", "--timeout", "120s")
    wait_for("the pods are gone", lambda: not chart.kubectl("get", "pods", "-o", "name").stdout, 90)
    kinds = "all,configmap,secret,serviceaccount,role,rolebinding,poddisruptionbudget,networkpolicy,pvc"
    left = chart.kubectl("get", kinds, "-o", "name").stdout.split()
    mine = [name for name in left if name not in ("configmap/kube-root-ca.crt", "serviceaccount/default")]
    others = [name for name in mine if not name.startswith("persistentvolumeclaim/")]
    check(not others, f"left behind: {others}")
    check(len(mine) == 5, f"{len(mine)} volumes stayed, 5 should")


STEPS = {"dry-run": (dry_run, 400), "install": (install, 240), "test": (helm_test, 200), "grow": (grow, 400), "shrink": (shrink, 400),
         "grow-again": (grow_again, 400), "uninstall": (uninstall, 200)}


class TimeLimit(BaseException):
    """Not an Exception: no retry may swallow it."""


def on_alarm(*_):
    raise TimeLimit


def clear(chart):
    chart.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", seconds=130)


def prepare(chart):
    docker_images.require_product()
    docker_images.load_into(chart.kube, [docker_images.PRODUCT])
    clear(chart)
    chart.kubectl("create", "namespace", NAMESPACE)
    chart.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")


def run_step(chart, name):
    """None, or what went wrong."""
    function, limit = STEPS[name]
    signal.alarm(limit)
    try:
        function(chart)
        return None
    except (Failure, subprocess.TimeoutExpired) as failure:
        return str(failure)
    except TimeLimit:
        return f"not finished within {limit} s"
    finally:
        signal.alarm(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="STEP", choices=STEPS, help="repeatable; install runs before what needs it")
    parser.add_argument("--list", action="store_true", help="the steps")
    parser.add_argument("--keep", action="store_true", help="leave the release in the cluster")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(STEPS))
        return 0
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = [name for name in STEPS if not arguments.only or name in arguments.only or (name == "install" and set(arguments.only) != {"dry-run"})]
    os.umask(0o077)
    chart = Chart()
    say(f"cluster {chart.kube.context}, namespace {NAMESPACE}, Pod Security restricted")
    prepare(chart)
    try:
        for name in wanted:
            say(f"==> {name}")
            started = time.monotonic()
            problem = run_step(chart, name)
            if problem:
                folder = f"failed-{time.strftime('%H%M%S')}-chart-{name}"
                say(f"FAILED  {name} after {time.monotonic() - started:.1f} s: {problem}")
                say(f"        logs, descriptions and events: {chart.kube.diagnose(RUN_FOLDER / folder)}")
                return 1
            say(f"ok      {name} {time.monotonic() - started:.1f} s")
    finally:
        if not arguments.keep:
            clear(chart)
    say("chart: all steps passed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"kind: {failure}")
