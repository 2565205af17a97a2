//go:build integration

package provider_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk/sdktest"
)

// pruneKeeps: what a container needs, though it is stopped, and what the file of a service names, is kept; what was said of a dry run is what
// Podman has less of afterwards.
func pruneKeeps(t *testing.T, e *env, _ string) {
	const name = "localhost/prune-keeps"
	ids := map[string]string{}
	for _, tag := range []string{"free", "container", "service"} {
		res := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nCOPY f /f\n", "f": strings.Repeat(tag, 100_000)},
			map[string]any{"tags": []string{name + ":" + tag}}))
		var out built
		res.Decode(&out)
		ids[tag] = out.Image.ID
		if err := e.Release(res.Key); err != nil {
			t.Fatal(err)
		}
	}
	e.podman.Run(t, "create", "--name", "prune-keeps", name+":container")
	config := e.podman.Run(t, "info", "--format", "{{.Store.ConfigFile}}")
	units := filepath.Join(filepath.Dir(config), "systemd")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(units, "x.container"), "[Container]\nImage="+name+":service\n")
	var dry, out struct {
		Removed        []string `json:"removed"`
		ReclaimedBytes int64    `json:"reclaimed_bytes"`
	}
	filters := map[string]string{"reference": name + ":*"}
	e.Run(sdktest.Call{Type: "image_prune", Input: map[string]any{"filters": filters, "dry_run": true}}).Decode(&dry)
	e.podman.Run(t, "image", "inspect", ids["free"])
	e.Run(sdktest.Call{Type: "image_prune", Input: map[string]any{"filters": filters}}).Decode(&out)
	if !slices.Equal(out.Removed, []string{ids["free"]}) || !slices.Equal(dry.Removed, out.Removed) || dry.ReclaimedBytes != out.ReclaimedBytes {
		t.Errorf("removed %+v, the dry run said %+v, want %s", out, dry, ids["free"])
	}
	// The layer of its own, of 400,000 bytes and the headers of a tar or the like.
	if out.ReclaimedBytes < 400_000 || out.ReclaimedBytes > 420_000 {
		t.Errorf("it freed %d bytes, want about 400,000", out.ReclaimedBytes)
	}
	e.podman.Run(t, "rm", "prune-keeps")
	if err := os.RemoveAll(units); err != nil {
		t.Fatal(err)
	}
	e.Run(sdktest.Call{Type: "image_prune", Input: map[string]any{"filters": filters}}).Decode(&out)
	want := []string{ids["container"], ids["service"]}
	if !slices.Equal(out.Removed, want) {
		t.Errorf("once nobody needed them, removed %q, want %q", out.Removed, want)
	}
	if names := e.podman.Run(t, "images", "--format", "{{.Repository}}"); strings.Contains(names, "prune") {
		t.Errorf("names are left:\n%s", names)
	}
}
