"""Runs helm on the chart, and a server that stands for the cluster where templates look things up."""
import concurrent.futures
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "whitewater"
HELM = ROOT / ".deps" / "helm"
NEWEST = "1.34.0"
RELEASE, NAMESPACE = "ww", "kv"
SECONDS_MAX = 60


class Refused(Exception):
    """helm ended with an error; the text is its stderr."""


def helm(*arguments, kubeconfig="/dev/null"):
    # The folders for repositories and plugins are nobody's, so that what this user has installed does not matter.
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin", "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run([str(HELM), *arguments], capture_output=True, text=True, timeout=SECONDS_MAX, env=environment)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def template(*arguments, kube=NEWEST, kubeconfig="/dev/null"):
    return helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", kube, *arguments, kubeconfig=kubeconfig)


def with_values(values):
    """The arguments that set some values, for one run: a JSON object is YAML too."""
    return [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]


def in_parallel(function, items):
    """The results in the order of the items. Most of a run of helm is waiting for its start."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def list_of(kind, *resources):
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kind,
            "resources": [{"name": plural, "singularName": "", "namespaced": True, "kind": name, "verbs": ["get", "list"]}
                          for plural, name in resources]}


class Cluster:
    """Answers what `lookup` asks: which kinds there are, one StatefulSet, some volume claims."""

    def __init__(self, replicas=None, expect="3", claims=()):
        objects = {
            "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                 "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}}]},
            "/api/v1": list_of("v1", ("persistentvolumeclaims", "PersistentVolumeClaim"), ("secrets", "Secret")),
            "/apis/apps/v1": list_of("apps/v1", ("statefulsets", "StatefulSet")),
        }
        if replicas is not None:
            objects[f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/ww-whitewater"] = {
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ww-whitewater", "namespace": NAMESPACE},
                "spec": {"replicas": replicas, "template": {"spec": {"containers": [
                    {"name": "side"},
                    {"name": "whitewater", "env": [{"name": "WHITEWATER_BOOTSTRAP_EXPECT", "value": expect}]}]}}}}
        for name in claims:
            objects[f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/{name}"] = {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE}}
        self.objects = objects

    def __enter__(self):
        objects = self.objects

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802, the name that http.server calls
                found = objects.get(self.path.split("?")[0])
                body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
                                            "code": 404}).encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.folder = tempfile.TemporaryDirectory()
        self.kubeconfig = pathlib.Path(self.folder.name) / "kubeconfig"
        port = self.server.server_address[1]
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}], "users": [{"name": "fake", "user": {}}],
            "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{port}"}}]}))
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def upgrade(self, *arguments):
        return template("--dry-run=server", "--is-upgrade", *arguments, kubeconfig=self.kubeconfig)

    def notes(self, *arguments):
        """The text after an upgrade. `helm template` leaves NOTES.txt out, so a copy of the chart shows it as an object."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "whitewater"
            shutil.copytree(CHART, copy)
            (copy / "templates" / "shown.yaml").write_text('text: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}\n')
            shown = helm("template", RELEASE, str(copy), "--namespace", NAMESPACE, "--kube-version", NEWEST, "--dry-run=server",
                         "--is-upgrade", "--show-only", "templates/shown.yaml", *arguments, kubeconfig=self.kubeconfig)
        return yaml.safe_load(shown)["text"]
