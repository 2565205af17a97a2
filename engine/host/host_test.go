package host

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// newHost starts a host over this test's binary.
func newHost(t *testing.T, change func(*Options)) *Host {
	t.Helper()
	h, err := tryHost(t, change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		noLeftovers(t, h)
	})
	return h
}

func tryHost(t *testing.T, change func(*Options)) (*Host, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	store, err := artifact.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	opts := Options{
		Instances: []Instance{{Provider: "probe", Name: "p", Path: exe}}, Artifacts: store,
		Cache: filepath.Join(dir, "cache"), StateDir: filepath.Join(dir, "state"),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		times:  times{backOff: 10 * time.Millisecond},
	}
	if change != nil {
		change(&opts)
	}
	t.Cleanup(func() { // read-only folders
		if err := artifact.RemoveAll(opts.Cache); err != nil {
			t.Error(err)
		}
	})
	return New(context.WithoutCancel(t.Context()), opts)
}

// noLeftovers checks that a closed host left nothing but what is meant to stay.
func noLeftovers(t *testing.T, h *Host) {
	t.Helper()
	for _, dir := range []string{filepath.Join(h.opts.StateDir, "bin"), filepath.Join(h.opts.Cache, "tmp")} {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != "gate" {
			t.Errorf("left in %s: %v, %v", dir, entries, err)
		}
	}
	if _, err := os.Stat(h.rooms.sockets.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of sockets stays: %v", err)
	}
}

func callOf(t *testing.T, in map[string]any) engine.Call {
	t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Call{Instance: "probe.p", StepType: "probe", Step: "s", Run: "w/r", Pipeline: "pl", Key: "k", Attempt: 1, Input: data}
}

