"""The cluster with the pod that puts load on it and judges."""
import json

from kube import Failure, Kube, wait_for

NAMESPACE = "default"  # the guide's manifests name it
LOAD_NAMESPACE = "whitewater-kind-test"


class Cluster(Kube):
    def __init__(self):
        super().__init__(NAMESPACE, "app=whitewater")

    def ask(self, order, seconds=60, **arguments):
        """An order to the load pod."""
        done = self.kubectl("-n", LOAD_NAMESPACE, "exec", "load", "--", "python3", "-B", "ask.py", order, json.dumps(arguments), seconds=seconds)
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise Failure(f"{order}: {answer['error']}")
        return answer["ok"]

    def diagnose(self, folder):
        super().diagnose(folder)
        self.keep(folder / "load.log", "-n", LOAD_NAMESPACE, "logs", "load")
        return folder


def ensure_load_pod(kube, manifest, is_fresh):
    """The load pod runs; made anew when its image may have changed."""
    if is_fresh:
        kube.kubectl("delete", "namespace", LOAD_NAMESPACE, "--ignore-not-found", seconds=120)
    kube.kubectl("-n", LOAD_NAMESPACE, "apply", "-f", str(manifest), seconds=60)
    kube.kubectl("-n", LOAD_NAMESPACE, "wait", "--for=condition=Ready", "pod/load", "--timeout=90s", seconds=100)
    wait_for("the load pod takes orders", lambda: kube.ask("now"), 30)


def remove_load_pod(kube):
    kube.kubectl("delete", "namespace", LOAD_NAMESPACE, "--ignore-not-found", seconds=120)
