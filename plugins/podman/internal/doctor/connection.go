package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/containerpub/cpub/sdk"
)

// errNoSocket is what a path gives that is something else.
var errNoSocket = errors.New("it is no socket")

// installed tells whether there is a podman for a service of our own.
func installed(f *Facts) []sdk.Finding {
	if f.Target.URI != "" && !f.Own {
		return nil
	}
	program := f.Settings.Podman
	if program == "" {
		program = "podman"
	}
	var missing *exec.Error
	if errors.As(f.Err, &missing) || errors.Is(f.Err, exec.ErrNotFound) || errors.Is(f.Err, fs.ErrNotExist) || errors.Is(f.Err, fs.ErrPermission) {
		return fault(fmt.Sprintf("no Podman service was found, and %s cannot be started: %v", program, f.Err),
			"install Podman (`apt-get install podman`, `dnf install podman`), or name it in `podman`, or a service in `connection`, in the provider's config block")
	}
	return fine("%s starts", program)
}

// socket tells whether somebody listens at the socket that was named.
func socket(f *Facts) []sdk.Finding {
	path, ok := strings.CutPrefix(f.Target.URI, "unix://")
	if !ok || f.Own {
		return nil
	}
	where := fmt.Sprintf("%s (%s)", path, f.Target.Source)
	switch {
	case f.Socket == nil:
		return fine("somebody listens at %s", where)
	case errors.Is(f.Socket, fs.ErrNotExist):
		return fault("there is no socket "+where, f.start())
	case errors.Is(f.Socket, errNoSocket):
		return fault(path+" is no socket", "name Podman's socket in `connection` in the provider's config block, such as unix:///run/podman/podman.sock")
	case errors.Is(f.Socket, fs.ErrPermission):
		return fault(fmt.Sprintf("the socket %s may not be used by uid %d", where, os.Getuid()),
			"run the worker as the user whose Podman that is, or name a socket of its own user in `connection`, such as unix:///run/user/UID/podman/podman.sock")
	case errors.Is(f.Socket, syscall.ECONNREFUSED):
		return fault("nobody listens at "+where+": a service that is gone left the socket", f.start())
	}
	return fault(fmt.Sprintf("the socket %s cannot be reached: %v", where, f.Socket), f.start())
}

// start is how the service of a socket is started on this host.
func (f *Facts) start() string {
	unit := "systemctl enable --now podman.socket"
	if f.User.UID != 0 {
		unit = "systemctl --user enable --now podman.socket"
	}
	byHand := fmt.Sprintf("podman system service --time=0 %s", f.Target.URI)
	if f.Host != nil && !f.systemd() {
		return "start the service: `" + byHand + " &`"
	}
	return fmt.Sprintf("start the service: `%s`, or `%s`", unit, byHand)
}

// machine tells whether the virtual machine runs that a connection leads to.
func machine(f *Facts) []sdk.Finding {
	switch {
	case f.Machine == "":
		return nil
	case f.Err == nil:
		return fine("the podman machine %s runs", f.Machine)
	}
	return fault(fmt.Sprintf("the podman machine %s does not answer: %v", f.Machine, f.Err), "start it: `podman machine start "+f.Machine+"`")
}

// api tells whether the service speaks an API that the bindings know.
func api(f *Facts) []sdk.Finding {
	switch {
	case f.Info != nil:
		return fine("the service speaks API %s", f.Info.Version.APIVersion)
	case f.Err != nil && strings.Contains(f.Err.Error(), "API version is too old"):
		return fault(f.Err.Error(), "upgrade Podman to 4.0 or newer; 4.3.1 and 5.8.2 are what the provider is tested with")
	}
	return nil
}

// connection tells whether the service answers. What a more telling check has found is not told twice.
func connection(f *Facts) []sdk.Finding {
	if f.Err == nil {
		mode := "rootful"
		if f.rootless() {
			mode = "rootless, of " + f.User.String()
		}
		return fine("Podman %s, %s, at %s (%s)", f.Info.Version.Version, mode, f.Target.URI, f.Target.Source)
	}
	for _, better := range []func(*Facts) []sdk.Finding{installed, socket, machine, api, runtime, conmon} {
		if found := better(f); len(found) > 0 && !found[0].OK {
			return nil
		}
	}
	if f.Own || f.Target.URI == "" {
		return fault(f.Err.Error(), "run `podman info` as the worker's user, with the variables that `env` gives the provider: it says what is wrong")
	}
	switch {
	case strings.HasPrefix(f.Target.URI, "ssh:"):
		return fault(f.Err.Error(), "correct `connection`, `identity` and `host_key` or `known_hosts` in the provider's config block; what helps tell: `ssh USER@HOST podman info`")
	case strings.HasPrefix(f.Target.URI, "tcp:"):
		return fault(f.Err.Error(), "correct `connection`, `tls_ca`, `tls_cert` and `tls_key` in the provider's config block, and let the service run there: `podman system service --time=0 tcp://…`")
	}
	return fault(f.Err.Error(), "set `connection` in the provider's config block to a Podman service, such as unix:///run/podman/podman.sock")
}

func (u User) String() string {
	if u.Name == "" {
		return fmt.Sprintf("uid %d", u.UID)
	}
	return u.Name
}

// host tells what cannot be seen from here.
func host(f *Facts) []sdk.Finding {
	switch {
	case f.Host != nil:
		return fine("Podman runs on this machine")
	case f.Local:
		return warning("Podman runs in a virtual machine of this one: its programs, ids, session and limits of processes cannot be seen from here",
			"run `cpub doctor` inside too: `podman machine ssh`")
	}
	if f.Files != nil {
		return warning("Podman runs on another machine: its programs, folders, sessions and limits of processes cannot be seen from here",
			"run `cpub doctor` there too, with a worker.hcl whose provider has no `connection`")
	}
	return warning("Podman runs on another machine: its programs, ids, session and limits of processes cannot be seen from here",
		"run `cpub doctor` there too, with a worker.hcl whose provider has no `connection`")
}
