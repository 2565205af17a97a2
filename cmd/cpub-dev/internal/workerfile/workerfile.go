// Package workerfile writes the worker.hcl of cpub-dev's worker, and leaves it
// alone once a person has changed it.
package workerfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Settings is what the file says. A service without an address is left out.
type Settings struct {
	Temporal  string // host:port
	Namespace string
	Store     string // URL
	Providers string // the folder with the providers' binaries, absolute

	// PodmanEnv is the environment of the Podman provider, as NAME=VALUE: what
	// it takes to find the user's Podman. No other provider has any.
	PodmanEnv []string

	S3        string // URL
	Region    string
	AccessKey string
	SecretKey string
	Registry  string // host:port
}

// text is the file: the providers of this project, and a policy that allows
// this stack's own buckets and registry, and nothing else.
const text = `# Written by cpub-dev, for its own worker, at every start. Once you change this
# file it is yours, and is left as it is; remove it to have it written again.

temporal {
  address   = {{quote .Temporal}}
  namespace = {{quote .Namespace}}
}
store { url = {{quote .Store}} }

provider "archive" "local" {
  path = {{provider "archive"}}
}
provider "podman" "local" {
  path = {{provider "podman"}}
{{- with .PodmanEnv}}
  env = {
{{- range .}}
    {{name .}} = {{value .}}
{{- end}}
  }
{{- end}}
}
{{- with .S3}}
provider "s3" "local" {
  path = {{provider "s3"}}
  config {
    endpoint          = {{quote .}}
    region            = {{quote $.Region}}
    path_style        = true
    access_key_id     = {{quote $.AccessKey}}
    secret_access_key = {{quote $.SecretKey}}
  }
}
{{- end}}
{{- with .Registry}}

registry {{quote .}} { insecure = true }
{{- end}}

policy {
  buckets  = [{{with .S3}}"*"{{end}}]
  networks = ["none"]
  registries {
    pull = [{{with .Registry}}{{images .}}{{end}}]
    push = [{{with .Registry}}{{images .}}{{end}}]
    from = [{{with .Registry}}{{images .}}{{end}}]
  }
  max {
    memory     = "1GiB"
    cpus       = 2
    pids       = 1024
    time_limit = "10m"
  }
}
`

// Write writes the file into dir, readable by its owner since it holds a
// secret, and returns its path. A file that somebody else has changed since is
// kept; kept tells.
func Write(dir string, s Settings) (path string, kept bool, err error) {
	path = filepath.Join(dir, "worker.hcl")
	sum := filepath.Join(dir, ".worker.hcl.sum") // of what was written last
	if kept, err = changed(path, sum); kept || err != nil {
		return path, kept, err
	}
	content, err := render(s)
	if err != nil {
		return path, false, err
	}
	// The sum comes first: an interruption between the two leaves the file
	// to be taken for a changed one, never a changed one overwritten.
	if err := replace(sum, []byte(digest(content))); err != nil {
		return path, false, err
	}
	return path, false, replace(path, content)
}

// changed reports whether there is a file that is not what was written last.
func changed(path, sum string) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the worker's configuration: %w", err)
	}
	written, err := os.ReadFile(sum)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading the worker's configuration: %w", err)
	}
	return strings.TrimSpace(string(written)) != digest(content), nil
}

// render fills in the text.
func render(s Settings) ([]byte, error) {
	functions := template.FuncMap{
		"quote":    quote,
		"name":     func(variable string) string { name, _, _ := strings.Cut(variable, "="); return name },
		"value":    func(variable string) string { _, value, _ := strings.Cut(variable, "="); return quote(value) },
		"images":   func(registry string) string { return quote(registry + "/*") },
		"provider": func(name string) string { return quote(filepath.Join(s.Providers, "cpub-provider-"+name)) },
	}
	parsed, err := template.New("worker.hcl").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("writing the worker's configuration: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, s); err != nil {
		return nil, fmt.Errorf("writing the worker's configuration: %w", err)
	}
	return out.Bytes(), nil
}

// quote writes a string as HCL reads it.
func quote(s string) string { return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes()) }

// digest is how two contents are compared.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// replace writes a file whole or not at all.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("writing the worker's configuration: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the worker's configuration: %w", err)
	}
	return nil
}
