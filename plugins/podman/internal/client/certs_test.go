package client

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

func TestWithCerts(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		".profile": "p", ".local/share/x": "data", ".config/other": "o", ".config/containers/containers.conf": "conf",
		".config/containers/certs.d/a:1/client.cert": "mine", ".config/containers/certs.d/b/ca.crt": "b's",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"HOME=" + home, "XDG_DATA_HOME=/elsewhere"}
	got, err := withCerts(env, dir, []sdk.Registry{{Host: "a:1", CA: "PEM of a"}, {Host: "c", CA: "PEM of c"}, {Host: "d"}, {Host: "e", CA: "x", Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "home")
	for name, want := range map[string]string{
		"HOME": own, "XDG_DATA_HOME": "/elsewhere", "XDG_CONFIG_HOME": filepath.Join(home, ".config"), "XDG_CACHE_HOME": filepath.Join(home, ".cache"),
	} {
		if got := variable(got, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		".profile": "p", ".local/share/x": "data", ".config/other": "o", ".config/containers/containers.conf": "conf",
		".config/containers/certs.d/a:1/client.cert": "mine", ".config/containers/certs.d/a:1/cpub-ca.crt": "PEM of a",
		".config/containers/certs.d/b/ca.crt": "b's", ".config/containers/certs.d/c/cpub-ca.crt": "PEM of c",
	} {
		if got, err := os.ReadFile(filepath.Join(own, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	var mine []string
	entries, err := os.ReadDir(filepath.Join(home, ".config/containers/certs.d/a:1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		mine = append(mine, e.Name())
	}
	if !slices.Equal(mine, []string{"client.cert"}) {
		t.Errorf("the user's own folder has %v now", mine)
	}
}

func TestWithCertsWithoutAny(t *testing.T) {
	dir := t.TempDir()
	env := []string{"HOME=/nowhere"}
	got, err := withCerts(env, dir, []sdk.Registry{{Host: "a"}, {Host: "b", CA: "x", Insecure: true}})
	if err != nil || !slices.Equal(got, env) {
		t.Errorf("%v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v was made, %v", entries, err)
	}
	if _, err := withCerts(env, dir, []sdk.Registry{{Host: "../../x", CA: "x"}}); err == nil {
		t.Error("a host that leads elsewhere was taken")
	}
}
