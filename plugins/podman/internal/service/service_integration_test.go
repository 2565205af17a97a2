//go:build integration

package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/service"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// quadlets is a provider of podman_service alone, on a systemd of the test's own.
type quadlets struct {
	podman  *testenv.Podman
	systemd *testenv.Systemd
	runner  *service.Runner
}

func (q *quadlets) Info() sdk.Info {
	t := steps.Service()
	return sdk.Info{Name: "quadlets", Version: "1", Steps: []sdk.StepType{{
		Name: t.Name, Doc: t.Doc, Input: t.Input, Output: t.Output,
		Run: func(ctx context.Context, req *sdk.Request) (any, error) { return q.runner.Run(ctx, req) },
	}}}
}

func (q *quadlets) Configure(ctx context.Context, _ sdk.Configuration) (string, error) {
	c, err := client.Open(ctx, client.Settings{Connection: q.podman.URI})
	if err != nil {
		return "", err
	}
	images := &image.Store{Client: c, Location: "here"}
	q.runner = &service.Runner{
		Client: c, Images: images, Containers: &container.Runner{Client: c, Images: images},
		Host: &service.Host{
			Manager: service.Manager{Socket: q.systemd.Socket}, Folder: q.systemd.Quadlets, Generator: q.systemd.Generator, User: true,
		},
	}
	return "here", nil
}

type env struct {
	*sdktest.Harness
	*quadlets
	image sdk.Located
}

// A real systemd, Podman's real generator, and Podman.
func TestService(t *testing.T) {
	p := testenv.StartPodman(t, "5.8.2")
	e := &env{image: sdk.Located{ID: p.ImportProgram(t, "./sdk/sdktest/probe", "localhost/probe:latest"), Location: "here"}}
	e.quadlets = &quadlets{podman: p, systemd: testenv.StartSystemd(t, p)}
	e.Harness = sdktest.New(t, e.quadlets, sdktest.Options{})
	for _, c := range []struct {
		name string
		test func(t *testing.T, e *env)
	}{
		{"life", life},
		{"texts", texts},
		{"rolled back", rolledBack},
		{"lost", lost},
		{"foreign", foreign},
		{"crash", crash},
		{"mistakes", mistakes},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, e)
			done(t, e.Run(e.call(map[string]any{"state": "absent"})))
			e.nothingLeft(t)
		})
	}
}

// call is a call about the service `web`.
func (e *env) call(more map[string]any, command ...string) sdktest.Call {
	in := map[string]any{"name": "web", "grace": "1s", "start_limit": "20s", "image": e.image, "command": command}
	for k, v := range more {
		in[k] = v
	}
	return sdktest.Call{Type: steps.PodmanService, Input: in}
}

// server is a service that answers on a port of the host with a text.
func (e *env) server(port int, text string) sdktest.Call {
	return e.call(map[string]any{
		"network": "bridge", "port": []map[string]any{{"container_port": 8080, "host_port": port}},
		"healthcheck": map[string]any{"command": []string{"/probe", "reach", "127.0.0.1:8080"}, "interval": "100ms"},
	}, "serve", ":8080", "0", text)
}

func done(t *testing.T, r *sdktest.Result) service.Output {
	t.Helper()
	var out service.Output
	if r.Err != nil {
		t.Fatalf("the step failed: %v", r.Err)
	}
	r.Decode(&out)
	return out
}

