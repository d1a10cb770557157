"""Members that find each other by the Kubernetes API alone, against a test API server that goes away, refuses tokens and forbids
verbs. WHITEWATER_API_AWAY_SECONDS says for how long it is away in away_and_back (20)."""
import json
import os
import socket
import subprocess
import threading
import time

import linearizability
from harness import FAST, NET, RAFT_PORT, ZONE, check, metric, wait_for
from kubernetes_api import API_ADDRESS, GUIDE_ROLE, KubernetesCluster
from load import GapWriter, Load
from scenarios_bootstrap import check_formed
from scenarios_discovery import discover
from scenarios_doctor import check_found, doctor, findings
from scenarios_membership import QUICK, roles, voters, wait_roles

AWAY_SECONDS = int(os.environ.get("WHITEWATER_API_AWAY_SECONDS", "20"))
# A list is repeated after 30 s at the latest; what is known within this time came by the watch.
WATCH_SECONDS_MAX = 5
# Against writes that stand still. How long a gap really was is printed.
QUIET_GAP_SECONDS_MAX = 5
KILL_GAP_SECONDS_MAX = 30
# The longest back-off of the watch is 30 s; what is a token's age before it is read again in any case is 60 s.
BACK_SECONDS_MAX = 50
ROTATED_SECONDS_MAX = 15
# Elections only for leaders that died, also on a machine that loses a second to others.
PATIENT = {"WHITEWATER_ELECTION_TIMEOUT_MS": "3000", "WHITEWATER_HEARTBEAT_INTERVAL_MS": "100"}
STALE = "whitewater_discovery_stale_seconds"


def text_of(member):
    return "\n".join(member.process.lines())


def last_candidates(member):
    """The newest line about who is there."""
    lines = [line for line in member.process.lines() if "kubernetes: " in line and " candidates" in line]
    return lines[-1] if lines else ""


def wait_noticed(context, what, members, has_noticed):
    """Every member's last line about the pods is as wanted, sooner than without a watch."""
    started = time.monotonic()
    for member in members:
        wait_for(f"{member.name} notices: {what}", lambda member=member: has_noticed(last_candidates(member)), WATCH_SECONDS_MAX)
    context.figure(f"noticed by {len(members)}: {what}", f"{(time.monotonic() - started) * 1000:.0f} ms")


def wait_labelled(cluster, but=None):
    """The pod of the leader, and of nobody else that runs, says so by its label."""
    def is_right():
        labels = cluster.api.status()["roles"]
        leader = cluster.leader()
        return leader and all(labels.get(m.name) == ("leader" if m is leader else "follower")
                              for m in cluster.members if m.is_running() and m is not but)
    wait_for("the labels of the pods name the leader", is_right, 30)


def scenario_found_by_the_api(context):
    """The guide's option 2 as written, no count stated: three found, two more appear and join, one goes and comes back elsewhere."""
    with KubernetesCluster(context, count=5, environment={**FAST, **QUICK}) as cluster:
        cluster.api.forbid(*GUIDE_ROLE)
        cluster.api.put_pod("other-0", f"{NET}.70", app="other")
        first, extras = cluster.members[:3], cluster.members[3:]
        cluster.start(first)
        cluster_id = cluster.check_one_cluster(first)
        for member in first:
            for part in ("looking for peers in pods with app=whitewater in namespace default", "LABEL_SELECTOR is set"):
                check(part in text_of(member), f"the log of {member.name} does not say: {part}")
            check("other-0" not in text_of(member), "a pod with another label is a candidate")
        cluster.api.wait_watched(3)
        # By the watch alone: their processes do not run yet, so that nobody hears of them otherwise.
        for count, extra in enumerate(extras, 4):
            cluster.put_pod(extra)
            wait_noticed(context, f"a pod appears, {extra.name}", first,
                         lambda line, n=count, extra=extra: f"{n} candidates" in line and extra.name in line)
        for extra in extras:
            extra.start()
        wait_roles(first[0], voters(0, 1, 2, 3, 4))
        cluster.wait_ready()
        check(cluster.check_one_cluster() == cluster_id, "another cluster")
        gone = cluster.members[4]
        gone.kill()
        cluster.api.tell("remove_pod", name=gone.name)
        wait_noticed(context, "a pod is gone", cluster.members[:4], lambda line: "4 candidates" in line and gone.name not in line)
        gone.address = f"{NET}.205"
        cluster.put_pod(gone, uid="another-uid")
        wait_noticed(context, "its heir appears", cluster.members[:4], lambda line: "5 candidates" in line and gone.name in line)
        check("is a new incarnation under the same name" in text_of(first[0]), "no word of the new incarnation")
        gone.start()
        cluster.wait_ready()
        check(cluster.check_one_cluster() == cluster_id, "another cluster")
        rows = {row["name"]: row["address"] for row in first[0].table()}
        check(ZONE in rows[gone.name], f"advertised is {rows}, not the full name")
        cluster.put("key", "by the heir", via=gone)
        check(cluster.get("key", via=first[0]) == "by the heir", "the heir is not heard")
        check(not any(cluster.api.status()["roles"].values()), "a label was written that the Role does not allow")


