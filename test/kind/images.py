"""The images of the tests: what Docker holds, what it can pull, and stand-ins for what it cannot; and the way into the nodes."""
import pathlib
import shutil
import subprocess
import tempfile

from kube import Failure, run, say

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PRODUCT = "whitewater:1"
BUSYBOX = "busybox:1.36"
KUBECTL = "bitnami/kubectl:latest"
LOAD = "whitewater-kind-load:1"
STAND_IN = "org.whitewater.stand-in"  # a label


def has(image):
    return run(["docker", "image", "inspect", image], 30, check=False).returncode == 0


def is_stand_in(image):
    found = run(["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image], 30, check=False)
    return found.returncode == 0 and STAND_IN in found.stdout


def build(tag, folder, *arguments):
    command = ["docker", "build", "--quiet", "--tag", tag, *arguments, str(folder)]
    has_buildx = run(["docker", "buildx", "version"], 30, check=False).returncode == 0
    run(command, 600, environment={} if has_buildx else {"DOCKER_BUILDKIT": "0"})


def require_product():
    if not has(PRODUCT):
        raise Failure(f"there is no image {PRODUCT}: ./dev image builds it")


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


def pulled(image):
    try:
        return run(["docker", "pull", "--quiet", image], 60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def load_into(cluster, images):
    """kind knows by the image's id which nodes have it already."""
    if not cluster.kind_name:
        say(f"this is no kind cluster: its nodes must hold {', '.join(images)} already")
        return
    for image in images:
        say(f"loading {image} into the nodes of the kind cluster \"{cluster.kind_name}\"")
        only = ["--nodes", cluster.control_plane()] if image == LOAD else []  # the node that the load pod prefers
        run(["kind", "load", "docker-image", image, "--name", cluster.kind_name, *only], 180)
