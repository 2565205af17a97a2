package config

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

func wholeMachine() Machine {
	return Machine{
		Temporal: &Temporal{Address: "127.0.0.1:7233", Namespace: "default"},
		StoreURL: "file:///state/store?create_dir=1",
		Providers: []MachineProvider{
			{Name: "greet", Path: `/opt/a "b" ${c}/cpub-provider-greet`, StepTypes: []string{"greet"}},
			{Name: "podman", Path: "/opt/cpub-provider-podman", Env: []string{"PATH=/bin:/usr/bin", "HOME=/root"}},
			{Name: "s3", Path: "/opt/cpub-provider-s3"},
		},
		S3:         &MachineS3{Endpoint: "http://127.0.0.1:9000", Region: "us-east-1", AccessKey: "K", SecretKey: `S"${x}`},
		Registries: []string{"localhost:5000"},
	}
}

// parseMachine is the worker of a machine's file.
func parseMachine(t *testing.T, m Machine) *Worker {
	t.Helper()
	text, err := m.WorkerFile()
	if err != nil {
		t.Fatal(err)
	}
	if formatted, diags := Format("worker.hcl", text); diags.HasErrors() || string(formatted) != string(text) {
		t.Errorf("the file is not as cpub fmt has it: %v\n%s", diags, text)
	}
	w, err := ParseWorker("the default worker.hcl", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return w
}

func TestMachine(t *testing.T) {
	w := parseMachine(t, wholeMachine())
	if *w.Temporal != (Temporal{Address: "127.0.0.1:7233", Namespace: "default"}) || w.StoreURL != "file:///state/store?create_dir=1" {
		t.Errorf("temporal %+v, store %s", w.Temporal, w.StoreURL)
	}
	var ids []string
	for _, p := range w.Providers {
		ids = append(ids, p.ID())
	}
	if !slices.Equal(ids, []string{"greet.local", "podman.local", "s3.local"}) {
		t.Fatalf("providers are %v", ids)
	}
	if p := w.Providers[0]; p.Path != `/opt/a "b" ${c}/cpub-provider-greet` || len(p.Env) > 0 {
		t.Errorf("%+v", p)
	}
	if env := w.Providers[1].Env; env["PATH"] != "/bin:/usr/bin" || env["HOME"] != "/root" {
		t.Errorf("the environment is %v", env)
	}
	attrs := schema.Object{Attrs: []schema.Attr{{Name: "path_style", Type: cty.Bool}}}
	for _, name := range []string{"endpoint", "region", "access_key_id", "secret_access_key"} {
		attrs.Attrs = append(attrs.Attrs, schema.Attr{Name: name, Type: cty.String})
	}
	data, diags := w.Providers[2].DecodeConfig(attrs)
	if want := `"secret_access_key":"S\"${x}"`; diags.HasErrors() || !strings.Contains(string(data), want) {
		t.Errorf("the config of s3 is %s, %v", data, diags)
	}
	if len(w.Registries) != 1 || w.Registries[0].Host != "localhost:5000" || !w.Registries[0].Insecure {
		t.Errorf("registries are %+v", w.Registries)
	}
}

// TestMachineWithoutS3 still gives the provider the region that it does not start without.
func TestMachineWithoutS3(t *testing.T) {
	m := wholeMachine()
	m.S3 = nil
	data, diags := parseMachine(t, m).Providers[2].DecodeConfig(schema.Object{Attrs: []schema.Attr{{Name: "region", Type: cty.String}}})
	if diags.HasErrors() || string(data) != `{"region":"us-east-1"}` {
		t.Errorf("the config of s3 is %s, %v", data, diags)
	}
}

func TestMachinesPolicy(t *testing.T) {
	alone := wholeMachine()
	alone.S3, alone.Registries, alone.Temporal = nil, nil, nil
	for _, tc := range []struct {
		name, step, input string
		machine           Machine
		denied            string // part of the refusal, "" for allowed
	}{
		{"a local registry", "image_push", `{"destination":"localhost:5000/a:1"}`, wholeMachine(), ""},
		{"another registry", "image_push", `{"destination":"ghcr.io/a:1"}`, wholeMachine(), "the rule is policy.registries.push, the default worker.hcl:"},
		{"no registry", "image_push", `{"destination":"localhost:5000/a:1"}`, alone, "registries.push"},
		{"an image of this machine", "container_run", `{"image":"localhost/a:1"}`, alone, ""},
		{"an image from elsewhere", "container_run", `{"image":"docker.io/a:1"}`, wholeMachine(), "registries.pull"},
		{"a network", "container_run", `{"image":"localhost/a:1","network":"host"}`, wholeMachine(), "networks"},
		{"a capability", "container_run", `{"image":"localhost/a:1","cap_add":["NET_ADMIN"]}`, wholeMachine(), "cap_add"},
		{"much memory", "container_run", `{"image":"localhost/a:1","memory":"2g"}`, wholeMachine(), "max.memory"},
		{"no limits", "container_run", `{"image":"localhost/a:1","allow_unenforced_limits":true}`, wholeMachine(), "allow_unenforced_limits"},
		{"a bucket of this machine", "object_fetch", `{"bucket":"b"}`, wholeMachine(), ""},
		{"a bucket of somebody's", "object_fetch", `{"bucket":"b"}`, alone, "buckets"},
		{"a step type of the user's", "greet", `{}`, alone, ""},
		{"another step type", "podman_pod", `{}`, alone, "step_types"},
		{"an addition to a standard type", "container_run", `{"image":"localhost/a:1","gpu":true}`, alone, "step_types"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := parseMachine(t, tc.machine).Policy.Check(tc.step, []byte(tc.input))
			if tc.denied == "" && err != nil || tc.denied != "" && (err == nil || !strings.Contains(err.Error(), tc.denied)) {
				t.Errorf("%v, want a refusal with %q", err, tc.denied)
			}
		})
	}
}

func TestFileStoreURLKeepsUnusualPaths(t *testing.T) {
	const dir = "/tmp/a b?c#d%e"
	u, err := url.Parse(FileStoreURL(dir))
	if err != nil || u.Path != dir {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestStateDir(t *testing.T) {
	for _, tc := range []struct{ state, home, want string }{
		{"/x", "/home/me", "/x/cpub/store"},
		{"", "/home/me", "/home/me/.local/state/cpub/store"},
		{"relative", "/home/me", "/home/me/.local/state/cpub/store"},
		{"", "", ""},
	} {
		t.Setenv("XDG_STATE_HOME", tc.state)
		t.Setenv("HOME", tc.home)
		got, err := DefaultStoreDir()
		if got != filepath.FromSlash(tc.want) || (err != nil) != (tc.want == "") {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "set CPUB_STORE") {
			t.Error(err)
		}
	}
	if os.Getenv("HOME") != "" {
		t.Error("the last case ran with a home")
	}
}