def scenario_scaled_in_by_the_statefulset(context):
    """A Role that shows the StatefulSet: its count is the number of founders; a pod that it leaves out later goes from the cluster on
    SIGTERM, one that restarts does not."""
    with KubernetesCluster(context, count=5, environment={**FAST, **QUICK}) as cluster:
        cluster.api.tell("replicas", count=5)
        cluster.start()
        one, fourth, last = cluster.members[0], cluster.members[3], cluster.members[4]
        for member in cluster.members:
            check("the StatefulSet states the number of founders" in text_of(member), f"{member.name} has not read the count")
            check(metric(member, "whitewater_bootstrap_expect_inferred") == 0, f"{member.name} has inferred the count")
            check("founded cluster" in text_of(member), f"{member.name} is no founder")
        wait_roles(one, voters(0, 1, 2, 3, 4))
        wait_labelled(cluster)
        cluster.api.tell("replicas", count=4)
        check(last.stop() == 0, last.last_lines())
        check("is scaled in" in text_of(last), "it does not say why it leaves")
        wait_roles(one, voters(0, 1, 2, 3), 20)
        cluster.api.tell("remove_pod", name=last.name)
        check(fourth.stop() == 0, fourth.last_lines())
        time.sleep(1)
        check(fourth.name in roles(one), "a restart takes a member out")
        fourth.start()
        cluster.wait_ready(cluster.members[:4])
        wait_roles(one, voters(0, 1, 2, 3))
        leader = cluster.leader()
        leader.kill()
        cluster.other_leader(leader)
        wait_labelled(cluster, but=leader)
        leader.start()
        cluster.wait_ready(cluster.members[:4])
        wait_labelled(cluster)


class ReadinessWatcher(threading.Thread):
    """Asks every member for /readyz, again and again, as kubelets do; judges spans of time afterwards. A context manager."""
    PAUSE_SECONDS = 0.05

    def __init__(self, members):
        super().__init__(daemon=True)
        self.members, self.seen, self.stopping = list(members), [], threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()

    def run(self):
        while not self.stopping.is_set():
            for member in self.members:
                asked = time.monotonic()
                reply = member.get("/readyz", timeout=5)
                self.seen.append((asked, member.name, "no answer" if reply is None else "" if reply.status == 200 else repr(reply)))
            time.sleep(self.PAUSE_SECONDS)

    def check_ready(self, since, until):
        answers = [entry for entry in self.seen if since <= entry[0] <= until]
        check({name for _, name, _ in answers} == {member.name for member in self.members}, "somebody was not asked")
        bad = [f"{name} after {when - since:.1f} s: {text}" for when, name, text in answers if text]
        check(not bad, f"not ready {len(bad)} times of {len(answers)}: {bad[:3]}")


def failed_operations(load, since):
    return [op for client in load.clients for op in list(client.history) if op.start >= since and op.outcome != linearizability.OK]


def check_quiet(what, since, load, writer, readiness):
    """Since then: every member ready at every moment, no operation failed, and no long gap between two writes."""
    until = time.monotonic()
    readiness.check_ready(since, until)
    failed = failed_operations(load, since)
    check(not failed, f"{what}: {len(failed)} operations failed, among them {failed[:3]}")
    gap = writer.gap(since, until)
    check(gap < QUIET_GAP_SECONDS_MAX, f"{what}: {gap:.1f} s without a write")
    return f"{gap * 1000:.0f} ms"


def check_away(api):
    with socket.socket() as probe:
        check(probe.connect_ex((API_ADDRESS, api.port)) != 0, "the API server answers although it is away")


def check_told_as_stale(cluster, more_than_seconds):
    """By the metric of each member and by its doctor; neither is a problem."""
    for member in cluster.members:
        wait_for(f"{member.name} shows how old its list is", lambda member=member: metric(member, STALE) > more_than_seconds, 20)
    for member in cluster.members:
        wait_for(f"the doctor of {member.name} tells", lambda member=member: any(
            "what was known stays in use" in one["text"] and one["next_step"]
            for one in findings(doctor(cluster, member, expect=0)[0], "warning", "discovery")), 40, interval=0.5)


