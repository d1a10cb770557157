// Writes the seccomp profiles of docker/seccomp from Moby's list of what containers may call, pinned here.
module whitewater/tools/seccomp

go 1.25.0

require (
	github.com/moby/profiles/seccomp v0.2.3
	github.com/opencontainers/runtime-spec v1.3.0
)

require golang.org/x/sys v0.33.0 // indirect
