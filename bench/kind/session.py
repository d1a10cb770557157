"""One run on one cluster: its namespace, images, tools and folder. What it made it takes away."""
import json
import pathlib
import shutil
import time

import docker_images
from api import Api
from docker_images import PRODUCT, ROOT
from kube import Failure, Kube, check, run, say, wait_for

HERE = pathlib.Path(__file__).resolve().parent
CHART = ROOT / "helm/whitewater"
NAMESPACE = "whitewater-bench"
OURS = "whitewater.io/benchmark"  # a label: the namespace is of this program
LOAD_IMAGE = "whitewater-load:1"  # ./dev kind bench builds it
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def now_ms():
    return 1000 * time.time()


class Session:
    def __init__(self, folder):
        self.kube, self.folder = Kube(NAMESPACE), folder
        self.helm_path = find_helm()
        self.api, self.jobs = None, 0

    def open(self):
        self.etcd_image = find_etcd_image(self.kube.nodes())
        docker_images.require_product()
        check(docker_images.has(LOAD_IMAGE), f"there is no image {LOAD_IMAGE}: ./dev kind bench builds it, this file alone does not")
        # Members run where they may, the load on the control plane where there is one.
        docker_images.load_into(self.kube, [PRODUCT, LOAD_IMAGE], only_control_plane=[LOAD_IMAGE])
        remove_namespace(self.kube)
        say(f"namespace {NAMESPACE} with Pod Security restricted, etcd is {self.etcd_image}")
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {OURS: "yes", **RESTRICTED}}})
        self.api = Api(self.kube)

    def close(self, is_kept):
        if self.api:
            self.api.close()
        if is_kept:
            say(f"kept: everything in the namespace {NAMESPACE}; the next run, or ./dev kind down, removes it")
            return
        try:
            for release in self.releases():
                say(f"helm uninstall {release}")
                self.helm("uninstall", release, "--wait", "--timeout", "90s", seconds=120)
        finally:
            remove_namespace(self.kube)

    def apply(self, *objects):
        text = "\n---\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects)
        done = self.kube.kubectl("apply", "-f", "-", stdin=text, seconds=60)
        check("Warning" not in done.stderr, f"the API server warns: {done.stderr.strip()}")

    def helm(self, *arguments, seconds=60, check=True):
        command = [str(self.helm_path), "--kube-context", self.kube.context, "--namespace", NAMESPACE, *arguments]
        return run(command, seconds + 10, check=check)

    def releases(self):
        return [release["name"] for release in json.loads(self.helm("list", "--all", "--output", "json").stdout)]

    def objects(self):
        """The names of everything in the namespace but events."""
        kinds = self.kube.kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").stdout.split()
        kinds = [kind for kind in kinds if not kind.startswith("events")]
        return set(self.kube.kubectl("get", ",".join(kinds), "--ignore-not-found", "-o", "name", seconds=60).stdout.split())

    def delete_claims(self, selector):
        self.kube.kubectl("delete", "pvc", "-l", selector, "--ignore-not-found", seconds=90)

    def wait_no_pods(self, selector):
        wait_for(f"no pod of {selector} is left", lambda: not self.api.pods(selector), 90)


def remove_namespace(kube):
    found = kube.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "json").stdout
    if not found:
        return
    if OURS not in json.loads(found)["metadata"].get("labels", {}):
        raise Failure(f"the cluster has a namespace {NAMESPACE} that this program did not make; it needs that name")
    say(f"removing the namespace {NAMESPACE} and its volumes")
    kube.kubectl("delete", "namespace", NAMESPACE, seconds=180)


def find_helm():
    """Of the PATH, else the one that the chart's tests build."""
    found = shutil.which("helm")
    if found:
        return pathlib.Path(found)
    built = ROOT / ".deps/helm"
    if not built.exists():
        say("helm is missing here: tools/fetch_helm builds it (some minutes, once)")
        run([str(ROOT / "tools/fetch_helm"), str(ROOT / ".deps")], 1200)
    return built


def find_etcd_image(nodes):
    """The etcd that every node of a cluster made by kubeadm holds, by its name in the nodes' own lists: nothing is pulled."""
    held = []
    for node in nodes:
        names = [name for image in node["status"].get("images", []) for name in image.get("names") or []]
        held.append({name for name in names if name.partition("@")[0].rpartition(":")[0].endswith("/etcd") and "@" not in name})
    everywhere = set.intersection(*held) if held else set()
    if not everywhere:
        raise Failure(f"not every node holds an image named .../etcd:TAG, which clusters of kind do; they hold {[sorted(names) for names in held]}")
    return max(everywhere)
