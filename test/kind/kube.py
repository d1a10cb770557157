"""kubectl, docker and time, each call with a limit. Knows one cluster: the one that KUBECONFIG names."""
import json
import os
import subprocess
import time

NAMESPACE = "default"  # the guide's manifests name it
LOAD_NAMESPACE = "whitewater-kind-test"
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
    def __init__(self):
        context = run(["kubectl", "config", "current-context"], 10).stdout.strip()
        self.kind_name = context.removeprefix("kind-") if context.startswith("kind-") else None
        self.context = context

    def kubectl(self, *arguments, seconds=30, check=True, stdin=None):
        return run(["kubectl", "--context", self.context, "-n", NAMESPACE, f"--request-timeout={seconds}s", *arguments], seconds + 10,
                   check=check, stdin=stdin)

    def json(self, *arguments, **more):
        return json.loads(self.kubectl(*arguments, "-o", "json", **more).stdout)

    def exec(self, pod, *command, seconds=20, check=True):
        return self.kubectl("exec", pod, "-c", "whitewater", "--", *command, seconds=seconds, check=check)

    def ask(self, order, seconds=60, **arguments):
        """An order to the load pod."""
        done = self.kubectl("-n", LOAD_NAMESPACE, "exec", "load", "--", "python3", "-B", "ask.py", order, json.dumps(arguments), seconds=seconds)
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise Failure(f"{order}: {answer['error']}")
        return answer["ok"]

    def pods(self):
        """The members' pods by name."""
        return {pod["metadata"]["name"]: pod for pod in self.json("get", "pods", "-l", "app=whitewater")["items"]}

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

    def diagnose(self, folder):
        """Everything that explains a failure, one file each. Never raises."""
        folder.mkdir(parents=True, exist_ok=True)

        def keep(name, *arguments):
            try:
                done = self.kubectl(*arguments, seconds=20, check=False)
                (folder / name).write_text(done.stdout + done.stderr)
            except (subprocess.TimeoutExpired, OSError) as error:
                (folder / name).write_text(f"{error}\n")
        keep("pods.txt", "get", "pods", "-A", "-o", "wide")
        keep("objects.yaml", "get", "statefulset,service,endpointslices,pvc", "-o", "yaml")
        keep("events.txt", "get", "events", "--sort-by=.lastTimestamp")
        keep("describe.txt", "describe", "pods", "-l", "app=whitewater")
        keep("load.log", "-n", LOAD_NAMESPACE, "logs", "load")
        try:
            names = sorted(self.pods())
        except (Failure, subprocess.TimeoutExpired):
            names = []
        for pod in names:
            keep(f"{pod}.log", "logs", pod, "--all-containers", "--prefix=false")
            keep(f"{pod}.previous.log", "logs", pod, "-c", "whitewater", "--previous")
            keep(f"{pod}.members.txt", "exec", pod, "-c", "whitewater", "--", "whitewater", "members")
            keep(f"{pod}.history.txt", "exec", pod, "-c", "whitewater", "--", "whitewater", "membership", "history")
            keep(f"{pod}.healthz.json", "exec", pod, "-c", "whitewater", "--", "wget", "-qO-", "http://127.0.0.1:2379/healthz")
        return folder
