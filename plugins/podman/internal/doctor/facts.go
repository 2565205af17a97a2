package doctor

import (
	"time"

	"github.com/blang/semver/v4"
	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// Facts are what was read about one service.
type Facts struct {
	Settings client.Settings
	Target   client.Target
	// Err is why the service cannot be used; nil where it answers.
	Err error
	// Socket is what a dial of the service's unix socket gave; nil where somebody listens, or there is no such socket to dial.
	Socket error
	// Own tells that the service is one that the provider started, Local that it runs on this machine.
	Own, Local bool
	// Machine is the `podman machine` that the connection leads to, and empty for none.
	Machine string
	// Info is what the service says of its host; nil where it does not answer.
	Info *define.Info
	// Unenforced is why limits do not hold; nil where they do.
	Unenforced error
	// Host is the machine's files; nil where Podman runs on another one.
	Host *Host
	// Files are those of Host, or of another machine the few that were copied from it; nil where nothing can be seen of it.
	Files *Host
	// User is whom the service belongs to.
	User User
	// Env are the variables of the service, as far as they can be read.
	Env map[string]string
	// Rlimits are the service's, as /proc/PID/limits has them; empty where they cannot be read.
	Rlimits string
	// Ended are the containers of ours that have ended.
	Ended []Ended
	// Identity are the labels of the volume that names the store; nil where there is none yet.
	Identity map[string]string
	// Reading are what could not be read of the service's store.
	Reading    error
	Registries []sdk.Registry
	Now        time.Time
}

// User is an account of the host.
type User struct {
	Name, Home string
	UID        int
}

// Ended is a container that has ended.
type Ended struct {
	Name, Run string
	At        time.Time
}

// rootless tells whether the service has no privileges: as it says itself, or as its user does.
func (f *Facts) rootless() bool {
	if f.Info != nil {
		return f.Info.Host.Security.Rootless
	}
	return f.User.UID != 0
}

// atLeast tells whether the service has that version. One that does not answer, or whose version cannot be read, has not.
func (f *Facts) atLeast(want string) bool {
	return f.Info != nil && newer(f.Info.Version.Version, want)
}

// newer tells whether a version is at least another one; what follows a hyphen does not count.
func newer(version, want string) bool {
	have, err := semver.ParseTolerant(version)
	least, err2 := semver.Parse(want)
	if err != nil || err2 != nil {
		return false
	}
	have.Pre, have.Build = nil, nil
	return have.GE(least)
}

// systemd tells whether the host runs systemd.
func (f *Facts) systemd() bool { return f.Host != nil && f.Host.Exists("/run/systemd/system") }
