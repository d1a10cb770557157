"""All pods at once, and the API server."""
import time

import docker_nodes
from bars import Bar
from kube import check, say
from scenarios import Scenario
from scenarios.disturbance import under_load
from session import now_ms

PROGRESS_SECONDS = 20


def everyone(bench, sheet):
    """Deleted with their volumes kept; they come back with new addresses."""
    system = bench.whitewater
    before = system.clusters()
    with under_load(bench, sheet, system, "all pods deleted") as events:
        begun = now_ms()
        old = {pod["metadata"]["uid"] for pod in system.pods().values()}
        system.session.kube.kubectl("delete", "pods", "-l", system.selector, "--wait=false")
        wait_all_new(system, old)
        written, _ = system.first_write(begun)
        events.mark("first write")
        system.wait_whole()
    sheet.value("gap_s", events.seen["gap_ms"] / 1000)
    sheet.value("same_cluster", int(system.clusters() == before))
    sheet.value("lost", events.seen["lost"])
    sheet.figure("deletion to the first write to a new pod, all old ones gone", f"{(written - begun) / 1000:.1f} s")


def wait_all_new(system, old):
    """A pod that is being deleted still serves; a write to it says nothing about the new ones."""
    deadline = time.monotonic() + 120
    while True:
        left = [name for name, pod in system.pods().items() if pod["metadata"]["uid"] in old]
        if not left:
            return
        check(time.monotonic() < deadline, f"old pods are left: {left}")
        time.sleep(0.05)


def apiserver(bench, sheet):
    docker_nodes.require(bench.session.kube)
    system, away = bench.whitewater, bench.pace.away
    with under_load(bench, sheet, system, f"API server away for {away} s", seconds=away + 45) as events:
        with docker_nodes.without_apiserver(bench.session.kube):
            deadline = time.monotonic() + away
            while (left := deadline - time.monotonic()) > 0:
                say(f"    the API server is away, {left:.0f} s to go")
                time.sleep(min(left, PROGRESS_SECONDS))
        events.mark("it is back")
    sheet.value("not_served", events.seen["not_served"])
    sheet.value("lost", events.seen["lost"])
    docker_nodes.wait_for_controllers(bench.session.kube)
    system.wait_whole()


SCENARIOS = [
    Scenario("everyone", "All pods deleted", everyone, 400, (
        Bar("gap_s", "longest write gap, the old pods' end and the new ones' start included", "at most", 10, "s"),
        Bar("same_cluster", "the same cluster as before (1: yes)", "exactly", 1),
        Bar("lost", "acknowledged writes lost", "exactly", 0))),
    Scenario("apiserver", "API server away", apiserver, 700, (
        Bar("not_served", "puts not served", "exactly", 0),
        Bar("lost", "acknowledged writes lost", "exactly", 0))),
]
