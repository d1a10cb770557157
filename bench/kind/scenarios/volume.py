"""A pod and its volume are lost for good: a new member takes the old one's place, without a command."""
from bars import Bar
from kube import check, say, wait_for
from scenarios import Scenario
from scenarios.disturbance import under_load
from session import now_ms
from systems import started_ms

BACK_SECONDS, REPLACED_SECONDS = 150, 180


def volume(bench, sheet):
    system, lost = bench.whitewater, 0
    for who in ("follower", "leader"):
        with under_load(bench, sheet, system, f"volume and pod of the {who} deleted") as events:
            name = system.leader() if who == "leader" else system.follower()
            seconds = lose(system, name)
            events.mark(f"{name} votes again, {seconds:.0f} s after its pod was back")
        sheet.value(f"{who}_s", seconds)
        lost += events.seen["lost"]
        system.wait_whole()
    sheet.value("lost", lost)


def lose(system, name):
    """Seconds from the new pod's start until the new member votes and the old one is gone."""
    kube, claim = system.session.kube, f"data-{name}"
    old_claim = kube.json("get", "pvc", claim)["metadata"]["uid"]
    old_pod = system.pods()[name]["metadata"]["uid"]
    old_id = system.members()[name]["id"]
    kube.kubectl("delete", "pvc", claim, "--wait=false")
    kube.kubectl("delete", "pod", name, "--wait=false")

    def is_back():
        pod = system.pods().get(name)
        return pod and pod["metadata"]["uid"] != old_pod and started_ms(pod)
    started = wait_for(f"{name} is back", is_back, BACK_SECONDS, 0.2)
    check(kube.json("get", "pvc", claim)["metadata"]["uid"] != old_claim, f"{name} came back with its old volume")
    say(f"    {name} is back with an empty volume")

    def is_replaced():
        row = system.members().get(name)
        voters, learners = system.listed()
        return row and row["id"] != old_id and row["role"] in ("leader", "follower") and len(voters) == 3 and not learners
    wait_for(f"{name} votes again", is_replaced, REPLACED_SECONDS, 0.2)
    return (now_ms() - started) / 1000


SCENARIOS = [Scenario("volume", "Lost volumes", volume, 700, (
    Bar("follower_s", "a follower's place is taken, after its pod is back", "at most", 60, "s"),
    Bar("leader_s", "the leader's place is taken, after its pod is back", "at most", 60, "s"),
    Bar("lost", "acknowledged writes lost", "exactly", 0)))]
