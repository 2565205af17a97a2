package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/bindings/volumes"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/identity"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// How long the service may take: to start or be connected to, and for each answer.
const (
	openTime   = 20 * time.Second
	answerTime = 10 * time.Second
	dialTime   = 3 * time.Second
)

// Check looks at the service that the settings lead to. Open is the connection where there is one already; nil connects, for as long as
// the look takes.
func Check(ctx context.Context, open *client.Client, s client.Settings) []sdk.Finding {
	return Judge(Read(ctx, open, s))
}

// Read reads what the checks judge. What cannot be read is part of the facts.
func Read(ctx context.Context, open *client.Client, s client.Settings) *Facts {
	f := &Facts{Settings: s, Registries: s.Registries, Now: time.Now()}
	f.Target, f.Err = client.Find(s)
	c := open
	if c == nil && f.Err == nil {
		opening, cancel := context.WithTimeout(ctx, openTime)
		c, f.Err = client.Open(opening, s)
		cancel()
		if c != nil {
			defer func() { _ = c.Close() }() // nothing was changed
		}
	}
	if c != nil {
		f.Target = client.Target{URI: c.URI, Source: c.Source}
		f.Own, f.Local = c.Own(), c.Local()
		f.ask(ctx, c)
	} else {
		f.Local = f.Target.URI == "" || strings.HasPrefix(f.Target.URI, "unix:")
	}
	f.Machine = machineOf(f.Target)
	f.see(ctx)
	if c != nil {
		f.seeElsewhere(ctx, c)
	}
	return f
}

// ask asks the service, each question with its own time.
func (f *Facts) ask(ctx context.Context, c *client.Client) {
	questions := []func(context.Context) error{
		func(ctx context.Context) error { f.Info, f.Err = c.Info(ctx); return nil },
		func(ctx context.Context) error { f.Unenforced = container.Enforceable(ctx, c, false); return nil },
		func(ctx context.Context) (err error) { f.Ended, err = ended(ctx, c); return err },
		func(ctx context.Context) (err error) { f.Identity, err = identityLabels(ctx, c); return err },
	}
	for _, q := range questions {
		if f.Err != nil {
			return
		}
		limited, cancel := context.WithTimeout(ctx, answerTime)
		f.Reading = errors.Join(f.Reading, q(limited))
		cancel()
	}
}

// ended lists the containers of ours that have ended.
func ended(ctx context.Context, c *client.Client) ([]Ended, error) {
	call, cancel := c.Context(ctx)
	defer cancel()
	all, err := containers.List(call, new(containers.ListOptions).WithAll(true).WithFilters(map[string][]string{
		"label": {owner.LabelKey}, "status": {"exited", "stopped"},
	}))
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	var out []Ended
	for _, each := range all {
		out = append(out, Ended{Name: strings.Join(each.Names, ","), Run: each.Labels[owner.LabelRun], At: time.Unix(each.ExitedAt, 0)})
	}
	return out, nil
}

// identityLabels are the labels of the volume that names the store; nil where there is none.
func identityLabels(ctx context.Context, c *client.Client) (map[string]string, error) {
	call, cancel := c.Context(ctx)
	defer cancel()
	v, err := volumes.Inspect(call, identity.Volume, nil)
	if client.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the volume %s: %w", identity.Volume, err)
	}
	labels := map[string]string{}
	for name, value := range v.Labels {
		labels[name] = value
	}
	return labels, nil
}

// see looks at the machine, where it is this one.
func (f *Facts) see(ctx context.Context) {
	f.User, f.Env = account(os.Getuid()), environ(os.Environ())
	pid := 0
	if path, ok := strings.CutPrefix(f.Target.URI, "unix://"); ok {
		var uid int
		uid, pid, f.Socket = peer(ctx, path)
		if f.Socket != nil {
			uid, ok = ownerOf(path)
		}
		if ok && !f.Own {
			f.User, f.Env = account(uid), map[string]string{}
		}
	}
	if !f.Local || goruntime.GOOS != "linux" {
		return
	}
	f.Host = &Host{Root: "/", Usage: usage}
	f.Files = f.Host
	f.seeProcess(pid)
}

// seeProcess reads what the service's process tells. Where systemd listens for it, there may be none.
func (f *Facts) seeProcess(pid int) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	if pid == 0 || !strings.HasPrefix(f.Host.Read(proc+"comm"), "podman") {
		return
	}
	f.Rlimits = f.Host.Read(proc + "limits")
	if text := f.Host.Read(proc + "environ"); text != "" {
		f.Env = environ(strings.Split(text, "\x00"))
	}
}

// peer tells who listens at a socket.
func peer(ctx context.Context, path string) (uid, pid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return 0, 0, errNoSocket
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close() }() // nothing was said
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, 0, errNoSocket
	}
	uid, pid = credentials(unixConn)
	return uid, pid, nil
}

// account is the account of a number.
func account(uid int) User {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return User{UID: uid}
	}
	return User{Name: u.Username, Home: u.HomeDir, UID: uid}
}

func environ(list []string) map[string]string {
	env := map[string]string{}
	for _, v := range list {
		if name, value, ok := strings.Cut(v, "="); ok {
			env[name] = value
		}
	}
	return env
}
