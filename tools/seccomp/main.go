// Writes the seccomp profiles of docker/seccomp into a folder: what container runtimes allow by default, once with the three calls of
// io_uring besides and once without.
//
// The default list is in Docker's own format, with conditions on capabilities, architecture and kernel. containerd reads a node's profiles
// as plain runtime-spec JSON and ignores what it does not know: it would take the rules for CAP_SYS_ADMIN (unshare, mount, bpf) as rules for
// everybody. So the conditions are decided here, for containers without any capability, and the files hold none.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var (
	uringCalls = []string{"io_uring_enter", "io_uring_register", "io_uring_setup"}
	// Where members run, by the names in the list's conditions and those in its table of architectures.
	machines      = []string{"amd64", "arm64"}
	architectures = []specs.Arch{specs.ArchX86_64, specs.ArchAARCH64}
	// The first kernel with io_uring: a condition on an older one holds on every kernel that matters.
	kernel = seccomp.KernelVersion{Kernel: 5, Major: 1}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "seccomp:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	plain, err := resolve(seccomp.DefaultProfile())
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(folder, "no-io-uring.json"), plain); err != nil {
		return err
	}
	plain.Syscalls = append(plain.Syscalls, specs.LinuxSyscall{Names: uringCalls, Action: specs.ActAllow})
	return writeFile(filepath.Join(folder, "io-uring.json"), plain)
}

func writeFile(path string, profile *specs.LinuxSeccomp) error {
	text, err := json.MarshalIndent(profile, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// resolve decides every condition of the list. What it cannot decide for all machines at once is an error, so that a newer list with
// something unforeseen is read by a person.
func resolve(list *seccomp.Seccomp) (*specs.LinuxSeccomp, error) {
	if list.DefaultAction != specs.ActErrno {
		return nil, fmt.Errorf("the default action is %s: this is no allow-list any more", list.DefaultAction)
	}
	if len(list.Flags) != 0 || list.ListenerPath != "" || len(list.LinuxSeccomp.Syscalls) != 0 {
		return nil, fmt.Errorf("the list has flags, a listener or unconditional calls, which nothing here writes")
	}
	profile := &specs.LinuxSeccomp{DefaultAction: list.DefaultAction, DefaultErrnoRet: list.DefaultErrnoRet}
	for _, one := range list.ArchMap {
		if slices.Contains(architectures, one.Arch) {
			profile.Architectures = append(append(profile.Architectures, one.Arch), one.SubArches...)
		}
	}
	for _, call := range list.Syscalls {
		applies, err := appliesTo(call)
		if err != nil {
			return nil, err
		}
		if applies {
			profile.Syscalls = append(profile.Syscalls, call.LinuxSyscall)
		}
	}
	return profile, nil
}

func appliesTo(call *seccomp.Syscall) (bool, error) {
	if call.Name != "" {
		return false, fmt.Errorf("%s: a rule with the old field \"name\"", call.Name)
	}
	if slices.ContainsFunc(call.Names, func(name string) bool { return slices.Contains(uringCalls, name) }) {
		return false, fmt.Errorf("%v: the default list has a rule for io_uring; look at what it says", call.Names)
	}
	if not := call.Excludes; not != nil {
		// Conditions on capabilities hold: there are none.
		if not.MinKernel != nil || slices.ContainsFunc(not.Arches, isMachine) {
			return false, fmt.Errorf("%v: an exception for a kernel, or for some of %v", call.Names, machines)
		}
	}
	only := call.Includes
	if only == nil {
		return true, nil
	}
	if min := only.MinKernel; min != nil && (min.Kernel > kernel.Kernel || min.Kernel == kernel.Kernel && min.Major > kernel.Major) {
		return false, fmt.Errorf("%v: only for kernels from %v, which is newer than %v", call.Names, min, &kernel)
	}
	// A call that only one of the machines has is no rule on the other.
	return len(only.Caps) == 0 && (len(only.Arches) == 0 || slices.ContainsFunc(only.Arches, isMachine)), nil
}

func isMachine(name string) bool { return slices.Contains(machines, name) }
