"""A disk of one member's own that can stop answering: an ext4 image on a loop device, frozen and thawed by the kernel. While it is
frozen every write to it waits, as it does on a device that hangs.

The mount lives in the mount namespace of a helper process (this file, run as a program) and ends with it. The helper thaws after
MAX_FROZEN_SECONDS, and as soon as whoever started it is gone, so that nothing is left that waits for ever."""
import contextlib
import fcntl
import os
import select
import shutil
import subprocess
import sys

MAX_FROZEN_SECONDS = 10
MAX_LIFE_SECONDS = 300
CLONE_NEWNS = 0x00020000
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Disk:
    """A context manager. attach() puts a member's data directory on it; frozen() stops it for a while. Leave the context after
    the member has ended."""

    def __init__(self, folder, name, megabytes=192):
        self.image, self.folder, self.megabytes, self.helper = folder / f"{name}.img", folder / name, megabytes, None
        self.descriptors = []

    def __enter__(self):
        from harness import Skip, check
        if os.geteuid() != 0:
            raise Skip("a disk of one's own needs root")
        for program, package in (("mkfs.ext4", "e2fsprogs"), ("mount", "mount")):
            if not shutil.which(program, path=PATH):
                raise Skip(f"{program} is missing; ./dev install brings it ({package})")
        self.folder.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(self.megabytes << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], capture_output=True, text=True, timeout=30, env={"PATH": PATH})
        check(made.returncode == 0, f"mkfs.ext4: {made.stderr.strip()}")
        self.helper = subprocess.Popen([sys.executable, "-B", __file__, str(self.image), str(self.folder)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)
        answer = self.helper.stdout.readline().strip()
        if answer != "mounted":
            self.__exit__()
            raise Skip(f"no loop device can be mounted here: {answer}")
        return self

    def __exit__(self, kind=None, *_):
        """The helper ends when its input ends. A failure keeps the image."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.helper.stdin.close()
        try:
            self.helper.wait(MAX_FROZEN_SECONDS)
        except subprocess.TimeoutExpired:
            self.helper.kill()
            self.helper.wait()
        self.helper.stdout.close()
        if kind is None:
            self.image.unlink()

    def attach(self, member):
        from netns import enter
        descriptor = os.open(f"/proc/{self.helper.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.descriptors.append(descriptor)
        member.before_exec.append(lambda: enter(descriptor, CLONE_NEWNS))
        member.data_dir = self.folder / "data"

    def _tell(self, word, expected):
        from harness import check
        self.helper.stdin.write(word + "\n")
        answer = self.helper.stdout.readline().strip()
        check(answer == expected, f"{word}: {answer}")

    @contextlib.contextmanager
    def frozen(self):
        self._tell("freeze", "frozen")
        try:
            yield
        finally:
            self._tell("thaw", "thawed")


def help_along(image, folder):
    """The helper's whole life."""
    from harness import LIBC
    if LIBC.unshare(CLONE_NEWNS) != 0:
        return "no mount namespace"
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-o", "loop", image, folder]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"PATH": PATH})
        if done.returncode != 0:
            return done.stderr.strip()
    root = os.open(folder, os.O_RDONLY)
    print("mounted", flush=True)
    is_frozen = False
    try:
        for _ in range(100_000):
            readable, _, _ = select.select([sys.stdin], [], [], MAX_FROZEN_SECONDS if is_frozen else MAX_LIFE_SECONDS)
            word = sys.stdin.readline().strip() if readable else "thaw" if is_frozen else ""
            if word not in ("freeze", "thaw"):
                break
            try:
                fcntl.ioctl(root, FIFREEZE if word == "freeze" else FITHAW, 0)
                is_frozen = word == "freeze"
            except OSError as error:
                print(f"{word}: {error}", flush=True)
                continue
            if readable:
                print("frozen" if is_frozen else "thawed", flush=True)
    finally:
        with contextlib.suppress(OSError):
            fcntl.ioctl(root, FITHAW, 0)
        os.close(root)
    return None


if __name__ == "__main__":
    problem = help_along(sys.argv[1], sys.argv[2])
    if problem:
        print(problem, flush=True)
        sys.exit(1)
