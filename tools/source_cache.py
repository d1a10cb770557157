"""What check_headers and check_tidy share: which files a source depends on inside the repository, a hash over them, and a
cache of the hashes that passed. Only passes are remembered; a failure is reported again until it is mended."""
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
FOLDERS = ("src", "test")
JOBS = 2


def tracked_files(*patterns):
    """Files that git knows or would add, so that build folders and scratch files stay out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).exists()})


def includes_of(path, memo):
    if path not in memo:
        found = []
        for match in INCLUDE.finditer(path.read_bytes()):
            name = match.group(1).decode(errors="replace")
            for base in (*(ROOT / folder for folder in FOLDERS), path.parent):
                candidate = base / name
                if candidate.exists():
                    found.append(candidate)
                    break
        memo[path] = found
    return memo[path]


def closure_of(path, memo):
    """The file and everything of ours that it includes, directly or not."""
    seen, queue = set(), [path]
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        queue.extend(includes_of(current, memo))
    return seen


class Cache:
    def __init__(self, path, salt):
        self.path = path
        self.salt = salt
        self.includes = {}
        self.digests = {}
        try:
            self.passed = set(json.loads(path.read_text()))
        except (OSError, ValueError):
            self.passed = set()

    def digest(self, path):
        if path not in self.digests:
            self.digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.digests[path]

    def key(self, path):
        parts = sorted(f"{p.relative_to(ROOT)} {self.digest(p)}" for p in closure_of(path, self.includes))
        return hashlib.sha256("\n".join([self.salt, str(path.relative_to(ROOT)), *parts]).encode()).hexdigest()

    def save(self, keys):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(sorted(keys)))


def check_all(name, files, cache, command_of, timeout_seconds):
    """Runs command_of(file) for every file that has changed since it passed; two at a time. Returns the exit code."""
    keys = {path: cache.key(path) for path in files}
    todo = [path for path in files if keys[path] not in cache.passed]
    passed = {keys[path] for path in files if keys[path] in cache.passed}
    failed = []
    started = time.monotonic()

    def run(path):
        try:
            done = subprocess.run(command_of(path), cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds)
            return done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            return 1, f"took more than {timeout_seconds} s"

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        results = {pool.submit(run, path): path for path in todo}
        for count, future in enumerate(concurrent.futures.as_completed(results), 1):
            path = results[future]
            code, output = future.result()
            if code == 0:
                passed.add(keys[path])
            else:
                failed.append(path)
                print(f"{name}: {path.relative_to(ROOT)}\n{output.strip()}", flush=True)
            if count % 25 == 0 or count == len(todo):
                print(f"  [{count}/{len(todo)}] {time.monotonic() - started:.0f} s", flush=True)
                cache.save(passed)
    cache.save(passed)
    print(f"{name}: {len(files)} files, {len(todo)} checked now, {len(failed)} failed")
    return 1 if failed else 0


def version_of(program):
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{program} cannot be run ({error}); ./dev install brings it")