// reach gives what a published port answers, once somebody does: that a service is active does not mean that it listens.
func reach(t *testing.T, port int) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 10*time.Second)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			b, rerr := io.ReadAll(c)
			_ = c.Close()
			if rerr == nil && len(b) > 0 {
				return string(b)
			}
			err = rerr
		}
		if time.Now().After(deadline) {
			t.Fatalf("port %d does not answer: %v", port, err)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// nothingLeft: no file, no container, no name of an image but the test's.
func (e *env) nothingLeft(t *testing.T) {
	t.Helper()
	files, err := os.ReadDir(e.systemd.Quadlets)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("the file %s is left", f.Name())
	}
	if left := e.podman.Run(t, "ps", "--all", "--format", "{{.Names}}"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	if left := e.podman.Run(t, "images", "--format", "{{.Repository}}:{{.Tag}}"); left != "localhost/probe:latest" {
		t.Errorf("images: %s", left)
	}
}

// life: a service gets up, answers, is confined, is found as it is, is replaced, and goes.
func life(t *testing.T, e *env) {
	port := freePort(t)
	out := done(t, e.Run(e.server(port, "one")))
	if out.Unit != "web.service" || out.State != "active" || !out.Changed || len(out.Addresses) != 1 || out.Addresses[0] != fmt.Sprintf("127.0.0.1:%d", port) {
		t.Errorf("outputs %+v", out)
	}
	if got := reach(t, port); got != "one" {
		t.Errorf("the service answers %q", got)
	}
	id := e.podman.Run(t, "inspect", "--format", "{{.Id}}", "web")
	status := e.podman.Run(t, "exec", "web", "/probe", "status")
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(strings.ReplaceAll(status, ": ", ":\t"), line) {
			t.Errorf("no %q in:\n%s", line, status)
		}
	}
	if got := e.podman.Run(t, "inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}}", "web"); got != "134217728 256 true" {
		t.Errorf("limits %q", got)
	}
	again := done(t, e.Run(e.server(port, "one")))
	if again.Changed || e.podman.Run(t, "inspect", "--format", "{{.Id}}", "web") != id {
		t.Errorf("the same input changed the service: %+v", again)
	}
	if next := done(t, e.Run(e.server(port, "two"))); !next.Changed {
		t.Errorf("another input gave %+v", next)
	}
	if got := reach(t, port); got != "two" {
		t.Errorf("the service answers %q", got)
	}
	if gone := done(t, e.Run(e.call(map[string]any{"state": "absent"}))); !gone.Changed || gone.State != "inactive" {
		t.Errorf("removing gave %+v", gone)
	}
	if gone := done(t, e.Run(e.call(map[string]any{"state": "absent"}))); gone.Changed {
		t.Errorf("removing nothing gave %+v", gone)
	}
}

// texts: what an author writes comes through Quadlet, systemd and Podman as it is.
func texts(t *testing.T, e *env) {
	nasty := "a %n $HOME ${PATH} \"q\" 'q' \\ \t\nExecStartPre=/bin/false\n[Service]\nä;  "
	done(t, e.Run(e.call(map[string]any{
		"env": map[string]string{"NASTY": nasty}, "labels": map[string]string{"nasty": nasty},
		"healthcheck": map[string]any{"command": []string{"/probe", "exit", "0"}, "interval": "100ms"},
	}, "sleep", "1000", nasty)))
	for format, want := range map[string]string{
		`{{index .Config.Labels "nasty"}}|`: nasty + "|", `{{index .Config.Cmd 2}}|`: nasty + "|",
		`{{range .Config.Env}}{{if eq (slice . 0 2) "NA"}}{{.}}|{{end}}{{end}}`: "NASTY=" + nasty + "|",
	} {
		if got := e.podman.Run(t, "inspect", "--format", format, "web"); got != want {
			t.Errorf("%s is %q, want %q", format, got, want)
		}
	}
}

// rolledBack: a service that does not get up is replaced by the one before it.
func rolledBack(t *testing.T, e *env) {
	port := freePort(t)
	out := done(t, e.Run(e.server(port, "one")))
	before, err := os.ReadFile(out.File)
	if err != nil {
		t.Fatal(err)
	}
	ill := map[string]any{"start_limit": "4s", "healthcheck": map[string]any{"command": []string{"/probe", "exit", "1"}, "interval": "100ms"}}
	for name, call := range map[string]sdktest.Call{
		"ends":          e.call(map[string]any{"start_limit": "10s", "restart": "no"}, "exit", "3"),
		"never healthy": e.call(ill, "sleep", "1000"),
		"no program":    e.call(map[string]any{"start_limit": "10s"}, "no-such-command"),
	} {
		if r := e.Run(call); r.Err == nil {
			t.Fatalf("%s: the service got up", name)
		}
		after, err := os.ReadFile(out.File)
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: the file is now %q (%v)", name, after, err)
		}
		if got := reach(t, port); got != "one" {
			t.Errorf("%s: the service answers %q", name, got)
		}
	}
	done(t, e.Run(e.call(map[string]any{"state": "absent"})))
	r := e.Run(e.call(map[string]any{"start_limit": "10s", "restart": "no"}, "exit", "3"))
	var failure *sdk.Error
	if !errors.As(r.Err, &failure) || failure.Kind != sdk.KindPermanent {
		t.Errorf("without one before: %v", r.Err)
	}
	e.nothingLeft(t)
}

