package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Machine is a developer's own machine, as a worker.hcl for it has it: the worker without a worker.hcl runs by such a file, and so does
// the worker of cpub-dev. Its policy allows what is on the machine, and nothing beyond: no network, no folder of the host, no
// capability.
type Machine struct {
	// Temporal is nil where the environment and the profile say it.
	Temporal *Temporal
	StoreURL string
	// Providers each get one instance, "local", in this order.
	Providers []MachineProvider
	// S3 is the gateway on this machine, whose buckets may all be used; nil for none, and then no bucket may be.
	S3 *MachineS3
	// Registries are those on this machine, HOST:PORT, which speak plain HTTP. They may be pulled from, pushed to and built on.
	Registries []string
}

// MachineProvider is a provider's binary on the machine.
type MachineProvider struct {
	Name string
	Path string
	// Env is the environment of the process, as NAME=VALUE.
	Env []string
	// StepTypes are those outside the standard contracts that the policy shall allow.
	StepTypes []string
}

// MachineS3 is an S3 gateway, and the account that the worker has there.
type MachineS3 struct {
	Endpoint, Region, AccessKey, SecretKey string
}

const machineText = `{{with .Temporal -}}
temporal {
  address   = {{quote .Address}}
  namespace = {{quote .Namespace}}
}
{{end -}}
store { url = {{quote .StoreURL}} }
{{range .Providers}}
provider {{quote .Name}} "local" {
  path = {{quote .Path}}
{{- with .Env}}
  env = {
{{- range .}}
    {{name .}} = {{value .}}
{{- end}}
  }
{{- end}}
{{- if and (not $.S3) (eq .Name "s3")}}
  config { region = "us-east-1" }
{{- end}}
{{- if and $.S3 (eq .Name "s3")}}
  config {
    endpoint          = {{quote $.S3.Endpoint}}
    region            = {{quote $.S3.Region}}
    path_style        = true
    access_key_id     = {{quote $.S3.AccessKey}}
    secret_access_key = {{quote $.S3.SecretKey}}
  }
{{- end}}
}
{{- end}}
{{range .Registries}}
registry {{quote .}} { insecure = true }
{{- end}}

# What is on this machine may be used, and nothing else.
policy {
  step_types = [{{list .StepTypes}}]
  buckets    = [{{if .S3}}"*"{{end}}]
  networks   = ["none"]
  registries {
    pull = [{{list .Local}}]
    push = [{{list .Images}}]
    from = [{{list .Local}}]
  }
  max {
    memory     = "1GiB"
    cpus       = 2
    pids       = 1024
    time_limit = "10m"
  }
}
`

// StepTypes are those of all providers.
func (m Machine) StepTypes() (all []string) {
	for _, p := range m.Providers {
		all = append(all, p.StepTypes...)
	}
	return all
}

// Images are patterns of the images in the machine's registries.
func (m Machine) Images() (patterns []string) {
	for _, host := range m.Registries {
		patterns = append(patterns, host+"/*")
	}
	return patterns
}

// Local are patterns of the images that the machine has: those, and what Podman's own store calls localhost/NAME.
func (m Machine) Local() []string { return append([]string{"localhost/*"}, m.Images()...) }

// WorkerFile is the text of worker.hcl. It may hold the keys of the S3 gateway.
func (m Machine) WorkerFile() ([]byte, error) {
	functions := template.FuncMap{
		"quote": quote,
		"name":  func(variable string) string { name, _, _ := strings.Cut(variable, "="); return name },
		"value": func(variable string) string { _, value, _ := strings.Cut(variable, "="); return quote(value) },
		"list": func(values []string) string {
			quoted := make([]string, len(values))
			for i, v := range values {
				quoted[i] = quote(v)
			}
			return strings.Join(quoted, ", ")
		},
	}
	parsed, err := template.New("worker.hcl").Funcs(functions).Parse(machineText)
	if err != nil {
		return nil, fmt.Errorf("writing the worker's configuration: %w", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, m); err != nil {
		return nil, fmt.Errorf("writing the worker's configuration: %w", err)
	}
	return out.Bytes(), nil
}

// quote writes a string as HCL reads it.
func quote(s string) string { return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes()) }

// StateDir is the user's folder for what ContainerPub keeps on this machine, as XDG has it.
func StateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "cpub"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errors.New("this user has no home folder, and XDG_STATE_HOME names none")
	}
	return filepath.Join(home, ".local", "state", "cpub"), nil
}

// DefaultStoreDir is the folder of the store of a worker without a worker.hcl, and of cpub without CPUB_STORE on the same machine.
func DefaultStoreDir() (string, error) {
	dir, err := StateDir()
	if err != nil {
		return "", fmt.Errorf("no store: %w; set CPUB_STORE", err)
	}
	return filepath.Join(dir, "store"), nil
}

// FileStoreURL is the URL of a store in a folder. Its temporary files lie beside the final ones, because a rename does not cross file
// systems.
func FileStoreURL(dir string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(dir), RawQuery: "create_dir=1&no_tmp_dir=1"}
	return u.String()
}
