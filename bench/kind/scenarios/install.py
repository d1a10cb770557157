"""helm install, as a new user does it, and helm uninstall."""
import time

import figures
from bars import Bar
from kube import say
from scenarios import Scenario
from session import now_ms
from systems import Whitewater

GONE_SECONDS = 60


def install(bench, sheet):
    """Each round from nothing: one cluster, a first write, then nothing but the volumes is left."""
    rounds = []
    for number in range(bench.pace.rounds):
        before = bench.session.objects()
        rounds.append(install_once(bench.session, Whitewater(bench.session, f"new{number}"), before))
    seconds = [one["seconds"] for one in rounds]
    sheet.value("first_write_s", max(seconds))
    sheet.value("clusters", max(one["clusters"] for one in rounds))
    sheet.value("warnings", max(one["warnings"] for one in rounds))
    sheet.value("leftovers", max(len(one["leftovers"]) for one in rounds))
    sheet.figure("last pod's start to first write", figures.spread(seconds, "s", 1))
    sheet.figure("helm install to first write", figures.spread([one["total"] for one in rounds], "s", 1))
    sheet.figure("helm uninstall leaves beside the volumes", ", ".join(sorted(set().union(*(one["leftovers"] for one in rounds)))) or "nothing")


def install_once(session, system, before):
    begun = now_ms()
    words = system.install()
    written, started = system.first_write(begun)
    system.wait_whole()
    one = {"seconds": max(0, written - started) / 1000, "total": (written - begun) / 1000, "clusters": len(system.clusters()),
           "warnings": len(words.strip().splitlines())}
    say(f"    first write {one['seconds']:.1f} s after the last pod's start, {one['total']:.1f} s after helm install")
    if words.strip():
        say(f"    helm or the API server warns: {words.strip()[:500]}")
    system.uninstall()
    one["leftovers"] = wait_leftovers(session, before)
    session.delete_claims(system.selector)
    return one


def wait_leftovers(session, before):
    """What is there that was not, volumes aside; objects that others collect get some time."""
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        left = {name for name in session.objects() - before if not name.startswith("persistentvolumeclaim/")}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(2)


SCENARIOS = [Scenario("install", "helm install to the first linearizable write; helm uninstall", install, 400, (
    Bar("first_write_s", "first linearizable write after the last pod's start (the slowest round)", "at most", 10, "s"),
    Bar("clusters", "clusters that the members form", "exactly", 1),
    Bar("warnings", "warnings of helm and the API server", "exactly", 0),
    Bar("leftovers", "objects that helm uninstall leaves beside the volumes", "exactly", 0)))]