func do(t *testing.T, h *Host, in map[string]any) (outputs, error) {
	t.Helper()
	raw, err := h.Run(t.Context(), callOf(t, in), newObserver())
	var out outputs
	if err == nil {
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out, err
}

func TestRunMovesFilesLogsAndReports(t *testing.T) {
	h := newHost(t, nil)
	file, err := h.opts.Artifacts.Put(t.Context(), strings.NewReader("hello"), "in", "")
	if err != nil {
		t.Fatal(err)
	}
	src := t.TempDir()
	if err := os.WriteFile(filepath.Join(src, "x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(src)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dir, err := h.opts.Artifacts.PutDir(t.Context(), root, "d")
	if err != nil {
		t.Fatal(err)
	}
	call := callOf(t, map[string]any{"do": "echo", "text": "hi", "file": file, "dir": dir})
	call.LogKey = "logs/k"
	obs := newObserver()
	raw, err := h.Run(t.Context(), call, obs)
	if err != nil {
		t.Fatal(err)
	}
	var out outputs
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if out.Text != "hi" || out.File == nil || out.File.Size != 6 || out.File.MediaType != "text/plain" || out.File.Name != "made.txt" || out.File.Path != "" {
		t.Errorf("outputs %s", raw)
	}
	if out.Dir == nil || out.Dir.Digest != dir.Digest || out.Dir.MediaType != sdk.MediaTypeDirectory {
		t.Errorf("outputs %s, want the folder %s", raw, dir.Digest)
	}
	path, err := h.cache.Path(t.Context(), *out.File)
	if got, rerr := os.ReadFile(path); err != nil || rerr != nil || string(got) != "hello!" {
		t.Errorf("the file made: %q, %v, %v", got, err, rerr)
	}
	if obs.log.String() != "step:echo hi\n" || len(obs.progress) != 1 || obs.progress[0].Message != "half" || string(obs.checkpoint) != `{"at":1}` {
		t.Errorf("observed %q, %v, %s", obs.log.String(), obs.progress, obs.checkpoint)
	}
	entries, _, err := h.opts.Artifacts.ReadLog(t.Context(), "logs/k", 0)
	if err != nil || len(entries) != 2 || entries[0].Text != "echo hi\n" || !entries[1].End {
		t.Errorf("live log %+v, %v", entries, err)
	}
	if left, err := filepath.Glob(filepath.Join(h.opts.Cache, "tmp", "own-*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheEnvironmentIsWhatTheInstanceNames(t *testing.T) {
	t.Setenv("CPUB_TEST_SECRET", "of the worker")
	h := newHost(t, func(o *Options) { o.Instances[0].Env = map[string]string{"GIVEN": "yes", wire.EnvWatchStdin: "0"} })
	out, err := do(t, h, map[string]any{"do": "env"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range out.List {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "PLUGIN_") {
			names = append(names, e)
		}
	}
	want := []string{"GIVEN=yes", wire.CookieKey + "=" + wire.CookieValue, wire.EnvWatchStdin + "=1"}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("environment %q, want %q", names, want)
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	h := newHost(t, nil)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		name string
		in   map[string]any
		kind sdk.Kind
		attr string
		want string
	}{
		{"a failure", map[string]any{"do": "fail"}, sdk.KindPermanent, "", "too much"},
		{"the provider's diagnostic", map[string]any{"do": "??"}, sdk.KindInvalid, "do", "nothing like"},
		{"a missing attribute", map[string]any{}, sdk.KindInvalid, "do", "a value is needed"},
		{"a wrong type", map[string]any{"do": "echo", "n": "1"}, sdk.KindInvalid, "n", "a number is needed"},
		{"an unknown attribute", map[string]any{"do": "echo", "zz": 1}, sdk.KindInvalid, "zz", "no such attribute"},
		{"a panic", map[string]any{"do": "panic"}, sdk.KindTransient, "", "at the disco"},
		{"a file outside of scratch", map[string]any{"do": "path", "text": secret}, sdk.KindPermanent, "", "below the scratch folder"},
		{"a folder outside of scratch", map[string]any{"do": "path dir", "text": "/etc"}, sdk.KindPermanent, "", "below the scratch folder"},
		{"a link out of scratch", map[string]any{"do": "link out", "text": secret}, sdk.KindPermanent, "", "escapes"},
		{"a relative path", map[string]any{"do": "path", "text": "x"}, sdk.KindPermanent, "", "not absolute"},
		{"no path", map[string]any{"do": "path"}, sdk.KindPermanent, "", "has no path"},
		{"outputs of the wrong type", map[string]any{"do": "wrong type"}, sdk.KindPermanent, "", "number: a number is needed"},
		{"outputs that are too large", map[string]any{"do": "big", "n": 65536}, sdk.KindPermanent, "", "as a file artifact"},
		{"an artifact that is not there", map[string]any{"do": "echo", "file": map[string]any{"digest": digest}}, sdk.KindPermanent, "", "not in the store"},
		{"a file for a folder", map[string]any{"do": "echo", "dir": map[string]any{"digest": digest}}, sdk.KindInvalid, "dir", "a directory is needed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := do(t, h, tt.in)
			if err == nil {
				t.Fatalf("it succeeded: %+v", out)
			}
			kind, attr := sdk.KindTransient, ""
			var e *sdk.Error
			if errors.As(err, &e) {
				kind, attr = e.Kind, e.Attr
			}
			if kind != tt.kind || attr != tt.attr || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("kind %q, attr %q, %v; want %q, %q, %q", kind, attr, err, tt.kind, tt.attr, tt.want)
			}
		})
	}
	_, err := do(t, h, map[string]any{"do": "fail"})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != "oom" || e.RetryAfter != time.Second || string(e.Outputs) != `{"text":"partial"}` {
		t.Errorf("the failure lost something: %+v", e)
	}
	if _, err := h.Run(t.Context(), engine.Call{Instance: "probe.other"}, newObserver()); err == nil || !strings.Contains(err.Error(), "probe.other") {
		t.Errorf("an instance that is not there: %v", err)
	}
}

func TestAnotherSchemaNamesTheAttribute(t *testing.T) {
	h := newHost(t, nil)
	call := callOf(t, map[string]any{"do": "echo", "gone": 1})
	call.SchemaDigest = "sha256:" + strings.Repeat("0", 64)
	_, err := h.Run(t.Context(), call, newObserver())
	if err == nil || !strings.Contains(err.Error(), "another version of provider probe") || !strings.Contains(err.Error(), "gone of probe") {
		t.Errorf("error %v", err)
	}
	call = callOf(t, map[string]any{"do": "echo"})
	call.SchemaDigest = "sha256:" + strings.Repeat("0", 64)
	if _, err := h.Run(t.Context(), call, newObserver()); err != nil {
		t.Errorf("a difference that does not matter: %v", err)
	}
}

func TestCallsToAllInstances(t *testing.T) {
	h := newHost(t, func(o *Options) {
		second := o.Instances[0]
		second.Name, second.MaxConcurrent = "q", 7
		o.Instances = append(o.Instances, second)
	})
	described := h.Describe(t.Context())
	if len(described) != 2 || described[0].Instance != "probe.p" || described[1].Instance != "probe.q" || described[0].Location != "here" ||
		described[1].MaxConcurrent != 7 || described[0].Info.Version != "1.2.3" || described[0].Info.Step("probe").Run != nil {
		t.Errorf("described %+v", described)
	}
	for _, c := range h.Check(t.Context()) {
		if c.Err != nil || len(c.Findings) != 1 || !reflect.DeepEqual(c.Findings[0], sdk.Finding{Name: "all", OK: true, Detail: "is well"}) {
			t.Errorf("check %+v", c)
		}
	}
	if err := h.Release(t.Context(), []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	if err := h.Release(t.Context(), []string{"bad"}); err == nil || !strings.Contains(err.Error(), "probe.q: no such key") {
		t.Errorf("release of a bad key: %v", err)
	}
	if n, err := h.Sweep(t.Context(), sdk.Sweep{LiveRuns: []string{"a", "b"}}); n != 4 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if got, err := os.ReadFile(filepath.Join(h.opts.StateDir, "instances", "probe.q", "configured")); err != nil || string(got) != "q" {
		t.Errorf("state %q, %v", got, err)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho hello\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"a wrong sha256", func(o *Options) { o.Instances[0].SHA256 = strings.Repeat("0", 64) }, "install the right one"},
		{"no binary", func(o *Options) { o.Instances[0].Path = "/nowhere" }, "no such file"},
		{"a folder", func(o *Options) { o.Instances[0].Path = "/" }, "no regular file"},
		{"something else", func(o *Options) { o.Instances[0].Path = script }, "Unrecognized remote plugin message: hello"},
		{"another name", func(o *Options) { o.Instances[0].Provider = "other" }, `is provider "probe", and not "other"`},
		{"a wrong configuration", func(o *Options) { o.Instances[0].Config = []byte(`{"size":"x","none":1}`) }, "config: none: there is no such attribute"},
		{"a refused configuration", func(o *Options) { o.Instances[0].Config = []byte(`{"fail":"no socket"}`) }, "configuring: no socket"},
		{"an instance twice", func(o *Options) { o.Instances = append(o.Instances, o.Instances[0]) }, "declared twice"},
		{"a reattach that nothing uses", func(o *Options) {
			o.Reattach = `{"none":{"network":"unix","address":"/x","pid":1,"protocol_version":1}}`
		}, `"none", which is no provider`},
		{"a reattach that is no JSON", func(o *Options) { o.Reattach = `x` }, "CPUB_REATTACH_PROVIDERS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := tryHost(t, tt.change)
			if err == nil {
				t.Fatal("it started", h.Close())
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestTheRightSHA256(t *testing.T) {
	first := newHost(t, nil)
	sums, err := filepath.Glob(filepath.Join(first.rooms.bin.Dir(), "*"))
	if err != nil || len(sums) != 1 {
		t.Fatalf("copies %v, %v", sums, err)
	}
	newHost(t, func(o *Options) { o.Instances[0].SHA256 = filepath.Base(sums[0]) })
}

func TestDescribe(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := Describe(t.Context(), exe, t.TempDir())
	if err != nil || info.Name != "probe" || len(info.Steps) != 2 || info.Steps[0].Input.Attr("dir").Format != schema.FormatDirectory {
		t.Errorf("described %+v, %v", info, err)
	}
	if _, err := Describe(t.Context(), "/bin/true", t.TempDir()); err == nil {
		t.Error("/bin/true was described")
	}
}
