"""kubectl, docker and time, each call with a limit. Knows one cluster, the one that KUBECONFIG names, and one namespace of it."""
import json
import os
import subprocess
import time

STARTED = time.monotonic()


class Failure(Exception):
    """Something did not hold, or a tool failed; the text says what was seen."""


class Skip(Exception):
    """The cluster does not allow what a step needs; the text says why."""


def say(text):
    print(f"{time.monotonic() - STARTED:7.1f} s  {text}", flush=True)


def check(condition, text):
    if not condition:
        raise Failure(text)


def run(command, seconds, check=True, stdin=None, environment=None):
    """A tool, to its end or to the limit. Raises Failure with the end of its output unless told not to check."""
    done = subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=seconds, env={**os.environ, **(environment or {})})
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(command[:8])}: exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done


def wait_for(what, probe, seconds, interval=0.5):
    """The first thing that is true; what raises Failure or a time-out is tried again until the limit, and is in the message then."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            last = probe()
            if last:
                return last
        except (Failure, subprocess.TimeoutExpired) as error:
            last = error
        time.sleep(interval)
    raise Failure(f"{what}: not within {seconds} s; last seen: {str(last)[-600:]}")


class Kube:
    def __init__(self, namespace, selector=""):
        """`selector`: labels of the pods that are looked at; empty: all of the namespace."""
        self.namespace, self.selector = namespace, selector
        context = run(["kubectl", "config", "current-context"], 10).stdout.strip()
        self.kind_name = context.removeprefix("kind-") if context.startswith("kind-") else None
        self.context = context

    def kubectl(self, *arguments, seconds=30, check=True, stdin=None):
        return run(["kubectl", "--context", self.context, "-n", self.namespace, f"--request-timeout={seconds}s", *arguments], seconds + 10,
                   check=check, stdin=stdin)

    def json(self, *arguments, **more):
        return json.loads(self.kubectl(*arguments, "-o", "json", **more).stdout)

    def exec(self, pod, *command, seconds=20, check=True):
        return self.kubectl("exec", pod, "-c", "whitewater", "--", *command, seconds=seconds, check=check)

    def pods(self):
        """By name."""
        return {pod["metadata"]["name"]: pod for pod in self.json("get", "pods", "-l", self.selector)["items"]}

    def logs(self, pod, container="whitewater", seconds=20):
        return self.kubectl("logs", pod, "-c", container, seconds=seconds).stdout.splitlines()

    def nodes(self):
        return self.json("get", "nodes")["items"]

    def control_plane(self):
        """The name of the control plane node, which is its container's name with kind."""
        for node in self.nodes():
            if "node-role.kubernetes.io/control-plane" in node["metadata"].get("labels", {}):
                return node["metadata"]["name"]
        return None

    def is_answering(self):
        try:
            return run(["kubectl", "--context", self.context, "get", "--raw", "/readyz", "--request-timeout=3s"], 8, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def keep(self, path, *arguments):
        """What kubectl says, in a file. Never raises."""
        try:
            done = self.kubectl(*arguments, seconds=20, check=False)
            path.write_text(done.stdout + done.stderr)
        except (subprocess.TimeoutExpired, OSError) as error:
            path.write_text(f"{error}\n")

    def diagnose(self, folder):
        """Everything that explains a failure, one file each. Never raises."""
        folder.mkdir(parents=True, exist_ok=True)
        self.keep(folder / "pods.txt", "get", "pods", "-A", "-o", "wide")
        self.keep(folder / "objects.yaml", "get", "statefulset,job,service,endpointslices,pvc", "-o", "yaml")
        self.keep(folder / "events.txt", "get", "events", "--sort-by=.lastTimestamp")
        self.keep(folder / "describe.txt", "describe", "pods", "-l", self.selector)
        try:
            pods = self.pods()
        except (Failure, subprocess.TimeoutExpired):
            pods = {}
        for name, pod in sorted(pods.items()):
            self.keep(folder / f"{name}.log", "logs", name, "--all-containers", "--prefix=false")
            if any(container["name"] == "whitewater" for container in pod["spec"]["containers"]):
                self._keep_member(folder, name)
        return folder

    def _keep_member(self, folder, name):
        inside = ("exec", name, "-c", "whitewater", "--")
        self.keep(folder / f"{name}.previous.log", "logs", name, "-c", "whitewater", "--previous")
        self.keep(folder / f"{name}.members.txt", *inside, "whitewater", "members")
        self.keep(folder / f"{name}.history.txt", *inside, "whitewater", "membership", "history")
        self.keep(folder / f"{name}.healthz.json", *inside, "wget", "-qO-", "http://127.0.0.1:2379/healthz")
