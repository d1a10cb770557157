"""The three ways to find peers: how soon the members know of a new pod, and how soon it has joined."""
import datetime
import json

from bars import Bar
from kube import say, wait_for
from scenarios import Scenario
from session import now_ms
from systems import Whitewater, installed

MODES = ("kubernetes", "dns", "file")
NOTICED_SECONDS, JOINED_SECONDS = 60, 60


def discovery(bench, sheet):
    for mode in MODES:
        system = installed(Whitewater(bench.session, f"by-{mode}", {"discovery.mode": mode}))
        try:
            grow(bench.session, system, mode, sheet)
        finally:
            system.remove()


def grow(session, system, mode, sheet):
    """A fourth pod. Times count from when the API server knew its address, without which nobody could have found it."""
    new = f"{system.statefulset}-3"
    session.kube.kubectl("scale", f"statefulset/{system.statefulset}", "--replicas=4")
    addressed = wait_for(f"{new} has an address", lambda: now_ms() if has_address(system, new) else None, 60, 0.02)
    joined = wait_for(f"{new} has joined", lambda: now_ms() if new in sum(system.listed(), []) else None, JOINED_SECONDS, 0.05)
    sheet.value(f"{mode}_joined_s", (joined - addressed) / 1000)
    sheet.figure(f"{mode}: a new pod's address to its learning", f"{(joined - addressed) / 1000:.1f} s")
    if mode == "file":
        say("    a file is written once, for the pod that starts: the others hear of a new one from itself")
        return
    noticed = {name: wait_noticed(session, system, name, new) for name in sorted(system.pods()) if name != new}
    slowest = max(0, max(noticed.values()) - addressed) / 1000
    sheet.value(f"{mode}_noticed_s", slowest)
    sheet.figure(f"{mode}: a new pod's address to the slowest member's notice", f"{slowest:.2f} s")


def has_address(system, name):
    return system.pods().get(name, {}).get("status", {}).get("podIP")


def wait_noticed(session, system, name, new):
    """When a member's log first named the new pod among the candidates, in Unix milliseconds."""
    return wait_for(f"{name} knows of {new}", lambda: first_notice(session.kube.logs(name), new), NOTICED_SECONDS, 1)


def first_notice(lines, new):
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("component") == "discovery" and "candidates" in entry.get("msg", "") and new in entry["msg"].partition("; found under names guessed")[0]:
            return 1000 * datetime.datetime.fromisoformat(entry["ts"].replace("Z", "+00:00")).timestamp()
    return None


SCENARIOS = [Scenario("discovery", "A new pod, found in three ways", discovery, 500, (
    Bar("kubernetes_noticed_s", "kubernetes: every member knows of a new pod", "at most", 1, "s"),
    Bar("dns_noticed_s", "dns: every member knows of a new pod (TTL of 30 s and the time between two questions)", "at most", 35, "s"),
    Bar("kubernetes_joined_s", "kubernetes: it has joined", "at most", 60, "s"),
    Bar("dns_joined_s", "dns: it has joined", "at most", 60, "s"),
    Bar("file_joined_s", "file: it has joined", "at most", 60, "s")))]
