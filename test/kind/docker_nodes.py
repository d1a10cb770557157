"""Faults of nodes that are containers of this machine's Docker, as kind's are. What was done is undone, whatever happens."""
import contextlib

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