// lost: the attempt is lost in its rollout; the next one goes on with it, or goes back further than that.
func lost(t *testing.T, e *env) {
	port := freePort(t)
	done(t, e.Run(e.server(port, "one")))
	bad := e.call(map[string]any{"start_limit": "4s", "healthcheck": map[string]any{"command": []string{"/probe", "exit", "1"}, "interval": "100ms"}}, "sleep", "1000")
	ctx, cancel := context.WithCancelCause(t.Context())
	bad.Context, bad.Host = ctx, &whenSaid{"waiting for", func() { cancel(sdk.ErrDetached) }}
	r := e.Run(bad)
	if r.Err == nil {
		t.Fatal("the detached attempt succeeded")
	}
	bad.Context, bad.Host, bad.Key, bad.Attempt = nil, nil, r.Key, 2
	if r := e.Run(bad); r.Err == nil {
		t.Fatal("an unhealthy service got up")
	}
	if got := reach(t, port); got != "one" {
		t.Errorf("the service answers %q", got)
	}
	good := e.server(port, "two")
	ctx, cancel = context.WithCancelCause(t.Context())
	good.Context, good.Host = ctx, &whenSaid{"waiting for", func() { cancel(sdk.ErrDetached) }}
	r = e.Run(good)
	good.Context, good.Host, good.Key, good.Attempt = nil, nil, r.Key, 2
	if out := done(t, e.Run(good)); !out.Changed {
		t.Errorf("what the lost attempt began gave %+v", out)
	}
	if got := reach(t, port); got != "two" {
		t.Errorf("the service answers %q", got)
	}
}

// whenSaid is a host that does something when the progress says so.
type whenSaid struct {
	when string
	do   func()
}

func (w *whenSaid) Log(string, []byte) {}
func (w *whenSaid) Progress(p sdk.Progress) {
	if strings.Contains(p.Message, w.when) {
		w.do()
	}
}
func (w *whenSaid) Checkpoint(json.RawMessage) {}

// foreign: files, units and containers that no step made are not touched.
func foreign(t *testing.T, e *env) {
	file := filepath.Join(e.systemd.Quadlets, "web.container")
	if err := os.WriteFile(file, []byte("[Container]\nImage=localhost/probe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"running", "absent"} {
		refused(t, e.Run(e.call(map[string]any{"state": state}, "sleep", "1000")))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refused(t, e.Run(e.call(map[string]any{"name": "podman-user-wait-network-online"}, "sleep", "1000")))
	e.podman.Run(t, "create", "--name", "web", "localhost/probe")
	refused(t, e.Run(e.call(nil, "sleep", "1000")))
	e.podman.Run(t, "rm", "web")
}

func refused(t *testing.T, r *sdktest.Result) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(r.Err, &e) || e.Kind != sdk.KindPermanent || !strings.Contains(r.Err.Error(), "not touched") {
		t.Errorf("what is not ours: %v", r.Err)
	}
}

// crash: systemd starts the service again.
func crash(t *testing.T, e *env) {
	done(t, e.Run(e.call(map[string]any{"restart": "always"}, "sleep", "1000")))
	before := e.podman.Run(t, "inspect", "--format", "{{.Id}}", "web")
	e.podman.Run(t, "kill", "web")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		now := e.podman.Run(t, "ps", "--quiet", "--no-trunc", "--filter", "name=^web$")
		if now != "" && now != before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the service was not started again")
		}
	}
}

func mistakes(t *testing.T, e *env) {
	for attr, call := range map[string]sdktest.Call{
		"name":                 e.call(map[string]any{"name": "../web"}, "sleep", "1"),
		"port":                 e.call(map[string]any{"network": "bridge", "port": []map[string]any{{"container_port": 80, "host_port": 0}}}, "sleep", "1"),
		"wanted_by":            e.call(map[string]any{"wanted_by": []string{"a b"}}, "sleep", "1"),
		"command":              e.call(nil, "sleep", ";"),
		"labels":               e.call(map[string]any{"labels": map[string]string{"io.cpub.service": "x"}}, "sleep", "1"),
		"auto_update":          e.call(map[string]any{"auto_update": "registry"}, "sleep", "1"),
		"env.A":                e.call(map[string]any{"env": map[string]string{"A": "\x1b"}}, "sleep", "1"),
		"env":                  e.call(map[string]any{"env": map[string]string{"A B": "x"}}, "sleep", "1"),
		"healthcheck.interval": e.call(map[string]any{"healthcheck": map[string]any{"command": []string{"x"}, "interval": "1ms"}}, "sleep", "1"),
		"memory":               e.call(map[string]any{"memory": "0"}, "sleep", "1"),
	} {
		r := e.Run(call)
		var failure *sdk.Error
		if !errors.As(r.Err, &failure) || failure.Kind != sdk.KindInvalid || failure.Attr != attr {
			t.Errorf("%s: %v (%#v)", attr, r.Err, failure)
		}
	}
	e.nothingLeft(t)
}
