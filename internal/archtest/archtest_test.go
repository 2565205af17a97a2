package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// TestHouse reads every package of the module, as it is built, and holds its imports and what it links to the rules.
func TestHouse(t *testing.T) {
	packages := list(t)
	if len(packages) < 2 {
		t.Fatalf("go list gave %d packages, so it did not list the module", len(packages))
	}
	for _, p := range packages {
		from := inModule(p.ImportPath)
		for _, imported := range p.Imports {
			if !within(imported, module) {
				continue
			}
			if wrong := checkImport(house(), from, inModule(imported)); wrong != "" {
				t.Error(wrong)
			}
		}
		for _, wrong := range checkLinks(bans(), from, p.Deps) {
			t.Error(wrong)
		}
	}
}

func TestCheckImport(t *testing.T) {
	for _, tc := range []struct {
		name, from, to string
		want           string // part of the complaint, "" for none
	}{
		{"allowed", "engine/host", "engine/policy", ""},
		{"allowed tree", "plugins/s3/fetch", "sdk/contract", ""},
		{"own folder", "plugins/s3", "plugins/s3/fetch", ""},
		{"nearest rule wins", "engine/config", "engine/policy", ""},
		{"beneath, but with a rule of its own", "engine", "engine/host", "engine may import engine/eval"},
		{"upwards", "sdk/schema", "sdk", "sdk/schema imports sdk"},
		{"sideways", "plugins/s3", "plugins/podman/build", "plugins/s3 imports plugins/podman/build"},
		{"only the package itself", "engine/artifact", "sdk/contract", "engine/artifact imports sdk/contract"},
		{"wire is not for plugins", "plugins/archive", "internal/wire", "plugins/archive imports internal/wire"},
		{"a name that only begins alike", "cmd/cpub-doctor", "sdk", "no folder that has a rule"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := checkImport(house(), tc.from, tc.to)
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("checkImport(%s, %s) = %q, want %q", tc.from, tc.to, got, tc.want)
			}
		})
	}
}

func TestCheckLinks(t *testing.T) {
	for _, tc := range []struct {
		name, path, dep string
		wrong           bool
	}{
		{"provider and Temporal", "plugins/s3", "go.temporal.io/sdk/client", true},
		{"provider's subpackage and Temporal", "plugins/podman/run", "go.temporal.io/api/common/v1", true},
		{"provider and Podman", "plugins/podman", "github.com/containers/podman/v5/pkg/bindings", false},
		{"command line and Podman", "cmd/cpub", "github.com/containers/podman/v5/pkg/bindings", true},
		{"command line and Temporal's SDK", "cmd/cpub", "go.temporal.io/sdk/client", false},
		{"worker and a server", "cmd/cpub-worker", "go.temporal.io/server/temporal", true},
		{"cpub-dev and a server", "cmd/cpub-dev", "go.temporal.io/server/temporal", false},
		{"cpub-dev's subpackage and a server", "cmd/cpub-dev/stack", "github.com/versity/versitygw/s3api", false},
		{"sdk and gRPC", "sdk", "google.golang.org/grpc", true},
		{"serve and gRPC", "sdk/serve", "google.golang.org/grpc", false},
		{"engine and Temporal", "engine", "go.temporal.io/sdk/workflow", true},
		{"a name that only begins alike", "plugins/s3", "go.temporal.iox/sdk", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := checkLinks(bans(), tc.path, []string{"fmt", tc.dep})
			if (len(got) > 0) != tc.wrong {
				t.Errorf("checkLinks(%s, %s) = %q, want a complaint: %v", tc.path, tc.dep, got, tc.wrong)
			}
		})
	}
}

// list gives every package of the module with all that it links, for the build tags that the binaries are built with.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list",
		"-tags", "containers_image_openpgp,exclude_graphdriver_btrfs,remote",
		"-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// inModule turns an import path into the package's path in the module.
func inModule(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}
