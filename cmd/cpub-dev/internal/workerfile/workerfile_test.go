package workerfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
)

func machine(registry string) config.Machine {
	return config.Machine{StoreURL: "file:///state/store?create_dir=1", Registries: []string{registry}}
}

// write writes the file and returns its text.
func write(t *testing.T, dir string, m config.Machine) (string, bool) {
	t.Helper()
	path, kept, err := Write(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), kept
}

func TestFileIsLoadedAndPrivate(t *testing.T) {
	dir := t.TempDir()
	content, _ := write(t, dir, machine("localhost:5000"))
	loaded, err := config.LoadWorker(filepath.Join(dir, "worker.hcl"))
	if err != nil || len(loaded.Registries) != 1 || loaded.Registries[0].Host != "localhost:5000" {
		t.Errorf("%+v, %v\n%s", loaded, err, content)
	}
	if !strings.HasPrefix(content, "# Written by cpub-dev") {
		t.Errorf("the file does not say whose it is:\n%s", content)
	}
	info, err := os.Stat(filepath.Join(dir, "worker.hcl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestChangedFileIsKept(t *testing.T) {
	dir := t.TempDir()
	first, _ := write(t, dir, machine("localhost:5000"))

	second, kept := write(t, dir, machine("localhost:5001"))
	if kept || first == second || !strings.Contains(second, "localhost:5001") {
		t.Errorf("a file that nobody changed was not written again (kept %v):\n%s", kept, second)
	}

	mine := second + "# mine\n"
	if err := os.WriteFile(dir+"/worker.hcl", []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, kept := write(t, dir, machine("localhost:5000")); !kept || third != mine {
		t.Errorf("a changed file was not kept (kept %v):\n%s", kept, third)
	}

	if err := os.Remove(dir + "/worker.hcl"); err != nil {
		t.Fatal(err)
	}
	if fourth, kept := write(t, dir, machine("localhost:5000")); kept || fourth != first {
		t.Errorf("a removed file was not written again (kept %v):\n%s", kept, fourth)
	}
}
