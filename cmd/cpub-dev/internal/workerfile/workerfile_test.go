package workerfile

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func settings() Settings {
	return Settings{
		Temporal: "127.0.0.1:7233", Namespace: "default", Store: "file:///state/store?create_dir=1",
		Providers: `/opt/a "b" ${c}`,
		PodmanEnv: []string{"PATH=/bin:/usr/bin", "HOME=/root"},
		S3:        "http://127.0.0.1:9000", Region: "us-east-1", AccessKey: "K", SecretKey: "S",
		Registry: "localhost:5000",
	}
}

// write writes the file and returns its text.
func write(t *testing.T, dir string, s Settings) (string, bool) {
	t.Helper()
	path, kept, err := Write(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), kept
}

func TestFileIsHCLAndPrivate(t *testing.T) {
	dir := t.TempDir()
	content, _ := write(t, dir, settings())
	file, diags := hclsyntax.ParseConfig([]byte(content), "worker.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, content)
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("the body is a %T", file.Body)
	}
	for _, block := range body.Blocks {
		if block.Type != "provider" || block.Labels[0] != "archive" {
			continue
		}
		path, diags := block.Body.Attributes["path"].Expr.Value(nil)
		if want := `/opt/a "b" ${c}/cpub-provider-archive`; diags.HasErrors() || path.AsString() != want {
			t.Errorf("path = %#v, want %q", path, want)
		}
	}
	if want := "  env = {\n    PATH = \"/bin:/usr/bin\"\n    HOME = \"/root\"\n  }\n"; !strings.Contains(content, want) {
		t.Errorf("the file does not have\n%s:\n%s", want, content)
	}
	info, err := os.Stat(dir + "/worker.hcl")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestServicesThatDoNotRunAreLeftOut(t *testing.T) {
	s := settings()
	s.S3, s.Registry = "", ""
	content, _ := write(t, t.TempDir(), s)
	for _, unwanted := range []string{`provider "s3"`, "registry \"", `"*"`, `/*"`} {
		if strings.Contains(content, unwanted) {
			t.Errorf("the file has %s:\n%s", unwanted, content)
		}
	}
	if _, diags := hclsyntax.ParseConfig([]byte(content), "worker.hcl", hcl.InitialPos); diags.HasErrors() {
		t.Error(diags)
	}
}

func TestChangedFileIsKept(t *testing.T) {
	dir := t.TempDir()
	first, _ := write(t, dir, settings())

	moved := settings()
	moved.Registry = "localhost:5001"
	second, kept := write(t, dir, moved)
	if kept || first == second || !strings.Contains(second, "localhost:5001") {
		t.Errorf("a file that nobody changed was not written again (kept %v):\n%s", kept, second)
	}

	mine := second + "# mine\n"
	if err := os.WriteFile(dir+"/worker.hcl", []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, kept := write(t, dir, settings()); !kept || third != mine {
		t.Errorf("a changed file was not kept (kept %v):\n%s", kept, third)
	}

	if err := os.Remove(dir + "/worker.hcl"); err != nil {
		t.Fatal(err)
	}
	if fourth, kept := write(t, dir, settings()); kept || fourth != first {
		t.Errorf("a removed file was not written again (kept %v):\n%s", kept, fourth)
	}
}
