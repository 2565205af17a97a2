package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

const wholeWorker = `temporal {
  address   = "127.0.0.1:7233"
  namespace = "default"
}
store {
  url = "file:///var/lib/cpub/store?create_dir=1&no_tmp_dir=1"
}
provider "podman" "local" {
  path           = "/usr/lib/cpub/cpub-provider-podman"
  sha256         = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
  max_concurrent = 10
  env            = { PATH = "/usr/bin" }
  config {
    connection = "unix:///run/user/1000/podman/podman.sock"
  }
}
provider "podman" "builder" {}
serve "image_build" { provider = podman.builder }
registry "localhost:5000" { insecure = true }
registry "ghcr.io" {
  username      = "me"
  password_file = "/run/secrets/ghcr"
}
policy {
  step_types = ["podman_pod"]
  buckets    = ["functions"]
  networks   = ["none"]
  host_paths = []
  cap_add    = []
  registries {
    pull = ["localhost:5000/*"]
    push = ["localhost:5000/*"]
    from = ["localhost:5000/*"]
  }
  max {
    memory     = "1GiB"
    cpus       = 2
    pids       = 1024
    time_limit = "10m"
  }
  cache_mounts            = false
  allow_unenforced_limits = false
}
metrics { listen = "127.0.0.1:9464" }
secret "NPM_TOKEN" {
  file       = "/run/secrets/npm"
  allow      = [podman.local]
  step_types = ["container_run"]
}
`

func loadText(t *testing.T, text string) (*Worker, string) {
	t.Helper()
	w, diags := parseWorker("worker.hcl", []byte(text), func(name string) ([]byte, error) {
		if name == "/run/secrets/ghcr" {
			return []byte("secret\n"), nil
		}
		if content, ok := map[string]string{
			"/run/secrets/npm": "two\nlines\r\n", "/run/secrets/empty": "\n", "/run/secrets/binary": "a\x00b",
			"/run/secrets/large": strings.Repeat("x", maxSecret+1),
		}[name]; ok {
			return []byte(content), nil
		}
		return nil, os.ErrNotExist
	})
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, diags, w.Files, Style{}); err != nil {
		t.Fatal(err)
	}
	return w, b.String()
}

func TestLoadWorker(t *testing.T) {
	w, diags := loadText(t, wholeWorker)
	if diags != "" {
		t.Fatal(diags)
	}
	if *w.Temporal != (Temporal{Address: "127.0.0.1:7233", Namespace: "default"}) {
		t.Errorf("temporal is %+v", *w.Temporal)
	}
	if w.StoreURL != "file:///var/lib/cpub/store?create_dir=1&no_tmp_dir=1" || w.MetricsListen != "127.0.0.1:9464" {
		t.Errorf("store %q, metrics %q", w.StoreURL, w.MetricsListen)
	}
	if len(w.Providers) != 2 || w.Providers[0].ID() != "podman.local" || w.Providers[1].ID() != "podman.builder" {
		t.Fatalf("providers are %+v", w.Providers)
	}
	p := w.Providers[0]
	if p.MaxConcurrent != 10 || p.Env["PATH"] != "/usr/bin" || p.SHA256 != strings.ToLower(p.SHA256) || len(p.SHA256) != 64 {
		t.Errorf("provider is %+v", p)
	}
	if len(w.Serve) != 1 || w.Serve[0].StepType != "image_build" || w.Serve[0].Instance != "podman.builder" {
		t.Errorf("serve is %+v", w.Serve)
	}
	want := []sdk.Registry{{Host: "localhost:5000", Insecure: true}, {Host: "ghcr.io", Username: "me", Password: "secret"}}
	if !reflect.DeepEqual(w.Registries, want) {
		t.Errorf("registries are %+v", w.Registries)
	}
	granted := []sdk.Secret{{Name: "NPM_TOKEN", Value: "two\nlines", StepTypes: []string{"container_run"}}}
	if got := w.SecretsOf(p); !reflect.DeepEqual(got, granted) || len(w.SecretsOf(w.Providers[1])) != 0 {
		t.Errorf("the secrets are %+v and %+v", got, w.SecretsOf(w.Providers[1]))
	}
	checkPolicy(t, w.Policy)
}

