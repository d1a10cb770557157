"""One option on one cluster: what the steps share, the clock of the load pod, and the figures that were measured."""
import contextlib
import time

from kube import Failure, check, say, wait_for

OURS = "whitewater-kind-test"  # a ConfigMap whose presence says that the objects named whitewater are of these tests
OBJECTS = ("statefulset/whitewater", "service/whitewater-headless", "service/whitewater-service", "rolebinding/whitewater-pod-reader-binding",
           "role/whitewater-pod-reader", "serviceaccount/whitewater")
HEADLESS = "whitewater-headless.default.svc.cluster.local"
PROGRESS_SECONDS = 10


class Trial:
    def __init__(self, kube, option, seed):
        self.kube, self.option, self.seed = kube, option, seed
        self.figures, self.disturbances, self.is_loaded = [], [], False
        self.clock_offset = 0

    def figure(self, what, value):
        self.figures.append((what, value))

    def watch(self):
        """The load pod looks at the service from now on; its clock and ours are compared."""
        self.kube.ask("watch", service=HEADLESS)
        offsets = []
        for _ in range(3):
            before = time.monotonic()
            there = self.kube.ask("now")["now"]
            after = time.monotonic()
            offsets.append((after - before, there - (before + after) / 2))
        self.clock_offset = min(offsets)[1]

    def pod_clock(self):
        return time.monotonic() + self.clock_offset

    def sample(self):
        sample = self.kube.ask("now")["sample"]
        check(sample, "the load pod has seen nothing yet")
        return sample

    def wait_members(self, what, pods, voters, seconds):
        """Until so many pods are of one cluster with so many voters, all of which run in these pods. Says what it waits for."""
        last_said = time.monotonic()

        def probe():
            nonlocal last_said
            sample = self.sample()
            if time.monotonic() - last_said > PROGRESS_SECONDS:
                last_said = time.monotonic()
                say(f"    waiting for {what}: {short(sample)}")
            is_so = sample["pods"] == pods and len(sample["clusters"]) == 1 and not sample["outside"] and not sample["silent"] and \
                len(sample["voters"]) == sample["voting"] == voters and sample["leader"]
            return sample if is_so else check(False, short(sample))
        started = time.monotonic()
        sample = wait_for(what, probe, seconds, 0.5)
        say(f"    {what} after {time.monotonic() - started:.1f} s: {short(sample)}")

    @contextlib.contextmanager
    def disturbance(self, title):
        """Measures what clients saw from the begin of the block to some calm seconds after it, also when it fails."""
        say(title)
        since = self.pod_clock()
        try:
            yield
            time.sleep(5)
        finally:
            if self.is_loaded:
                self._measure(title, since)

    def _measure(self, title, since):
        seen = self.kube.ask("window", since=since, until=self.pod_clock(), seconds=60)
        history = [f"{when - since:.1f} s: {short(sample)}" for when, sample in seen.pop("samples")]
        entry = {"title": title, "seconds": self.pod_clock() - since, "membership": history, **seen}
        self.disturbances.append(entry)
        failed = seen["failed"] + seen["unknown"]
        say(f"    {seen['operations']} operations, {seen['failed']} refused, {seen['unknown']} without an answer"
            f" ({100 * failed / max(1, seen['operations']):.2f} %), longest write gap {1000 * seen['gap']:.0f} ms")
        for line in history:
            say(f"        {line}")

    def progress(self, what, seconds):
        """Waits, and says so."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            say(f"    {what}, {left:.0f} s to go")
            time.sleep(min(left, PROGRESS_SECONDS * 2))

    def mark_ours(self):
        self.kube.kubectl("create", "configmap", OURS, f"--from-literal=option={self.option.name}")

    def clear(self):
        clear(self.kube)


def short(sample):
    text = f"{sample['pods']} pods, voters {names(sample['voters'])}"
    text += f" ({sample['voting']} of them answer)" if sample["voting"] != len(sample["voters"]) else ""
    text += f", learners {names(sample['learners'])}" if sample["learners"] else ""
    text += f", leader {names([sample['leader']])}" if sample["leader"] else ", no leader"
    text += f", {sample['outside']} in no cluster" if sample["outside"] else ""
    text += f", {len(sample['silent'])} silent" if sample["silent"] else ""
    return text + (f", CLUSTERS {sample['clusters']}" if len(sample["clusters"]) > 1 else "")


def names(members):
    return " ".join(member.removeprefix("whitewater-") for member in members) or "-"


def clear(kube):
    """Removes what these tests made in the cluster. Objects of the same names that they did not make stay, and end the run."""
    is_ours = kube.kubectl("get", "configmap", OURS, check=False).returncode == 0
    found = kube.kubectl("get", *OBJECTS, "--ignore-not-found", "-o", "name", seconds=30).stdout.split()
    if found and not is_ours:
        raise Failure(f"the cluster {kube.context} has {', '.join(found)} in the namespace default, which these tests did not make; they need those names")
    if not is_ours:
        return
    kube.kubectl("delete", *OBJECTS, "--ignore-not-found", seconds=120)
    kube.kubectl("delete", "pods,pvc", "-l", "app=whitewater", "--ignore-not-found", "--grace-period=1", seconds=120)
    wait_for("no pod is left", lambda: not kube.pods(), 120, 1)
    kube.kubectl("delete", "configmap", OURS, "--ignore-not-found")
