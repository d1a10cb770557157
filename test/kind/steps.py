"""The steps that every option goes through, in their order. Each gets a Trial, raises Failure, and leaves figures in it."""
import time

import docker_nodes
from kube import check, say, wait_for
from views import leader_of, members_of, uid_of

FORM_BAR_SECONDS = 30
FORM_LIMIT_SECONDS = 150
SETTLE_LIMIT_SECONDS = 180
PAUSE_SECONDS = 60
API_AWAY_SECONDS = 120
CALM_SECONDS = 5  # of load before and after each disturbance


def form(trial):
    """The manifest as it is: one cluster of five, all voters, and a first write."""
    text, change = trial.option.manifest()
    say(f"applying the guide's manifest{' UNMODIFIED' if not change else ', with one change: ' + change}")
    trial.figure("manifest", change or "as in the guide, unmodified")
    trial.clear()
    trial.watch()
    trial.mark_ours()
    applied = trial.pod_clock()
    trial.kube.kubectl("apply", "-f", "-", stdin=text, seconds=60)
    times = trial.kube.ask("formed", seconds=FORM_LIMIT_SECONDS + 20, voters=5, limit_seconds=FORM_LIMIT_SECONDS)
    check(times, f"no cluster of five voters within {FORM_LIMIT_SECONDS} s; last seen: {trial.kube.ask('now')['sample']}")
    formed, written = times["formed"] - applied, times["written"] - applied
    say(f"one cluster of five voters {formed:.1f} s after apply, first write after {written:.1f} s")
    trial.figure("apply to one cluster of five", f"{formed:.1f} s")
    trial.figure("apply to first write", f"{written:.1f} s")
    check_one_cluster(trial, 5)
    check_no_restarts(trial)
    # With volumes it is the storage class that takes the time.
    check(trial.option.has_volumes or written < FORM_BAR_SECONDS, f"the first write came after {written:.1f} s; the bar is {FORM_BAR_SECONDS} s")


def check_no_restarts(trial):
    """No container ended by itself: a member has to live with what it finds."""
    restarts = {name: pod["status"]["containerStatuses"][0]["restartCount"] for name, pod in trial.kube.pods().items()}
    check(not any(restarts.values()), f"containers were restarted: {restarts}")


def check_one_cluster(trial, voters):
    """Every pod's own view, asked in the pod as the guide would: the same voters, one leader, one cluster id."""
    views = {name: members_of(trial.kube, name) for name in sorted(trial.kube.pods())}
    listed = {name: sorted((row["id"], row["name"]) for row in view) for name, view in views.items()}
    check(len({str(view) for view in listed.values()}) == 1, f"the pods list different members: {listed}")
    leaders = {row["id"] for view in views.values() for row in view if row["role"] == "leader"}
    check(len(leaders) == 1, f"leaders seen: {leaders}")
    sample = trial.sample()
    check(len(sample["clusters"]) == 1, f"cluster ids: {sample['clusters']}")
    check(len(sample["voters"]) == sample["voting"] == voters and not sample["outside"], f"expected {voters} voters and nobody outside: {sample}")


def start_load(trial):
    """Clients that write, read and swap, and a writer that measures gaps, from a pod beside the cluster."""
    trial.kube.ask("start", clients=3, pause_seconds=0.03, seed=trial.seed)
    trial.is_loaded = True
    time.sleep(CALM_SECONDS)


def scale(trial):
    """kubectl scale 5 -> 7 -> 3 under load; the newest pod's first log lines tell how it found the others and that it joined."""
    with trial.disturbance("scale 5 -> 7"):
        trial.kube.kubectl("scale", "statefulset", "whitewater", "--replicas=7")
        trial.wait_members("seven pods in the cluster", pods=7, voters=7, seconds=SETTLE_LIMIT_SECONDS)
    check_no_restarts(trial)
    check_first_lines(trial, "whitewater-6")
    with trial.disturbance("scale 7 -> 3"):
        trial.kube.kubectl("scale", "statefulset", "whitewater", "--replicas=3")
        wait_for("three pods are left", lambda: len(trial.kube.pods()) == 3, SETTLE_LIMIT_SECONDS, 1)
        trial.wait_members("three voters in the three pods", pods=3, voters=3, seconds=SETTLE_LIMIT_SECONDS)


