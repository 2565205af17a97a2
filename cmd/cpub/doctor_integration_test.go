//go:build integration

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine/doctor"
	"github.com/containerpub/cpub/internal/testenv"
)

// diagnosed runs cpub doctor --json, and gives what it found by name and subject.
func diagnosed(t *testing.T, env *testenv.Env, args ...string) map[string]doctor.Finding {
	t.Helper()
	cmd := exec.Command(testenv.Build(t, "./cmd/cpub"), append([]string{"doctor", "--json"}, args...)...)
	cmd.Env = append(slices.Concat(os.Environ(), env.Environ), "CPUB_PROVIDERS="+filepath.Dir(testenv.Build(t, "./plugins/s3")))
	testenv.Build(t, "./plugins/archive")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil && exitStatus(err) != "1" {
		t.Fatalf("cpub doctor: %v\n%s", err, out)
	}
	all := map[string]doctor.Finding{}
	failed := false
	page := testenv.Documented(t, "doctor.md")
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		var f doctor.Finding
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if !slices.Contains(page, f.Name) {
			t.Errorf("docs/doctor.md has no %s", f.Name)
		}
		if f.OK != (f.Remedy == "") || f.Detail == "" {
			t.Errorf("%+v", f)
		}
		failed = failed || f.Failed()
		all[strings.TrimSpace(f.Name+" "+f.Subject)] = f
	}
	if failed != (err != nil) {
		t.Errorf("something failed: %v; the command ended with %v", failed, err)
	}
	return all
}

// TestDoctorWithServices causes what can be wrong with Temporal, its workers, a store in S3 and buckets, and does what the remedies say.
func TestDoctorWithServices(t *testing.T) {
	env := testenv.Services(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	config := filepath.Join(t.TempDir(), "worker.hcl")
	write := func(temporal, buckets string) {
		t.Helper()
		text := temporal + `
provider "archive" "main" {}
provider "s3" "main" {
  config {
    endpoint          = "` + env.S3 + `"
    region            = "` + env.Region + `"
    path_style        = true
    access_key_id     = "` + env.AccessKey + `"
    secret_access_key = "` + env.SecretKey + `"
  }
}
registry "` + env.Registry + `" { insecure = true }
policy { buckets = [` + buckets + `] }
`
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(args ...string) map[string]doctor.Finding {
		t.Helper()
		return diagnosed(t, env, append([]string{"--config", config}, args...)...)
	}
	// Temporal's parts learn of what is new one after another.
	lookUntil := func(done func(map[string]doctor.Finding) bool, args ...string) map[string]doctor.Finding {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
			if all := look(args...); done(all) || time.Now().After(deadline) {
				return all
			}
		}
	}
	wrong := func(all map[string]doctor.Finding, name, detail, remedy string) {
		t.Helper()
		f, there := all[name]
		if !there || f.OK || !strings.Contains(f.Detail, detail) || !strings.Contains(f.Remedy, remedy) {
			t.Errorf("%s: %+v, want %q and %q", name, f, detail, remedy)
		}
	}
	fine := func(all map[string]doctor.Finding, names ...string) {
		t.Helper()
		for _, name := range names {
			if f, there := all[name]; !there || !f.OK {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}

	write(`temporal { address = "127.0.0.1:1" }`, "")
	wrong(look(), "temporal_reachable", "127.0.0.1:1", "start it")
	write(`temporal { namespace = "elsewhere" }`, "")
	all := look()
	fine(all, "temporal_reachable", "store_open", "registry_reachable "+env.Registry,
		"registry_credentials "+env.Registry, "registry_clock "+env.Registry, "s3_accepted", "s3_clock", "archive_links")
	wrong(all, "temporal_namespace", `no namespace "elsewhere"`, "temporal operator namespace create --namespace elsewhere")
	temporal(t, env, "operator", "namespace", "create", "--namespace", "elsewhere", "--retention", "24h")
	all = lookUntil(func(all map[string]doctor.Finding) bool {
		return !strings.Contains(all["temporal_search_attributes"].Detail+all["temporal_worker cpub"].Detail, "not found")
	})
	fine(all, "temporal_namespace", "temporal_version")
	wrong(all, "temporal_retention", "after 24 hours", "--retention 168h")
	wrong(all, "temporal_search_attributes", "CpubPipeline and CpubStatus are not registered", "cpub doctor --fix")
	temporal(t, env, "operator", "namespace", "update", "--namespace", "elsewhere", "--retention", "168h")
	all = lookUntil(func(all map[string]doctor.Finding) bool {
		return all["temporal_retention"].OK && all["temporal_search_attributes"].OK
	}, "--fix")
	fine(all, "temporal_retention", "temporal_search_attributes")

	write("", `"functions", "missing"`)
	all = look()
	fine(all, "s3_bucket functions", "temporal_search_attributes")
	wrong(all, "s3_bucket missing", "does not exist", "take it out of `buckets`")
	wrong(all, "temporal_worker cpub", "no worker polls it", "start `cpub-worker`")
	write("", `"functions"`)
	startWorker(t, env)
	all = lookUntil(func(all map[string]doctor.Finding) bool { return all["temporal_worker cpub.archive.main"].OK })
	fine(all, "s3_bucket functions", "store_open", "store_write", "store_condition", "store_clock", "store_space", "store_mode", "temporal_worker cpub", "temporal_worker cpub.s3.main", "temporal_worker cpub.archive.main")
}

// TestDoctorWithPodman looks at a Podman through its provider, also where that could not be configured.
func TestDoctorWithPodman(t *testing.T) {
	podman := testenv.StartPodman(t, "4.3.1")
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	config := filepath.Join(t.TempDir(), "worker.hcl")
	text := "store { url = \"mem://\" }\ntemporal { address = \"127.0.0.1:1\" }\n" +
		"provider \"podman\" \"local\" {\n  path = \"" + testenv.Build(t, "./plugins/podman") + "\"\n  config { connection = \"" + podman.URI + "\" }\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	look := func() map[string]doctor.Finding { return diagnosed(t, &testenv.Env{}, "--config", config) }
	all := look()
	for _, name := range []string{"provider_configure", "podman_socket", "podman_connection", "podman_userns", "podman_identity", "provider_check"} {
		if f, there := all[name]; !there || !f.OK || f.Group != "podman.local" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	podman.Kill(t)
	all = look()
	if f := all["podman_socket"]; f.OK || !strings.Contains(f.Detail, "a service that is gone left the socket") {
		t.Errorf("podman_socket: %+v", f)
	}
	if all["provider_configure"].OK || !all["podman_userns"].OK || !all["provider_check"].OK {
		t.Errorf("a provider that was not configured says %+v", all)
	}
	podman.Restart(t)
	if f := look()["podman_socket"]; !f.OK {
		t.Errorf("after the remedy: %+v", f)
	}
}

// temporal runs Temporal's own CLI.
func temporal(t *testing.T, env *testenv.Env, args ...string) {
	t.Helper()
	if out, err := exec.Command(testenv.Tool(t, "temporal"), append(args, "--address", env.Temporal)...).CombinedOutput(); err != nil {
		t.Fatalf("temporal %v: %v\n%s", args, err, out)
	}
}