func checkPolicy(t *testing.T, p *policy.Policy) {
	t.Helper()
	if p.Max != (policy.Max{Memory: 1 << 30, CPUs: 2, Pids: 1024, TimeLimit: schema.Duration(10 * time.Minute)}) {
		t.Errorf("max is %+v", p.Max)
	}
	if p.Source != "worker.hcl:24" || p.Rules["buckets"] != "worker.hcl:26" || p.Rules["max.memory"] != "worker.hcl:36" ||
		p.Rules["registries.from"] != "worker.hcl:33" {
		t.Errorf("places are %q %v", p.Source, p.Rules)
	}
	err := p.Check("container_run", []byte(`{"image":"localhost:5000/a","memory":"2g"}`))
	if err == nil || !strings.Contains(err.Error(), "worker.hcl:36") {
		t.Errorf("a refusal does not name its place: %v", err)
	}
}

func TestDecodeConfig(t *testing.T) {
	w, _ := loadText(t, wholeWorker)
	shape := schema.Object{Attrs: []schema.Attr{{Name: "connection", Type: cty.String}, {Name: "slots", Type: cty.Number}}}
	data, diags := w.Providers[0].DecodeConfig(shape)
	if diags.HasErrors() || string(data) != `{"connection":"unix:///run/user/1000/podman/podman.sock"}` {
		t.Errorf("%s %v", data, diags)
	}
	if data, diags = w.Providers[1].DecodeConfig(shape); diags.HasErrors() || string(data) != `{}` {
		t.Errorf("%s %v", data, diags)
	}
	_, diags = w.Providers[0].DecodeConfig(schema.Object{Attrs: []schema.Attr{{Name: "conection", Type: cty.String, Required: true}}})
	if len(diags) != 2 {
		t.Errorf("%d diagnostics, want an unknown and a missing attribute: %v", len(diags), diags)
	}
}

func TestEmptyWorker(t *testing.T) {
	w, diags := loadText(t, "")
	if diags != "" || w.Temporal != nil || w.Policy == nil {
		t.Errorf("%+v %s", w, diags)
	}
	if err := w.Policy.Check("object_fetch", []byte(`{"bucket":"b","key":"k"}`)); err == nil {
		t.Error("a worker without a policy allows a bucket")
	}
	var wrong *engine.DiagnosticsError
	if _, err := LoadWorker(filepath.Join(t.TempDir(), "none.hcl")); !errors.As(err, &wrong) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestWrongWorkers compares the diagnostics of wrong files with the next file of testdata/worker.txtar.
func TestWrongWorkers(t *testing.T) {
	path := filepath.Join("testdata", "worker.txtar")
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		_, got := loadText(t, string(ar.Files[i].Data))
		if updating() {
			ar.Files[i+1].Data = []byte(got)
		} else if want := string(ar.Files[i+1].Data); got != want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", ar.Files[i].Name, got, want)
		}
		if got == "" {
			t.Errorf("%s has no diagnostics", ar.Files[i].Name)
		}
	}
	if updating() {
		if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzLoadWorker(f *testing.F) {
	f.Add(wholeWorker)
	f.Add(`policy { max { memory = "x" } }`)
	f.Add(`provider "a" "b" { config {} config {} }`)
	f.Fuzz(func(t *testing.T, text string) {
		w, diags := parseWorker("worker.hcl", []byte(text), func(string) ([]byte, error) { return nil, os.ErrNotExist })
		for _, p := range w.Providers {
			_, more := p.DecodeConfig(schema.Object{Attrs: []schema.Attr{{Name: "connection", Type: cty.String}}})
			diags = append(diags, more...)
		}
		if err := WriteDiagnostics(&bytes.Buffer{}, diags, w.Files, Style{Width: 80, Color: true}); err != nil {
			t.Fatal(err)
		}
	})
}

// updating tells whether -update was given; the flag is declared by the external tests of this package.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}
