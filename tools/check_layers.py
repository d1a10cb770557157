#!/usr/bin/env python3
"""Checks that every #include of src/ respects the layers: each folder may include only what lies below it, pure code
includes neither Asio nor a clock, a thread or a file descriptor, and nothing but server/ includes server/.

usage: tools/check_layers.py [--root DIR]     exit code 1 and one line per violation

Run by `./dev test`; its own test is tools/check_layers_test.py."""
import argparse
import pathlib
import re
import sys

# base <- core, log, kv <- replica <- net, discovery, api <- server (style.md, "Layers"): what each folder may include.
MAY_INCLUDE = {
    "base": set(),
    "core": {"base"},
    "log": {"base", "core"},
    "kv": {"base"},
    "replica": {"base", "core", "log", "kv"},
    "net": {"base", "core"},
    "discovery": {"base", "core", "net"},
    "api": {"base", "core", "kv", "net"},
    "server": {"base", "core", "log", "kv", "replica", "net", "discovery", "api"},
}

# Of another layer, only these headers: the pure values that the architecture page names.
ONLY_HEADERS = {
    ("log", "core"): re.compile(r"core/types\.hpp$"),
    ("net", "core"): re.compile(r"core/(types|messages)\.hpp$"),
    ("discovery", "core"): re.compile(r"core/types\.hpp$"),
    ("api", "core"): re.compile(r"core/types\.hpp$"),
}

# What pure code must not see.
IMPURE = [
    (re.compile(r"boost/(asio|beast|process)\b"), "Asio"),
    (re.compile(r"(liburing|ares|nghttp2/.*|spdlog/.*)\.h(pp)?$|spdlog/"), "an I/O library"),
    (re.compile(r"^(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token)$"), "threads"),
    (re.compile(r"^(random|ctime|time\.h)$"), "a clock or a source of randomness"),
    (re.compile(r"^(fstream|filesystem|iostream)$"), "files"),
    # <arpa/inet.h> is not among them: turning addresses into text and back touches no socket.
    (re.compile(r"^(unistd|fcntl|poll|netdb|pthread|dirent|signal)\.h$|^(sys|netinet|linux)/"), "the kernel"),
]

# The folders that are pure as a whole.
PURE_FOLDERS = {"core", "replica", "api"}

# The I/O half of a folder that has both halves: one line "folder/file  reason" each, patterns allowed. Everything else in
# such a folder is pure. Kept exact on purpose: a new I/O file is a decision, and that list is where it is taken.
EXCEPTIONS_FILE = "tools/layer_exceptions.txt"

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def read_exceptions(root):
    """The I/O files as paths below src/, and what is wrong with the list itself."""
    path = root / EXCEPTIONS_FILE
    problems, exceptions = [], set()
    if not path.exists():
        return exceptions, problems
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            problems.append(f"{EXCEPTIONS_FILE}:{number}: {name} has no reason")
        if name.split("/")[0] in PURE_FOLDERS:
            problems.append(f"{EXCEPTIONS_FILE}:{number}: {name}: this folder is pure as a whole")
        matches = list((root / "src").glob(name))
        if not matches:
            problems.append(f"{EXCEPTIONS_FILE}:{number}: no file matches src/{name}")
        exceptions.update(match.relative_to(root / "src").as_posix() for match in matches)
    return exceptions, problems


def included(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def is_io_file(relative, exceptions):
    return relative.startswith("server/") or relative in exceptions


def problems_of_file(root, path, exceptions):
    relative = path.relative_to(root / "src").as_posix()
    folder = relative.split("/")[0]
    if folder not in MAY_INCLUDE:
        yield f"src/{relative}: folder \"{folder}\" is no layer; add it to tools/check_layers.py"
        return
    io_file = is_io_file(relative, exceptions)
    for number, header in included(path):
        place = f"src/{relative}:{number}"
        target = header.split("/")[0] if "/" in header else None
        if header.startswith("."):
            yield f"{place}: includes \"{header}\": includes are rooted at src/"
        if target in MAY_INCLUDE and target != folder:
            if target not in MAY_INCLUDE[folder]:
                yield f"{place}: {folder} must not include {header}"
            elif (folder, target) in ONLY_HEADERS and not ONLY_HEADERS[(folder, target)].search(header) and not io_file:
                yield f"{place}: of {target}, {folder} may include only {ONLY_HEADERS[(folder, target)].pattern}"
        if io_file:
            continue
        if header in exceptions:
            yield f"{place}: pure code includes {header}, which is I/O"
        for pattern, what in IMPURE:
            if pattern.search(header):
                yield f"{place}: pure code includes <{header}> ({what}); I/O files are listed in {EXCEPTIONS_FILE}"


def check(root):
    exceptions, problems = read_exceptions(root)
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".hpp", ".cpp"))
    for path in files:
        problems.extend(problems_of_file(root, path, exceptions))
    return files, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    files, problems = check(arguments.root)
    for problem in problems:
        print(problem)
    print(f"check_layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
