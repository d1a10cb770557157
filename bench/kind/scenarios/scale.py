"""From three to five and back under load: by helm, whose hook takes the members out, and by kubectl with `whitewater scale`."""
import time

from bars import Bar
from kube import wait_for
from scenarios import Scenario
from scenarios.disturbance import say_after, under_load

WHOLE_SECONDS = 180


def scale(bench, sheet):
    system, seen, leftovers = bench.whitewater, [], 0
    for way, grow, shrink in (("helm", by_helm, by_helm), ("kubectl", by_kubectl, out_and_by_kubectl)):
        with under_load(bench, sheet, system, f"3 to 5 to 3 by {way}") as events:
            for change, count in ((grow, 5), (shrink, 3)):
                started = time.monotonic()
                events.mark(f"to {count}")
                change(system, count)
                wait_for(f"{count} pods are left", lambda count=count: len(system.pods()) == count, WHOLE_SECONDS)
                system.wait_whole(count, WHOLE_SECONDS)
                sheet.figure(f"to {count} by {way}, until all vote", f"{say_after(f'{count} members', started):.0f} s")
        voters, learners = system.listed()
        leftovers += len(voters) + len(learners) - 3
        seen.append(events.seen)
        drop_claims(system)
    sheet.value("leftovers", leftovers)
    sheet.value("without_quorum", sum(one["without_quorum"] for one in seen))
    sheet.value("lost", sum(one["lost"] for one in seen))


def by_helm(system, count):
    system.upgrade("--set", f"replicaCount={count}")


def by_kubectl(system, count):
    system.session.kube.kubectl("scale", f"statefulset/{system.statefulset}", f"--replicas={count}")


def out_and_by_kubectl(system, count):
    system.session.kube.exec(f"{system.statefulset}-0", "whitewater", "scale", "--to", str(count), seconds=150)
    by_kubectl(system, count)


def drop_claims(system):
    """A member that was removed does not come back with its old volume: the chart's README has these deleted before growing again."""
    claims = [f"data-{system.statefulset}-{ordinal}" for ordinal in (3, 4)]
    system.session.kube.kubectl("delete", "pvc", *claims, "--ignore-not-found", seconds=90)


SCENARIOS = [Scenario("scale", "Scale from 3 to 5 to 3", scale, 800, (
    Bar("leftovers", "members left over", "exactly", 0),
    Bar("without_quorum", "samples in which no majority of the voters answered", "exactly", 0),
    Bar("lost", "acknowledged writes lost", "exactly", 0)))]
