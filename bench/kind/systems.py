"""Whitewater and etcd as the scenarios see them: three pods of a StatefulSet that answer etcd's HTTP/JSON API on port 2379."""
import datetime
import json
import time

from kube import Failure, check, say, wait_for
from session import CHART, HERE, NAMESPACE, now_ms

PORT, SERVICE_PORT = 2379, 8090
IMAGE_MARK = 'image: "IMAGE"'  # in etcd.yaml
READY_SECONDS = 150
FIRST_WRITE_SECONDS = 120


class System:
    """`endpoints`: the client service, which leads to ready pods, by the name that the first of the resolver's search domains completes."""

    def __init__(self, session, statefulset, selector, endpoints):
        self.session, self.statefulset, self.selector, self.endpoints = session, statefulset, selector, endpoints

    def pods(self):
        return self.session.api.pods(self.selector)

    def statuses(self):
        """What the pods that answer say of themselves, by name."""
        found = {}
        for name in sorted(self.pods()):
            try:
                found[name] = self.session.api.member(name, "/v3/maintenance/status", {}, seconds=2)
            except Failure:
                continue
        return found

    def leader(self):
        """The name of the pod whose member leads."""
        def find():
            for name, status in self.statuses().items():
                if status.get("leader", "0") != "0" and status["leader"] == status["header"].get("member_id"):
                    return name
            return None
        return wait_for(f"{self.name} has a leader", find, 30, 0.2)

    def follower(self):
        leader = self.leader()
        return max(name for name in self.pods() if name != leader)

    def leader_endpoint(self):
        return f"{self.pods()[self.leader()]['status']['podIP']}:{PORT}"

    def listed(self):
        """(voters, learners) as pods' names or "", as the first pod that answers lists them."""
        for name in sorted(self.pods()):
            try:
                members = self.session.api.member(name, "/v3/cluster/member/list", {}, seconds=2).get("members") or []
            except Failure:
                continue
            if members:
                names = [[m.get("name", "") for m in members if bool(m.get("isLearner")) == is_learner] for is_learner in (False, True)]
                return sorted(names[0]), sorted(names[1])
        return [], []

    def clusters(self):
        return {status["header"].get("cluster_id", "0") for status in self.statuses().values()} - {"0"}

    def wait_whole(self, members=3, seconds=READY_SECONDS):
        """So many pods are ready, all of them voters of one cluster, and nobody else is in it."""
        def probe():
            pods = self.pods()
            ready = sorted(name for name, pod in pods.items() if is_ready(pod))
            voters, learners = self.listed()
            seen = f"ready {ready}, voters {voters}, learners {learners}"
            check(len(pods) == len(ready) == len(voters) == members and not learners and len(self.clusters()) == 1, seen)
            return True
        wait_for(f"{self.name} has {members} ready members that vote", probe, seconds)

    def first_write(self, since_ms, count=3):
        """Puts to every pod in turn until one is acknowledged. Its time, and that of the start of the last container, in Unix milliseconds."""
        acknowledged, deadline = None, time.monotonic() + FIRST_WRITE_SECONDS
        while acknowledged is None:
            check(time.monotonic() < deadline, f"no write was acknowledged within {FIRST_WRITE_SECONDS} s; pods: {sorted(self.pods())}")
            for name in sorted(self.pods()):
                try:
                    if self.session.api.put(name, "first", "write", seconds=2)[0] == 200:
                        acknowledged = now_ms()
                        break
                except Failure:
                    continue
            time.sleep(0.02)
        starts = wait_for("all containers have a start", lambda: self.starts(since_ms, count), 90)
        return acknowledged, max(starts)

    def starts(self, since_ms, count):
        """When the containers began that did so after `since` (the API server states whole seconds); None until there are so many."""
        found = [started_ms(pod) for pod in self.pods().values()]
        found = [start for start in found if start is not None and start >= since_ms - 1000]
        return found if len(found) >= count else None

    def restarts(self):
        return sum(status["restartCount"] for pod in self.pods().values() for status in pod["status"].get("containerStatuses", []))


class Whitewater(System):
    MAIN = "ww"

    def __init__(self, session, release=MAIN, values=None):
        super().__init__(session, f"{release}-whitewater", f"app.kubernetes.io/instance={release},app.kubernetes.io/component=member",
                         f"{release}-whitewater:{SERVICE_PORT}")
        self.name, self.release, self.values = "Whitewater", release, values or {}

    def install(self):
        """helm's own words on stderr."""
        arguments = [part for key, value in self.values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
        return self.session.helm("install", self.release, str(CHART), *arguments).stderr

    def upgrade(self, *settings):
        self.session.helm("upgrade", self.release, str(CHART), "--reuse-values", *settings, seconds=600)

    def uninstall(self):
        self.session.helm("uninstall", self.release, "--wait", "--timeout", "90s", seconds=100)
        self.session.wait_no_pods(self.selector)

    def remove(self):
        """With its volumes."""
        self.uninstall()
        self.session.delete_claims(self.selector)

    def members(self):
        """Each pod's own row."""
        return {name: self.session.api.member(name, "/whitewater/members?self=1")[0] for name in sorted(self.pods())}


class Etcd(System):
    def __init__(self, session):
        super().__init__(session, "etcd", "app=etcd", f"etcd:{PORT}")
        self.name = "etcd"

    def install(self):
        text = (HERE / "etcd.yaml").read_text().replace(IMAGE_MARK, f"image: \"{self.session.etcd_image}\"").replace("NAMESPACE", NAMESPACE)
        self.session.apply(text)

    def remove(self):
        self.session.kube.kubectl("delete", "statefulset/etcd", "service/etcd", "service/etcd-headless", "--ignore-not-found", seconds=120)
        self.session.wait_no_pods(self.selector)
        self.session.delete_claims(self.selector)


def is_ready(pod):
    return not pod["metadata"].get("deletionTimestamp") and \
        any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def started_ms(pod):
    for status in pod["status"].get("containerStatuses", []):
        started = status.get("state", {}).get("running", {}).get("startedAt")
        if started:
            return unix_ms(started)
    return None


def unix_ms(text):
    return 1000 * datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def installed(system):
    say(f"installing {system.name} as {system.statefulset}")
    system.install()
    system.wait_whole()
    return system
