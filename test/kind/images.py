"""The images of the tests, and stand-ins for those that cannot be pulled."""
import pathlib
import shutil
import tempfile

from docker_images import PRODUCT, ROOT, build, has, pulled
from kube import run, say

HERE = pathlib.Path(__file__).resolve().parent
BUSYBOX = "busybox:1.36"
KUBECTL = "bitnami/kubectl:latest"
LOAD = "whitewater-kind-load:1"
STAND_IN = "org.whitewater.stand-in"  # a label


def is_stand_in(image):
    found = run(["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image], 30, check=False)
    return found.returncode == 0 and STAND_IN in found.stdout


def ensure_busybox():
    """The real one, else one of the product's own busybox, which is Debian's."""
    if is_there(BUSYBOX):
        return
    say(f"{BUSYBOX} cannot be pulled: a stand-in of that name is made from Debian's busybox in {PRODUCT}")
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "Dockerfile").write_text(
            f"FROM scratch\nCOPY --from={PRODUCT} /bin /bin\nCOPY --from={PRODUCT} /tmp /tmp\nENV PATH=/bin\nLABEL {STAND_IN}=busybox\nCMD [\"sh\"]\n")
        build(BUSYBOX, folder)


def ensure_kubectl(node):
    """The real one, else the kubectl of the node or of this machine beside a busybox; as bitnami's, it runs as user 1001."""
    if is_there(KUBECTL):
        return
    say(f"{KUBECTL} cannot be pulled: a stand-in of that name is made from {'the kubectl of ' + node if node else 'the kubectl of this machine'}"
        f" and the busybox in {PRODUCT}")
    with tempfile.TemporaryDirectory() as folder:
        if node:
            run(["docker", "cp", "--follow-link", f"{node}:/usr/bin/kubectl", f"{folder}/kubectl"], 60)
        else:
            shutil.copy(shutil.which("kubectl"), f"{folder}/kubectl")
        pathlib.Path(folder, "Dockerfile").write_text(
            f"FROM {PRODUCT}\nCOPY kubectl /bin/kubectl\nENV HOME=/tmp\nLABEL {STAND_IN}=kubectl\nUSER 1001\nENTRYPOINT [\"kubectl\"]\nCMD []\n")
        build(KUBECTL, folder)


def ensure_load():
    """Python with the clients and the judge of the integration tests."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("harness.py", "load.py", "linearizability.py"):
            shutil.copy(ROOT / "test/integration" / name, folder)
        for path in (HERE / "load").iterdir():
            if path.suffix == ".py" or path.name == "Dockerfile":
                shutil.copy(path, folder)
        build(LOAD, folder)


def is_there(image):
    """Held by Docker, or pulled now. Says so where what is held is a stand-in."""
    if is_stand_in(image):
        say(f"{image} is a stand-in that an earlier run made, since it could not be pulled; `docker rmi {image}` forgets it")
    return has(image) or pulled(image)
