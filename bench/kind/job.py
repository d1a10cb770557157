"""A load as a Kubernetes Job: started, watched, ended early, collected from its log."""
import time

import figures
from kube import Failure, say, wait_for
from session import HERE, LOAD_IMAGE

START_SECONDS = 60
RESTRICTED_POD = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED_CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def manifest(name, command, arguments):
    """Beside the members where there is a control plane that takes pods: none of them runs there."""
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 100, "preference": {"matchExpressions": [{"key": CONTROL_PLANE, "operator": "Exists"}]}}]}}
    container = {"name": "load", "image": LOAD_IMAGE, "imagePullPolicy": "IfNotPresent", "args": arguments, "securityContext": RESTRICTED_CONTAINER,
                 "command": command, "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                 "volumeMounts": [{"name": "record", "mountPath": "/record"}]}
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False, "enableServiceLinks": False, "securityContext": RESTRICTED_POD,
           "affinity": affinity, "tolerations": [{"key": CONTROL_PLANE, "operator": "Exists"}], "containers": [container],
           "terminationGracePeriodSeconds": 1, "volumes": [{"name": "record", "emptyDir": {}}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}}


class Job:
    """From its start on. `seconds`: how long it takes by itself, without start and check."""

    def __init__(self, session, command, arguments, seconds):
        session.jobs += 1
        self.session, self.name, self.seconds = session, f"load-{session.jobs}", seconds
        session.apply(manifest(self.name, command, [str(argument) for argument in arguments]))

    def pod(self):
        return next(iter(self.session.api.pods(f"app={self.name}").items()), (None, None))

    def wait_started(self):
        def is_started():
            _, pod = self.pod()
            return pod and pod["status"]["phase"] in ("Running", "Succeeded", "Failed")
        wait_for(f"{self.name} runs", is_started, START_SECONDS, 0.1)

    def stop(self):
        """Ends the puts; the check follows as it would have."""
        name, _ = self.pod()
        self.session.kube.kubectl("exec", name, "--", "sh", "-c", "kill -TERM $(cat /record/pid)", check=False)

    def text(self, seconds=None):
        """Its log, once it is done; the Job is removed then."""
        limit = (self.seconds if seconds is None else seconds) + START_SECONDS + 60

        def is_done():
            _, pod = self.pod()
            return pod and pod["status"]["phase"] in ("Succeeded", "Failed")
        wait_for(f"{self.name} is done", is_done, limit, 0.2)
        text = self.session.kube.kubectl("logs", f"job/{self.name}", seconds=60).stdout
        (self.session.folder / f"{self.name}.log").write_text(text)
        self.session.kube.kubectl("delete", "job", self.name, "--wait=false")
        return text


class Load(Job):
    """Puts to a system, and where `settle` is given the check of what was acknowledged so many seconds after them."""

    def __init__(self, session, endpoints, connections, seconds, rate=None, warmup=1, settle=None, value_bytes=256):
        arguments = [endpoints, -1 if settle is None else settle, "--connections", connections, "--seconds", seconds, "--warmup", warmup,
                     "--value-bytes", value_bytes]
        if rate:
            arguments += ["--rate", rate]
        super().__init__(session, ["sh", "-c", (HERE / "load.sh").read_text(), "load.sh"], arguments, seconds + warmup + (settle or 0))
        self.warmup, self.is_checked = warmup, settle is not None

    def wait_measuring(self, calm):
        """Until so many seconds of the measured part are over."""
        self.wait_started()
        time.sleep(self.warmup + calm)

    def result(self, seconds=None):
        """What figures.parse_job_log gives, complete."""
        text = self.text(seconds)
        try:
            parts = figures.parse_job_log(text)
        except figures.Malformed as problem:
            raise Failure(f"{self.name}: {problem}") from None
        if "put" not in parts or (self.is_checked and "check" not in parts):
            raise Failure(f"{self.name} gave no result: {text.strip()[-600:]}")
        put = parts["put"]
        if figures.not_served(put):
            say(f"    {figures.not_served(put)} of {figures.operations(put)} puts not served; first: {put.get('first_error', '')}")
        return parts


def run_tool(session, command, arguments, seconds):
    """Another program of the load's image, to its end: its output."""
    return Job(session, command, arguments, seconds).text()
