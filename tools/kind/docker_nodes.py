"""Faults of nodes that are containers of this machine's Docker, as kind's are. What was done is undone, whatever happens."""
import contextlib
import datetime

from kube import Skip, run, say, wait_for

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
ASIDE = "/etc/kubernetes/kube-apiserver.yaml.aside"


def require(kube):
    if not kube.kind_name:
        raise Skip("the nodes of this cluster are not containers of this machine")


@contextlib.contextmanager
def paused(node):
    run(["docker", "pause", node], 30)
    try:
        yield
    finally:
        run(["docker", "unpause", node], 30)


@contextlib.contextmanager
def without_apiserver(kube):
    """The kubelet ends the API server when its file goes, and starts it when the file is back."""
    node = kube.control_plane()
    try:
        run(["docker", "exec", node, "mv", MANIFEST, ASIDE], 30)
        wait_for("the API server is gone", lambda: not kube.is_answering(), 60, 1)
        yield
    finally:
        run(["docker", "exec", node, "sh", "-c", f"[ ! -f {ASIDE} ] || mv {ASIDE} {MANIFEST}"], 30)
        say("the API server may come back")
        wait_for("the API server is back", kube.is_answering, 180, 1)


def wait_for_controllers(kube):
    """The scheduler and the controllers end when the API server is away for long, and come back some time after it."""
    def lead():
        now = datetime.datetime.now(datetime.timezone.utc)
        for name in ("kube-scheduler", "kube-controller-manager"):
            renewed = kube.json("-n", "kube-system", "get", "lease", name)["spec"]["renewTime"]
            if (now - datetime.datetime.fromisoformat(renewed.replace("Z", "+00:00"))).total_seconds() > 8:
                return False
        return True
    say("waiting for the scheduler and the controllers, which follow the API server")
    wait_for("the scheduler and the controllers are back", lead, 300, 2)


def kill_container(node, container):
    """SIGKILL to a container's first process, from its node. `container`: as a pod's status names it."""
    run(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container.rpartition("//")[2]], 30)


def write_file(nodes, path, text):
    for node in nodes:
        run(["docker", "exec", "-i", node, "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path], 30, stdin=text)


def remove_folder(nodes, path):
    for node in nodes:
        run(["docker", "exec", node, "rm", "-rf", path], 30)
