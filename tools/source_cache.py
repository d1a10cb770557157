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
GROUP_FILES = 6


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


def check_all(name, files, cache, command_of, timeout_seconds, group_of=None):
    """Runs command_of([file]) for every file that has changed since it passed; two at a time. With `group_of`, files of one
    group are checked together as command_of(files), and one by one where that fails. Returns the exit code."""
    keys = {path: cache.key(path) for path in files}
    todo = [path for path in files if keys[path] not in cache.passed]
    passed = {keys[path] for path in files if keys[path] in cache.passed}
    failed = []
    started = time.monotonic()

    def run(paths):
        """What is wrong, by file."""
        try:
            done = subprocess.run(command_of(paths), cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds)
            problem = "" if done.returncode == 0 else done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            problem = f"took more than {timeout_seconds} s"
        if not problem or len(paths) == 1:
            return {paths[0]: problem} if problem else {}
        return {path: text for one in paths for path, text in run([one]).items()}

    count = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        results = {pool.submit(run, paths): paths for paths in groups_of(todo, group_of)}
        for future in concurrent.futures.as_completed(results):
            paths, problems = results[future], future.result()
            for path, text in problems.items():
                failed.append(path)
                print(f"{name}: {path.relative_to(ROOT)}\n{text.strip()}", flush=True)
            passed.update(keys[path] for path in paths if path not in problems)
            before, count = count, count + len(paths)
            if count // 25 > before // 25 or count == len(todo):
                print(f"  [{count}/{len(todo)}] {time.monotonic() - started:.0f} s", flush=True)
                cache.save(passed)
    cache.save(passed)
    print(f"{name}: {len(files)} files, {len(todo)} checked now, {len(failed)} failed")
    return 1 if failed else 0


def groups_of(files, group_of):
    if group_of is None:
        return [[path] for path in files]
    groups = {}
    for path in files:
        groups.setdefault(group_of(path), []).append(path)
    return [group[i:i + GROUP_FILES] for group in groups.values() for i in range(0, len(group), GROUP_FILES)]


def version_of(program):
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{program} cannot be run ({error}); ./dev install brings it")