def check_first_lines(trial, pod):
    """What the guide's `kubectl logs whitewater-6` is for. Without debug logging, and in the first lines."""
    lines = trial.kube.logs(pod)[:20]
    text = "\n".join(lines)
    pods = trial.kube.pods()
    found = "\n".join(line for line in lines if '"component":"discovery"' in line and "candidates" in line)
    wanted = {"who it is": (f"I am {pod}",), "its address": (pods[pod]["status"]["podIP"], f'"address":"{pod}.'),
              "its method": (f'"method":"{trial.option.method}"',), "that it joined": ("joined",)}
    missing = [what for what, parts in wanted.items() if not any(part in text for part in parts)]
    if not any(part in found for part in ("whitewater-0", pods["whitewater-0"]["status"]["podIP"])):
        missing.append("which peers it found")
    check(not missing, f"the first {len(lines)} log lines of {pod} do not say {', '.join(missing)}:\n{text}")
    say(f"the first lines of `kubectl logs {pod}` say {', '.join(wanted)}, and which peers it found")


def pod(trial):
    """A pod that does not lead is deleted."""
    leader = leader_of(trial)
    victim = next(name for name in sorted(trial.kube.pods(), reverse=True) if name != leader)
    delete_pod(trial, "a follower's pod deleted", victim)


def leader(trial):
    """The leader's pod is deleted."""
    delete_pod(trial, "the leader's pod deleted", leader_of(trial))


def delete_pod(trial, title, victim):
    voters = len(trial.sample()["voters"])
    before = uid_of(trial.kube, victim)
    with trial.disturbance(title):
        trial.kube.kubectl("delete", "pod", victim, seconds=60)
        wait_for(f"{victim} is back", lambda: uid_of(trial.kube, victim) not in (None, before), 90)
        trial.wait_members(f"{victim} is a voter again", pods=len(trial.kube.pods()), voters=voters, seconds=SETTLE_LIMIT_SECONDS)


def node(trial):
    """The node of the leader stops for a minute, as a machine whose hypervisor froze it."""
    name = trial.kube.pods()[leader_of(trial)]["spec"]["nodeName"]
    docker_nodes.require(trial.kube)
    voters = len(trial.sample()["voters"])
    with trial.disturbance(f"node paused for {PAUSE_SECONDS} s (the leader's)"):
        with docker_nodes.paused(name):
            trial.progress(f"{name} is paused", PAUSE_SECONDS)
        trial.wait_members("all are back", pods=len(trial.kube.pods()), voters=voters, seconds=SETTLE_LIMIT_SECONDS)


def apiserver(trial):
    """No API server for two minutes: nothing that clients see depends on it."""
    docker_nodes.require(trial.kube)
    voters = len(trial.sample()["voters"])
    with trial.disturbance(f"API server away for {API_AWAY_SECONDS} s"):
        with docker_nodes.without_apiserver(trial.kube):
            trial.progress("the API server is away", API_AWAY_SECONDS)
        trial.wait_members("all as before", pods=len(trial.kube.pods()), voters=voters, seconds=SETTLE_LIMIT_SECONDS)
    docker_nodes.wait_for_controllers(trial.kube)
    figures = trial.disturbances[-1]
    check(figures["failed"] + figures["unknown"] == 0, f"operations failed while the API server was away: {figures}")


def verify(trial):
    """The load ends: every acknowledged write is there, and the history is linearizable."""
    trial.is_loaded = False
    verdict = trial.kube.ask("stop", seconds=180)["verdict"]
    trial.figure("judged after all of it", verdict)
    say(f"nothing lost, linearizable: {verdict}")
    check_no_restarts(trial)


def everyone(trial):
    """All pods are deleted. Without volumes all data is gone with them: one new cluster. With volumes: the same one, with everything."""
    before = trial.sample()["clusters"]
    uids = {name: uid_of(trial.kube, name) for name in trial.kube.pods()}
    begun = trial.pod_clock()
    trial.kube.kubectl("delete", "pods", "-l", "app=whitewater", "--wait=false", seconds=60)
    wait_for("no old pod is left", lambda: not set(uids.values()) & {uid_of(trial.kube, name) for name in uids}, 120, 1)
    times = trial.kube.ask("formed", seconds=FORM_LIMIT_SECONDS + 20, voters=len(uids), limit_seconds=FORM_LIMIT_SECONDS)
    check(times, f"no cluster within {FORM_LIMIT_SECONDS} s after all pods were deleted: {trial.sample()}")
    check_one_cluster(trial, len(uids))
    check_no_restarts(trial)
    trial.figure(f"all {len(uids)} pods deleted, to first write", f"{times['written'] - begun:.1f} s")
    is_same = trial.sample()["clusters"] == before
    say(f"first write {times['written'] - begun:.1f} s after the deletion, in {'the same' if is_same else 'a new'} cluster")
    if trial.option.has_volumes:
        check(is_same, f"the cluster has another id than before: {before}, {trial.sample()['clusters']}")
        trial.figure("judged after all pods were deleted", trial.kube.ask("verify", seconds=180)["verdict"])
    else:
        check(not is_same, "the cluster has the id of the one whose data is gone")
