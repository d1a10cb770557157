"""Images: what this machine's Docker holds, builds or can pull, and the way into the nodes."""
import pathlib
import subprocess

from kube import Failure, run, say

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT = "whitewater:1"


def has(image):
    return run(["docker", "image", "inspect", image], 30, check=False).returncode == 0


def pulled(image):
    try:
        return run(["docker", "pull", "--quiet", image], 60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(tag, folder, *arguments):
    command = ["docker", "build", "--quiet", "--tag", tag, *arguments, str(folder)]
    has_buildx = run(["docker", "buildx", "version"], 30, check=False).returncode == 0
    run(command, 600, environment={} if has_buildx else {"DOCKER_BUILDKIT": "0"})


def require_product():
    if not has(PRODUCT):
        raise Failure(f"there is no image {PRODUCT}: ./dev image builds it")


def load_into(cluster, images, only_control_plane=()):
    """kind knows by the image's id which nodes have it already."""
    if not cluster.kind_name:
        say(f"this is no kind cluster: its nodes must hold {', '.join(images)} already")
        return
    for image in images:
        say(f"loading {image} into the nodes of the kind cluster \"{cluster.kind_name}\"")
        nodes = ["--nodes", cluster.control_plane()] if image in only_control_plane else []
        run(["kind", "load", "docker-image", image, "--name", cluster.kind_name, *nodes], 180)