def wait_fresh(cluster, seconds):
    """Every member watches again and says so."""
    deadline = time.monotonic() + seconds
    cluster.api.wait_watched(len(cluster.members), seconds)
    for member in cluster.members:
        wait_for(f"the list of {member.name} is of now", lambda member=member: metric(member, STALE) == 0, max(1, deadline - time.monotonic()))


def replace_leader(context, cluster, writer):
    """kill -9; another one leads, and the old one is back in its cluster. Ends with everybody ready."""
    old, killed_at = cluster.leader(), time.monotonic()
    cluster_id = cluster.check_one_cluster()
    old.kill()
    cluster.other_leader(old, 30, among=[member for member in cluster.members if member is not old])
    writer.wait_for_more("writes after the election")
    started = len(old.process.lines())
    old.start()
    cluster.wait_ready()
    check(cluster.check_one_cluster() == cluster_id, "another cluster")
    lines = "\n".join(old.process.lines()[started:])
    check("belongs to a cluster since an earlier start" in lines, f"how {old.name} found its cluster: {lines[-600:]}")
    gap = writer.gap(killed_at)
    check(gap < KILL_GAP_SECONDS_MAX, f"{gap:.1f} s without a write although two of three were there")
    context.figure("longest write gap of kill -9 while the API is away", f"{gap * 1000:.0f} ms")


def scenario_away_and_back(context):
    """The API server is away, comes back with every token expired, then new ones arrive: ready and no failed operation throughout.
    A leader that is killed meanwhile is replaced by an election and comes back into its cluster."""
    pause = 0.02 * max(1, AWAY_SECONDS / 60)  # the search for a linear order wants no more operations in a longer run
    with KubernetesCluster(context, count=4, environment={**PATIENT, **QUICK}) as cluster:
        late, cluster.members = cluster.members[3], cluster.members[:3]
        api = cluster.api
        cluster.dns.serve([], {member.ordinal: member.address for member in cluster.members})  # as it goes on without the API server
        cluster.start()
        wait_fresh(cluster, 30)
        with Load(cluster, clients=3, seed=41, pause_seconds=pause, timeout=15) as load, GapWriter(cluster.members) as writer, \
                ReadinessWatcher(cluster.members) as readiness:
            away_at = time.monotonic()
            api.tell("go_away")
            check_told_as_stale(cluster, min(5, AWAY_SECONDS / 4))
            time.sleep(max(0, away_at + AWAY_SECONDS / 2 - time.monotonic()))
            context.figure("longest write gap, the API is away", check_quiet("the API is away", away_at, load, writer, readiness))

            replace_leader(context, cluster, writer)
            check_away(api)
            healed_at = time.monotonic()
            time.sleep(max(3, away_at + AWAY_SECONDS - time.monotonic()))
            check_away(api)
            for member in cluster.members:
                check(metric(member, STALE) > 2, f"{member.name} shows a list of now")

            api.tell("token", accepted="token-2")
            api.tell("come_back")
            wait_for("a refused token", lambda: api.status()["refused"] >= 2, BACK_SECONDS_MAX)
            wait_for("a word of it", lambda: any("401 Unauthorized" in text_of(member) for member in cluster.members), 20)
            check(all(metric(member, STALE) > 2 for member in cluster.members), "a member shows a list of now without a valid token")
            check(api.status()["watches"] == 0, "a watch without a valid token")
            cluster.account.write("token-2")
            written_at = time.monotonic()
            wait_fresh(cluster, BACK_SECONDS_MAX)
            context.figure("new tokens: the list is fresh after", f"{time.monotonic() - written_at:.1f} s")

            # A token that is swapped before the old one expires, under watches that run: one refused request, and at once back.
            time.sleep(3)
            cluster.account.write("token-3")
            api.tell("token", accepted="token-3")
            api.tell("drop_connections")
            wait_fresh(cluster, ROTATED_SECONDS_MAX)
            cluster.put_pod(late)
            wait_noticed(context, "a pod appears, after all of it", cluster.members, lambda line: late.name in line and "4 candidates" in line)
            context.figure("longest write gap, it comes back", check_quiet("it comes back", healed_at, load, writer, readiness))
        print(f"    {load.verify()}")


scenario_away_and_back.limit_seconds = AWAY_SECONDS + 400


