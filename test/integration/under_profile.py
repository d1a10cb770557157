#!/usr/bin/env python3
"""Runs a command under a seccomp profile, as a container runtime does for a container.

usage: test/integration/under_profile.py PROFILE COMMAND [ARGUMENT]...

The profile is a file as the kubelet takes it (docker/seccomp): plain runtime-spec JSON. Whatever else stands in it is an error, above all
the conditions of Docker's own format, which containerd would ignore. The command gets no_new_privs; its pid is the launcher's."""
import json
import os
import pathlib
import shlex
import signal
import sys

import libseccomp

FIELDS = {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}
RULE_FIELDS = {"names", "action", "errnoRet", "args"}
ARGUMENT_FIELDS = {"index", "value", "valueTwo", "op"}
CONDITIONS = {"archMap", "includes", "excludes"}
ARGUMENTS_OF_CALL_MAX = 6
EPERM = 1
MISSING = "libseccomp.so.2 is missing; ./dev install brings it (libseccomp2)"


class Wrong(ValueError):
    """The profile says something that is not understood, or that a runtime would not do as it says."""


def only(known, what, found):
    if not isinstance(found, dict):
        raise Wrong(f"{what}: {found!r} is no object")
    more = set(found) - known
    if more & CONDITIONS:
        raise Wrong(f"{what}: {', '.join(sorted(more & CONDITIONS))} is of Docker's own format; containerd ignores it and allows too much")
    if more:
        raise Wrong(f"{what}: unknown: {', '.join(sorted(more))}")


def number(what, value, maximum):
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
        raise Wrong(f"{what}: {value!r} is no number in 0..{maximum}")
    return value


def action_of(what, text, errno):
    if text == "SCMP_ACT_ALLOW":
        if errno is not None:
            raise Wrong(f"{what}: an error number for an allowed call")
        return libseccomp.ALLOW
    if text == "SCMP_ACT_ERRNO":
        return libseccomp.errno_action(EPERM if errno is None else number(what, errno, 4095))
    raise Wrong(f"{what}: unknown action {text!r}")


def conditions_of(what, arguments):
    """All of them have to hold. Two for one argument would be alternatives to runc, so they are refused."""
    conditions, seen = [], set()
    for one in arguments:
        only(ARGUMENT_FIELDS, what, one)
        index = number(what, one.get("index"), ARGUMENTS_OF_CALL_MAX - 1)
        value, second = (number(what, one.get(name, 0), 2**64 - 1) for name in ("value", "valueTwo"))
        operator = str(one.get("op", "")).removeprefix("SCMP_CMP_")
        if operator not in libseccomp.OPERATORS:
            raise Wrong(f"{what}: unknown operator {one.get('op')!r}")
        if index in seen:
            raise Wrong(f"{what}: two conditions for argument {index}")
        seen.add(index)
        conditions.append(libseccomp.Condition(index, libseccomp.OPERATORS[operator], value, second))
    return conditions


def architectures_of(names):
    for name in names:
        token = libseccomp.architecture(str(name).removeprefix("SCMP_ARCH_"))
        if token == libseccomp.NATIVE:
            raise Wrong(f"architectures: unknown: {name!r}")
        yield token


def add_rule(filter_, rule):
    only(RULE_FIELDS, "rule", rule)
    names = rule.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Wrong(f"a rule without names: {rule}")
    what = ", ".join(names[:3])
    action = action_of(what, rule.get("action"), rule.get("errnoRet"))
    conditions = conditions_of(what, rule.get("args", []))
    for name in names:
        if libseccomp.number_of(name) != libseccomp.UNKNOWN_CALL:
            filter_.add_rule(action, name, conditions)
        elif action != libseccomp.ALLOW:  # what would be allowed stays denied, as with runc on a libseccomp that is older than the call
            raise Wrong(f"{name}: this libseccomp does not know it")


def filter_of(profile):
    if libseccomp.library is None:
        raise Wrong(MISSING)
    only(FIELDS, "profile", profile)
    filter_ = libseccomp.Filter(action_of("defaultAction", profile.get("defaultAction"), profile.get("defaultErrnoRet")))
    for architecture in architectures_of(profile.get("architectures", [])):
        filter_.add_architecture(architecture)
    for rule in profile.get("syscalls", []):
        add_rule(filter_, rule)
    return filter_


def read(path):
    try:
        return filter_of(json.loads(pathlib.Path(path).read_text()))
    except (OSError, ValueError) as error:
        raise SystemExit(f"under_profile: {path}: {error}") from None


def wrapper(path, profile, program):
    """An executable at `path` that runs `program` under the profile."""
    launcher = shlex.join(str(pathlib.Path(one).resolve()) for one in (__file__, profile, program))
    path.write_text(f'#!/bin/sh\nexec {launcher} "$@"\n')
    path.chmod(0o755)
    return path


def wrapped_build(folder, profile, build_dir):
    """A folder like `build_dir` whose members run under the profile; the other executables are those of `build_dir`."""
    read(profile)  # what is wrong with it is told once, before anything starts
    (folder / "bin").mkdir(parents=True)
    for program in sorted((build_dir / "bin").iterdir()):
        if program.name in ("whitewater", "whitewater-epoll"):
            wrapper(folder / "bin" / program.name, profile, program)
        else:
            (folder / "bin" / program.name).symlink_to(program)
    return folder


def main():
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    filter_ = read(sys.argv[1])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the command would
    filter_.load()
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
