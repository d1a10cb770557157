"""As much of libseccomp as the launcher of profiles needs, by ctypes: Debian's binding is tied to Debian's Python and lacks an operator."""
import ctypes
import os

ALLOW = 0x7FFF0000
UNKNOWN_CALL = -1
NATIVE = 0
OPERATORS = {"NE": 1, "LT": 2, "LE": 3, "EQ": 4, "GE": 5, "GT": 6, "MASKED_EQ": 7}


def errno_action(number):
    return 0x00050000 | number


class Condition(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("index", ctypes.c_uint), ("operator", ctypes.c_int), ("value", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def _load():
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None  # said by those who need it
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_arch_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_arch_exist.argtypes = library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    return library


library = _load()


def _checked(what, code):
    if code < 0:
        raise OSError(-code, f"{what}: {os.strerror(-code)}")


def architecture(name):
    """0 where there is none of this name."""
    return library.seccomp_arch_resolve_name(name.lower().encode())


def number_of(call):
    """Negative for a call that another architecture has, UNKNOWN_CALL where the library knows none of this name."""
    return library.seccomp_syscall_resolve_name(call.encode())


class Filter:
    def __init__(self, default_action):
        self.context = library.seccomp_init(default_action)
        if not self.context:
            raise ValueError(f"no default action: {default_action:#x}")

    def add_architecture(self, token):
        if library.seccomp_arch_exist(self.context, token) != 0:
            _checked("seccomp_arch_add", library.seccomp_arch_add(self.context, token))

    def add_rule(self, action, call, conditions):
        array = (Condition * len(conditions))(*conditions)
        _checked(f"rule for {call}", library.seccomp_rule_add_array(self.context, action, number_of(call), len(conditions), array))

    def load(self):
        """From here on this process and all that it becomes are under the filter. Sets no_new_privs."""
        _checked("seccomp_load", library.seccomp_load(self.context))
