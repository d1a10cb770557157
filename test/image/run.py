#!/usr/bin/env python3
"""The images in real containers: what is in them, who they run as, how they start and stop. `./dev image --check` runs it.

usage: test/image/run.py [--tag whitewater:1] [TEST]...

Needs Docker and both images (./dev image). Containers, volumes and networks that it makes are removed."""
import argparse
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECCOMP = ROOT / "docker/seccomp"
USER = "10001"
READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 5
LABELS = ("title", "description", "version", "revision", "source", "licenses")
PROGRAMS = {"usr/bin/whitewater", "usr/bin/whitewater-epoll"}
images = {}


def docker(*arguments, seconds=60, code=0):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=seconds)
    if code is not None and done.returncode != code:
        raise AssertionError(f"docker {' '.join(arguments)}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}")
    return done


def inspect(what, part):
    return json.loads(docker("inspect", "--format", f"{{{{json {part}}}}}", what).stdout)


class Container:
    """A member alone in a container as a pod would have it: nothing writable but a volume, no capability, no new privilege."""

    def __init__(self, image, *options, name=None):
        self.name = name or f"whitewater-image-test-{uuid.uuid4().hex[:12]}"
        self.command = ["run", "--detach", "--name", self.name, "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
                        "--volume=/var/lib/whitewater", "--env=WHITEWATER_BOOTSTRAP_SINGLE=true", *options, image]

    def __enter__(self):
        docker(*self.command)
        return self

    def __exit__(self, *_):
        docker("rm", "--force", "--volumes", self.name, code=None)

    def execute(self, *command, code=0):
        return docker("exec", self.name, *command, code=code).stdout

    def log(self):
        done = docker("logs", self.name, code=None)
        return done.stdout + done.stderr

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while docker("exec", self.name, "whitewater", "doctor", code=None).returncode != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready within {READY_SECONDS_MAX} s:\n{self.log()}")
            time.sleep(0.2)

    def reactor(self):
        self.wait_ready()
        report, = json.loads(self.execute("whitewater", "doctor", "--output", "json"))
        return next(one["text"] for one in report["findings"] if one["about"] == "reactor")


def files_of(image):
    """Every file of the image that is not a folder, by its path."""
    name = docker("create", image).stdout.strip()
    try:
        stream = subprocess.run(["docker", "export", name], capture_output=True, check=True, timeout=120).stdout
    finally:
        docker("rm", name)
    with tarfile.open(fileobj=io.BytesIO(stream)) as archive:
        return {one.name: one for one in archive if not one.isdir()}


class Images(unittest.TestCase):
    def test_the_minimal_image_has_no_shell_and_no_tool(self):
        files = files_of(images["minimal"])
        programs = {name for name, file in files.items() if file.isreg() and file.size and file.mode & 0o111}
        self.assertEqual(PROGRAMS, {name for name in programs if not re.search(r"\.so(\.\d+)*$", name)})
        for shell in ("/bin/sh", "/bin/bash", "/bin/busybox"):
            docker("run", "--rm", "--network=none", "--entrypoint", shell, images["minimal"], code=127)

    def test_the_default_image_adds_a_busybox_and_nothing_else(self):
        minimal, default = (files_of(images[target]) for target in ("minimal", "default"))
        more = default.keys() - minimal.keys()
        self.assertTrue({"bin/busybox", "bin/sh", "bin/cat", "bin/nslookup"} <= more, more)
        self.assertEqual({"bin"}, {name.split("/")[0] for name in more})
        self.assertEqual(set(), minimal.keys() - default.keys())

    def test_both_hold_certificates_and_the_user_by_name(self):
        for target, image in images.items():
            with self.subTest(target):
                files = files_of(image)
                self.assertGreater(files["etc/ssl/certs/ca-certificates.crt"].size, 100_000)
                self.assertIn("etc/passwd", files)
                self.assertIn("etc/group", files)

    def test_labels(self):
        for target, image in images.items():
            labels = inspect(image, ".Config.Labels")
            for name in LABELS:
                with self.subTest(target=target, label=name):
                    self.assertTrue(labels.get(f"org.opencontainers.image.{name}"))
            said = docker("run", "--rm", "--network=none", image, "version").stdout
            self.assertIn(labels["org.opencontainers.image.version"], said)

    def test_starts_serves_and_stops(self):
        for target, image in images.items():
            with self.subTest(target), Container(image, "--network=none") as member:
                member.wait_ready()
                self.assertEqual(f"{USER}:{USER}", inspect(image, ".Config.User"))
                processes = docker("top", member.name, "-eo", "pid,uid").stdout.splitlines()[1:]
                self.assertEqual([USER], [line.split()[-1] for line in processes])
                self.assertIn("leader", member.execute("whitewater", "members"))
                member.execute("whitewater", "put", "k", "v")
                self.assertEqual("k\nv\n", member.execute("whitewater", "get", "k"))
                self.check_stops(member)
                # The volume was written, and nothing else could be.
                docker("start", member.name)
                member.wait_ready()
                self.assertEqual("k\nv\n", member.execute("whitewater", "get", "k"))

    def check_stops(self, member):
        started = time.monotonic()
        docker("stop", "-t", "30", member.name)
        self.assertLess(time.monotonic() - started, STOP_SECONDS_MAX, "SIGTERM to process 1")
        self.assertEqual(0, inspect(member.name, ".State.ExitCode"), member.log())

    def test_both_reactors_by_the_profile(self):
        for target, image in images.items():
            for profile, reactor in (("io-uring", "io_uring: "), ("no-io-uring", "io_uring is not used; epoll: ")):
                with self.subTest(target=target, profile=profile):
                    with Container(image, "--network=none", f"--security-opt=seccomp={SECCOMP / profile}.json") as member:
                        found = member.reactor()
                        if profile == "io-uring" and "kernel.io_uring_disabled" in found:
                            self.skipTest(f"this machine allows no io_uring: {found}")
                        self.assertTrue(found.startswith(reactor), found)

    def test_a_pod_of_the_default_image_can_be_looked_into(self):
        name = f"whitewater-image-test-{uuid.uuid4().hex[:12]}"
        docker("network", "create", name)
        try:
            with Container(images["default"], f"--network={name}", name=name) as member:
                address = inspect(member.name, f'(index .NetworkSettings.Networks "{name}").IPAddress')
                self.assertIn(address, member.execute("nslookup", name))
                self.assertIn(f"whitewater:x:{USER}", member.execute("cat", "/etc/passwd"))
                self.assertEqual(f"{USER}\n", member.execute("sh", "-c", "id -u"))
                member.execute("touch", "/usr/bin/new", code=1)
        finally:
            docker("network", "rm", name, code=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", default="whitewater:1")
    arguments, rest = parser.parse_known_args()
    images.update(minimal=f"{arguments.tag}-minimal", default=arguments.tag)
    for image in images.values():
        if docker("image", "inspect", image, code=None).returncode != 0:
            sys.exit(f"there is no image {image}: ./dev image builds it")
    unittest.main(argv=[sys.argv[0], "--verbose", *rest])


if __name__ == "__main__":
    main()
