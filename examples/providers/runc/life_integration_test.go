//go:build linux && integration

package runc_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// whenLogged is a host that acts once, on the first output.
type whenLogged struct {
	act  func()
	done bool
}

func (w *whenLogged) Log(stream string, _ []byte) {
	if stream == "stdout" && !w.done {
		w.done = true
		w.act()
	}
}
func (w *whenLogged) Progress(sdk.Progress)      {}
func (w *whenLogged) Checkpoint(json.RawMessage) {}

// lose starts a call and detaches from it once its container has written something.
func (e *env) lose(t *testing.T, call sdktest.Call) (key string) {
	t.Helper()
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	call.Context, call.Host = ctx, &whenLogged{act: func() { end(sdk.ErrDetached) }}
	lost := e.Run(call)
	if !errors.Is(lost.Err, sdk.ErrDetached) && !errors.Is(lost.Err, context.Canceled) {
		t.Fatalf("the attempt should have been detached from: %v", lost.Err)
	}
	return lost.Key
}

// TestNobodyThere leaves a container to its supervisor, which ends it at its time limit. Another process of the provider tells how it ended.
func TestNobodyThere(t *testing.T) {
	e := newEnv(t, options{})
	call := e.call(t, map[string]any{"time_limit": "1s"}, "wait", "600")
	key := e.lose(t, call)
	exit := filepath.Join(e.state, "containers", key, "exit")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(exit); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the container runs on a minute after its time limit of a second")
		}
	}
	call.Key, call.Attempt = key, 2
	var failed *sdk.Error
	res := e.connect(t, options{}).Run(call)
	if !errors.As(res.Err, &failed) || failed.Code != sdk.CodeTimeLimit || !strings.HasPrefix(res.Text("stdout"), "line 0\nline 1\n") {
		t.Errorf("the container that was adopted ended with %v, and wrote %q", res.Err, res.Text("stdout"))
	}
	for _, what := range e.left(t, key) {
		t.Errorf("left behind: %s", what)
	}
}

// TestSupervisorKilled: nobody knows how the container ended, so the step is tried again, and nothing is left of it. So it is where an
// attempt was lost together with the supervisor.
func TestSupervisorKilled(t *testing.T) {
	e := newEnv(t, options{})
	call := e.call(t, map[string]any{"time_limit": "10m"}, "wait", "600")
	call.Key = sdktest.NewKey()
	call.Host = &whenLogged{act: func() { e.killSupervisor(t, call.Key) }}
	var failed *sdk.Error
	if res := e.Run(call); res.Err == nil || errors.As(res.Err, &failed) && failed.Kind != sdk.KindTransient {
		t.Errorf("the attempt ended with %v, want an error that is tried again", res.Err)
	}
	for _, what := range e.left(t, call.Key) {
		t.Errorf("left behind: %s", what)
	}
	call.Host = nil
	e.lose(t, call)
	e.killSupervisor(t, call.Key)
	again := e.call(t, nil, "exit", "0")
	again.Key, again.Attempt = call.Key, 2
	if res := e.Run(again); res.Err != nil {
		t.Errorf("the container was not made anew: %v", res.Err)
	}
}

// killSupervisor kills the supervisor of a key's container, and waits for its end.
func (e *env) killSupervisor(t *testing.T, key string) {
	t.Helper()
	for _, path := range e.left(t, key) {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if filepath.Base(path) == "environ" && err == nil && pid != os.Getpid() {
			for err := syscall.Kill(pid, syscall.SIGKILL); err == nil; err = syscall.Kill(pid, 0) { // until it is gone
				time.Sleep(time.Millisecond)
			}
			return
		}
	}
	t.Error("there is no supervisor")
}

// TestSweep removes what belongs to no live run: a container that still runs, one that has ended, and what images are held for.
func TestSweep(t *testing.T) {
	e := newEnv(t, options{})
	running := e.call(t, map[string]any{"time_limit": "10m"}, "wait", "600")
	running.Run = "dead/1"
	dead := e.lose(t, running)
	ended := e.call(t, nil, "exit", "0")
	ended.Run = "live/1"
	live := e.Run(ended)
	pull := sdktest.Call{Type: "image_pull", Run: "dead/1", Input: map[string]any{"reference": e.probe}, Rules: e.rules()}
	if res := e.Run(pull); res.Err != nil || live.Err != nil {
		t.Fatal(res.Err, live.Err)
	}
	for _, tt := range []struct {
		sweep sdk.Sweep
		want  int
	}{
		{sdk.Sweep{LiveRuns: []string{"live/1"}, Grace: schema.Duration(time.Hour)}, 0},
		{sdk.Sweep{LiveRuns: []string{"live/1"}}, 2},
		{sdk.Sweep{LiveRuns: []string{"live/1"}}, 0},
		{sdk.Sweep{}, 1},
	} {
		if removed, err := e.Sweep(tt.sweep); err != nil || removed != tt.want {
			t.Errorf("a sweep with %+v removed %d, want %d (%v)", tt.sweep, removed, tt.want, err)
		}
	}
	for _, key := range []string{dead, live.Key} {
		for _, what := range e.left(t, key) {
			t.Errorf("left behind: %s", what)
		}
	}
}

// TestSecretsLeaveNoTrace: while a container runs, its secrets are in no file.
func TestSecretsLeaveNoTrace(t *testing.T) {
	e := newEnv(t, options{})
	call := e.call(t, map[string]any{"env": map[string]string{"A": "shown"}, "stdin": "shown", "time_limit": "10m"}, "wait", "600")
	parts := []schema.SecretPart{{Secret: sdktest.Secret().Name}}
	call.Secrets = []schema.SecretText{{Path: []string{"env", "A"}, Parts: parts}, {Path: []string{"stdin"}, Parts: parts}}
	key := e.lose(t, call)
	for _, dir := range []string{e.state, e.runDir} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "root" || !d.Type().IsRegular() {
				return skipRoot(d, err)
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), "sesame") {
				t.Errorf("a secret is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := e.Release(key); err != nil {
		t.Error(err)
	}
}

func skipRoot(d os.DirEntry, err error) error {
	if err == nil && d.IsDir() && d.Name() == "root" {
		return filepath.SkipDir
	}
	return err
}

// TestStreams: what a program writes to is an ordinary pipe, which waits for who reads it.
func TestStreams(t *testing.T) {
	e := newEnv(t, options{})
	res := e.Run(e.call(t, nil, "list", "/proc/self/fdinfo"))
	_, rest, found := strings.Cut(res.Text("stdout"), "file /proc/self/fdinfo/1 ")
	_, flags, _ := strings.Cut(rest, "flags:")
	mode, err := strconv.ParseInt(strings.Fields(flags + " -")[0], 8, 64)
	if !found || err != nil || mode&syscall.O_NONBLOCK != 0 {
		t.Errorf("stdout has the flags %o (%v):\n%s", mode, err, res.Text("stdout"))
	}
}
