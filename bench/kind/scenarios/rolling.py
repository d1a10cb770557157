"""kubectl rollout restart under load: every pod replaced, one at a time, as an upgrade does it."""
import time

from bars import Bar
from scenarios import Scenario
from scenarios.disturbance import say_after, under_load


def rolling(bench, sheet):
    system, kube = bench.whitewater, bench.session.kube
    target = f"statefulset/{system.statefulset}"
    with under_load(bench, sheet, system, "rolling restart") as events:
        started = time.monotonic()
        kube.kubectl("rollout", "restart", target)
        kube.kubectl("rollout", "status", target, "--timeout=300s", seconds=310)
        seconds = say_after("the rollout is complete", started)
        system.wait_whole()
        events.mark("complete")
    sheet.figure("duration", f"{seconds:.0f} s")
    sheet.value("failed_percent", events.seen["failed_percent"])
    sheet.value("lost", events.seen["lost"])


SCENARIOS = [Scenario("rolling", "Rolling restart", rolling, 500, (
    Bar("failed_percent", "puts not served", "at most", 0.03, "%"),
    Bar("lost", "acknowledged writes lost", "exactly", 0)))]
