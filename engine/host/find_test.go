package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for path, mode := range map[string]os.FileMode{
		filepath.Join(first, "cpub-provider-s3"):        0o755,
		filepath.Join(first, "cpub-provider-archive"):   0o755,
		filepath.Join(first, "cpub-provider-notes.txt"): 0o755,
		filepath.Join(first, "cpub-provider-data"):      0o644,
		filepath.Join(first, "cpub-provider-"):          0o755,
		filepath.Join(first, "cpub"):                    0o755,
		filepath.Join(second, "cpub-provider-s3"):       0o755,
		filepath.Join(second, "cpub-provider-kube.exe"): 0o644,
	} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(first, "cpub-provider-folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Find(first, filepath.Join(first, "none"), second)
	want := []Binary{
		{"archive", filepath.Join(first, "cpub-provider-archive")},
		{"s3", filepath.Join(first, "cpub-provider-s3")},
		{"kube", filepath.Join(second, "cpub-provider-kube.exe")},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("found %v, %v, want %v", got, err, want)
	}
}
