package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/sdk"
)

// TestArtifact holds the digests that a plan gives files and folders against those that the store gives them.
func TestArtifact(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("code.tar", "not really")
	write("site/index.html", "<p>")
	write("site/a/b.txt", "b")
	write("main.hcl", `pipeline "p" {
  step "archive_extract" "source" { archive = artifact("code.tar") }
  step "image_build" "image" { context = artifact("./site") }
}`)
	module, diags := Load(t.Context(), dir, Contracts(), Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	uploads, err := module.Uploads()
	if err != nil || len(uploads) != 2 {
		t.Fatalf("%d uploads, %v", len(uploads), err)
	}
	store, err := artifact.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, u := range uploads {
		root, name, err := OpenUpload(u)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var got sdk.Artifact
		if name == "" {
			got, err = store.PutDir(t.Context(), root, u.Artifact.Name)
		} else {
			f, openErr := root.Open(name)
			if openErr != nil {
				t.Fatal(openErr)
			}
			defer f.Close()
			got, err = store.Put(t.Context(), f, u.Artifact.Name, u.Artifact.MediaType)
		}
		if err != nil || got != u.Artifact {
			t.Errorf("the plan says %+v, the store %+v, %v", u.Artifact, got, err)
		}
	}

	before := module.Plans[0]
	write("site/a/b.txt", "c")
	module, _ = Load(t.Context(), dir, Contracts(), Options{})
	_, old, _ := before.Encode()
	if _, digest, err := module.Plans[0].Encode(); err != nil || digest == old {
		t.Errorf("another content has the same plan: %s, %v", digest, err)
	}
}

func TestArtifactRefuses(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ expr, want string }{
		{`artifact("missing")`, `There is no file "missing"`},
		{`artifact("../x")`, "not a path inside the module's folder"},
		{`artifact("link")`, "leads out of the module's folder"},
		{`artifact(var.name)`, "can depend on no variable"},
		{`artifact("folder")`, "takes a file of another step"},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		src := "variable \"name\" {}\npipeline \"p\" {\n  step \"archive_extract\" \"a\" { archive = " + tt.expr + " }\n}\n"
		if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		_, diags := Load(t.Context(), dir, Contracts(), Options{})
		var texts []string
		for _, d := range diags {
			texts = append(texts, d.Detail)
		}
		if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(tt.want)) }) {
			t.Errorf("%s: got %q, want %q", tt.expr, texts, tt.want)
		}
	}
}
