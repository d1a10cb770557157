"""A Kubernetes API server for members that find each other by it: ww_test_api_server (test/discovery/api_server_main.cpp says what it
obeys), a service account's folder as the kubelet keeps it, and a cluster with nothing else to go by. Python's standard library only."""
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from harness import FAST, LIBC, NET, PR_SET_PDEATHSIG, ZONE, Cluster, Failure, check, wait_for

API_ADDRESS = f"{NET}.254"
FIRST_TOKEN = "token-1"
SELECTOR = "app=whitewater"
# The guide's Role lets pods be read, and nothing else.
GUIDE_ROLE = ("get statefulsets.apps whitewater", *(f"patch pods whitewater-{i}" for i in range(10)))


class ApiServer:
    """The process, which ends with the test run. Each order is answered before the next; one that it refuses is a failure."""
    ANSWER_SECONDS = 20

    def __init__(self, program, log):
        check(program.exists(), f"{program} does not exist; ./dev build makes it")
        self.input = b""
        with open(log, "ab") as errors:
            self.child = subprocess.Popen([str(program), API_ADDRESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                          preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), start_new_session=True)
        try:
            hello = self._answer()
        except Failure:
            self.stop()
            raise
        self.port, self.ca = hello["port"], hello["ca"]

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()

    def _answer(self):
        deadline = time.monotonic() + self.ANSWER_SECONDS
        while b"\n" not in self.input:
            ready, _, _ = select.select([self.child.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.child.stdout.fileno(), 65536) if ready else b""
            check(data, f"the API server gave no answer (exit code {self.child.poll()})")
            self.input += data
        line, _, self.input = self.input.partition(b"\n")
        return json.loads(line)

    def tell(self, what, **values):
        self.child.stdin.write(json.dumps({"do": what, **values}).encode() + b"\n")
        self.child.stdin.flush()
        answer = self._answer()
        check(answer["ok"], f"the API server did not understand {what} {values}: {answer}")
        return answer

    def status(self):
        return self.tell("status")

    def forbid(self, *what):
        """What the Role lacks from now on: "watch pods"."""
        self.tell("knobs", forbidden=what)

    def put_pod(self, name, ip, uid=None, **more):
        self.tell("put_pod", name=name, ip=ip, uid=uid or f"uid-of-{name}", **more)

    def wait_watched(self, count, seconds=30):
        wait_for(f"{count} members watch", lambda: self.status()["watches"] == count, seconds, interval=0.05)


class ServiceAccount:
    """The folder of a pod's service account. As the kubelet does it, the files are links into a folder that is swapped as a whole."""

    def __init__(self, folder, ca, token=FIRST_TOKEN):
        self.folder, self.ca, self.generation = pathlib.Path(folder), ca, 0
        self.folder.mkdir()
        self.write(token)
        for name in ("token", "ca.crt", "namespace"):
            (self.folder / name).symlink_to(f"..data/{name}")

    def write(self, token):
        self.generation += 1
        version = self.folder / f"..{self.generation}"
        version.mkdir()
        for name, text in (("token", token), ("ca.crt", self.ca), ("namespace", "default")):
            (version / name).write_text(text)
        (self.folder / "..data_tmp").symlink_to(version.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")


class KubernetesCluster(Cluster):
    """Members as the guide's option 2 starts them: a label selector, their own name and address, and the API server. A pod is put
    before its member starts and is Ready when that is. No DNS server runs unless a scenario starts one. With `has_names` a pod knows its
    full name, as a StatefulSet's pods do, and the others find that name's address in the list of pods."""

    def __init__(self, context, count=3, environment=FAST, has_names=True):
        super().__init__(context, count, environment=environment)
        self.api = ApiServer(context.build_dir / "bin/ww_test_api_server", self.folder / "api-server.log")
        self.account = ServiceAccount(self.folder / "serviceaccount", self.api.ca)
        # Nobody states how many found: five times sooner than usual no further pod is waited for.
        guide = {"WHITEWATER_BOOTSTRAP_INFER_SETTLE_MS": "2000", "LABEL_SELECTOR": SELECTOR, "KUBERNETES_SERVICE_HOST": API_ADDRESS, "KUBERNETES_SERVICE_PORT": str(self.api.port),
                 "WHITEWATER_KUBERNETES_FOLDER": str(self.account.folder)}
        without = {name: None for name in ("SERVICE_NAME", "SERVICE_PORT_NAME", "WHITEWATER_CLUSTER_DOMAIN", "WHITEWATER_BOOTSTRAP_EXPECT")}
        self.environment = {**without, **guide, **self.environment}
        self.has_names = has_names

    def __exit__(self, *failure):
        self.api.stop()
        super().__exit__(*failure)

    def put_pod(self, member, ready=False, **more):
        if self.has_names:
            hosts = self.folder / f"hosts-{member.name}"
            hosts.write_text(f"127.0.0.1\tlocalhost\n{member.address}\t{member.name}.{ZONE}\t{member.name}\n")
            member.environment["WHITEWATER_HOSTS_FILE"] = str(hosts)
        self.api.put_pod(member.name, member.address, ready=ready, **more)

    def start(self, members=None, seconds=40):
        for member in members or self.members:
            self.put_pod(member)
            member.start()
        self.wait_ready(members, seconds)
        for member in members or self.members:
            self.put_pod(member, ready=True)
