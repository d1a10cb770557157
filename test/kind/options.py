"""The ways of the guide, each with its manifest, and what its pods say about it."""
import dataclasses
import pathlib

import images
from kube import Failure

MANIFESTS = pathlib.Path(__file__).resolve().parent / "manifests"

VOLUMES = """\
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: ["ReadWriteOnce"]
      resources:
        requests:
          storage: 1Gi
"""


@dataclasses.dataclass(frozen=True)
class Option:
    name: str
    title: str
    manifest_name: str
    method: str  # as the first log lines name it
    has_account: bool = False
    init_image: str = ""
    has_volumes: bool = False

    def manifest(self):
        """What is applied, and what differs from the guide ("" where nothing does)."""
        text, change = (MANIFESTS / f"{self.manifest_name}.yaml").read_text(), ""
        if self.has_volumes:
            text = with_volumes(text)
            change = "a volume for each pod's data is added"
        if self.init_image.endswith(":latest") and images.is_stand_in(self.init_image):
            text = replaced_once(text, f"        image: {self.init_image}\n", f"        image: {self.init_image}\n        imagePullPolicy: IfNotPresent\n")
            change = f"imagePullPolicy: IfNotPresent for {self.init_image}, since a tag \"latest\" is otherwise pulled each time and no registry has the stand-in"
        return text, change


def replaced_once(text, old, new):
    if text.count(old) != 1:
        raise Failure(f"the manifest holds {text.count(old)} times {old!r}, expected once")
    return text.replace(old, new)


def with_volumes(text):
    """Option 1 with a volume for the data, which the image's user may write."""
    text = replaced_once(text, "  replicas: 5\n", "  replicas: 5\n" + VOLUMES)
    return replaced_once(text, "    spec:\n      containers:\n      - name: whitewater\n",
                         "    spec:\n      securityContext:\n        fsGroup: 10001\n      containers:\n      - name: whitewater\n"
                         "        volumeMounts:\n        - name: data\n          mountPath: /var/lib/whitewater\n")


OPTIONS = [
    Option("dns", "option 1, DNS SRV", "dns", "dns"),
    Option("kubernetes", "option 2, Kubernetes API", "kubernetes", "kubernetes", has_account=True),
    Option("file", "option 3, peers file by busybox", "file", "file", init_image=images.BUSYBOX),
    Option("file-kubectl", "option 3, peers file by kubectl", "file-kubectl", "file", has_account=True, init_image=images.KUBECTL),
    Option("volumes", "option 1 with volumes", "dns", "dns", has_volumes=True),
]
