"""What a profile may say, and that whatever else it says is an error."""
import unittest

import libseccomp
import under_profile
from under_profile import Wrong, filter_of

ALLOW_READ = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
ONE_CONDITION = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}


def profile(*rules, **more):
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules), **more}


@unittest.skipIf(libseccomp.library is None, under_profile.MISSING)
class Profiles(unittest.TestCase):
    def test_what_is_understood(self):
        filter_of(profile())
        filter_of(profile(ALLOW_READ, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                          {**ALLOW_READ, "args": [ONE_CONDITION, {"index": 1, "value": 6, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
                          defaultErrnoRet=1, architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"]))

    def test_a_call_that_only_a_newer_library_knows_stays_denied(self):
        filter_of(profile({"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"}))
        self.check_refused("no_such_call", profile({"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}))

    def check_refused(self, part, wrong):
        with self.assertRaisesRegex(Wrong, part):
            filter_of(wrong)

    def test_docker_s_conditions_are_refused(self):
        self.check_refused("containerd ignores", profile({**ALLOW_READ, "includes": {"caps": ["CAP_SYS_ADMIN"]}}))
        self.check_refused("containerd ignores", profile({**ALLOW_READ, "excludes": {"arches": ["s390"]}}))
        self.check_refused("containerd ignores", profile(archMap=[]))

    def test_what_is_not_understood_is_refused(self):
        for part, wrong in (
                ("unknown: flags", profile(flags=["SECCOMP_FILTER_FLAG_LOG"])),
                ("unknown: comment", profile({**ALLOW_READ, "comment": "x"})),
                ("unknown action", profile({**ALLOW_READ, "action": "SCMP_ACT_NOTIFY"})),
                ("unknown action", {"syscalls": []}),
                ("an allowed call", profile({**ALLOW_READ, "errnoRet": 1})),
                ("unknown operator", profile({**ALLOW_READ, "args": [{**ONE_CONDITION, "op": "SCMP_CMP_NEAR"}]})),
                ("unknown: more", profile({**ALLOW_READ, "args": [{**ONE_CONDITION, "more": 1}]})),
                ("no number", profile({**ALLOW_READ, "args": [{**ONE_CONDITION, "index": 6}]})),
                ("no number", profile({**ALLOW_READ, "args": [{**ONE_CONDITION, "value": -1}]})),
                ("two conditions", profile({**ALLOW_READ, "args": [ONE_CONDITION, ONE_CONDITION]})),
                ("without names", profile({"action": "SCMP_ACT_ALLOW"})),
                ("architectures: unknown", profile(architectures=["SCMP_ARCH_Z80"]))):
            with self.subTest(part=part, wrong=wrong):
                self.check_refused(part, wrong)


if __name__ == "__main__":
    unittest.main()
