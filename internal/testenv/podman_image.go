package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ImportProgram makes an image that holds nothing but one static Go program, built from a package of this module such as
// "./sdk/sdktest/probe", as its entrypoint. No network is needed. reference is the image's name, such as
// "localhost/probe:latest"; the image's id is returned.
func (p *Podman) ImportProgram(t testing.TB, pkg, reference string) string {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Base(pkg)
	// The image's root is what the folder is: everybody's to read.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(Build(t, pkg))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
		t.Fatal(err)
	}
	tar := filepath.Join(p.dir, name+".tar")
	if out, err := exec.Command("tar", "--owner=0", "--group=0", "--mtime=@0", "-C", dir, "-cf", tar, ".").CombinedOutput(); err != nil {
		t.Fatalf("packing %s: %v\n%s", name, err, out)
	}
	defer func() { _ = os.Remove(tar) }()
	p.Run(t, "import", "--quiet", "--change", `ENTRYPOINT ["/`+name+`"]`, tar, reference)
	return p.Run(t, "image", "inspect", "--format", "{{.Id}}", reference)
}