def scenario_discover_asks_the_api(context):
    """`whitewater discover`: the pods, a missing verb with the next step, an expired token, nobody there; a whole file or none."""
    with KubernetesCluster(context, has_names=False) as cluster:
        api, member, target = cluster.api, cluster.members[0], cluster.folder / "peers.json"

        def look(*flags, expect=0):
            return discover(cluster, member, "--method", "kubernetes", *flags, expect=expect)

        def write(expect, count="3", timeout="1s"):
            return look("--min", count, "--timeout", timeout, "--output", str(target), expect=expect)
        api.put_pod("other-0", f"{NET}.70", app="other")
        done = look(expect=1)
        check("no pod with app=whitewater has an address" in done.stdout and "next: " in done.stdout, done.stdout)
        check("no file was written" in write(1, "1").stderr and not target.exists(), "a file although nobody was found")
        for one in cluster.members[:2]:
            cluster.put_pod(one)
        text = look().stdout
        for part in ("kubernetes (what a member uses: ", "pods with app=whitewater in namespace default",
                     f"{API_ADDRESS}:{api.port}", "sees: 2 peers", f"{cluster.members[1].address}:{RAFT_PORT}"):
            check(part in text, f"it does not say {part!r}: {text}")
        check("other-0" not in text and "note:" not in text, text)
        check("LABEL_SELECTOR is set" in discover(cluster, member).stdout, "without --method it is not the way of the guide's environment")
        # Two pods that do not count yet: one without an address, one that is being deleted.
        api.put_pod("whitewater-2", "", phase="Pending", ready=False)
        api.put_pod("whitewater-3", f"{NET}.4", terminating=True)
        target.write_text("the old one")
        write(1)
        check(target.read_text() == "the old one", "the old file did not stay")

        api.forbid("watch pods")
        text = look().stdout  # the list alone works: pods, and what is missing
        check("sees: 2 peers" in text and "may not watch pods" in text and 'Role with the verb "watch" on pods' in text, text)
        api.forbid("list pods")
        text = look(expect=1).stdout
        check("sees: 0 peers" in text and 'Role with the verb "list" on pods' in text and "next: " in text, text)
        write(1, "1")
        api.forbid()
        api.tell("token", accepted="token-2")
        check("401 Unauthorized" in look(expect=1).stdout, "no word of the refused token")
        cluster.account.write("token-2")
        look()
        api.tell("go_away")
        check(f"{API_ADDRESS}:{api.port}" in look(expect=1).stdout, "no word of the server that is away")
        api.tell("come_back")
        check(target.read_text() == "the old one", "the old file did not stay")

        command = [str(cluster.binary), "discover", "--method", "kubernetes", "--min", "3", "--timeout", "60s", "--output", str(target)]
        waiting = subprocess.Popen(command, env=member.full_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            api.wait_watched(1)
            time.sleep(0.5)
            check(waiting.poll() is None and target.read_text() == "the old one", "it did not wait")
            api.put_pod("whitewater-2", cluster.members[2].address)
            text, _ = waiting.communicate(timeout=30)
        finally:
            waiting.kill()
            waiting.wait()
        check(waiting.returncode == 0, text)
        written = json.loads(target.read_text())
        check(written == {"peers": [f"{one.name}={one.address}:{RAFT_PORT}" for one in cluster.members]}, written)
        # What an init container leaves is all that these members have.
        api.tell("go_away")
        for one in cluster.members:
            one.environment |= {"PEERS_FILE": str(target), "LABEL_SELECTOR": None, "KUBERNETES_SERVICE_HOST": None}
            one.start()
        check_formed(cluster)


def scenario_doctor_names_the_missing_verb(context):
    """A Role that loses its verbs while members run, and one that lacks one from the start: named, with the next step, and all are ready."""
    with KubernetesCluster(context) as cluster:
        api = cluster.api

        def warned(member, text):
            """The report, once it has that warning."""
            report = wait_for(f"the doctor of {member.name} says {text!r}", lambda: next(
                (one for one in doctor(cluster, member, expect=0) if any(text in warning["text"] for warning in findings(one, "warning", "discovery"))),
                None), 40, interval=0.2)
            check(all(one["next_step"] for one in findings(report, "warning", "discovery")), f"no next step: {report}")
            return report
        cluster.start()
        api.wait_watched(3)
        check(not findings(doctor(cluster, cluster.members[0], expect=0)[0], "warning", "discovery"), "a warning without a cause")
        api.forbid("list pods", "watch pods")
        api.tell("end_watches")
        for member in cluster.members:
            report = warned(member, 'may not watch pods in namespace default; next step: a Role with the verb "watch" on pods')
            check_found(report, "warning", "discovery", 'may not list pods in namespace default; next step: a Role with the verb "list" on pods')
            check(report["ready"] and member.is_ready(), member.readiness())
        api.forbid("watch pods")
        member = cluster.members[0]
        member.kill()
        member.start()
        cluster.wait_ready()
        report = warned(member, "may not watch pods")
        check(not any("may not list" in one["text"] for one in report["findings"]), f"a verb that is there: {report}")
        check_found(report, "ok", "discovery", "names 3 members")
