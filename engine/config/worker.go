package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Worker is worker.hcl as data.
type Worker struct {
	// Temporal is nil when the file leaves it to the environment.
	Temporal *Temporal
	// StoreURL names the store; empty when the file leaves it to CPUB_STORE.
	StoreURL string
	// Providers are the instances, in declared order: without Serve, the first one that offers a step type serves it.
	Providers []Provider
	// Serve says which instance serves a step type, in declared order.
	Serve []Serve
	// Registries are in declared order, their secrets read from the files that worker.hcl names.
	Registries []sdk.Registry
	// Secrets are in declared order, read from the files that worker.hcl names.
	Secrets []Secret
	// Policy is never nil: without a block it is the zero policy, which denies.
	Policy *policy.Policy
	// MetricsListen is the address of the Prometheus endpoint, or empty.
	MetricsListen string
	// Reads are the files that worker.hcl names and that were read, in declared order.
	Reads []WorkerRead
	// Files is the parsed file, for snippets.
	Files map[string]*hcl.File
}

// WorkerRead is a file that worker.hcl names.
type WorkerRead struct {
	Path string
	// Secret tells that nobody but the worker is meant to read it.
	Secret bool
	// Range is where it is named.
	Range hcl.Range
}

// Temporal is where the Temporal server is. Empty fields are left to the environment.
type Temporal struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace"`
}

// Provider is one instance of a provider.
type Provider struct {
	// Name is the provider's, such as "podman", Instance the instance's, such as "local".
	Name     string
	Instance string
	// Path is the binary; when it is empty the worker looks for cpub-provider-NAME beside itself.
	Path string
	// SHA256 is what the binary must have, in hex; empty for any.
	SHA256 string
	// MaxConcurrent is how many steps run at once; zero leaves it to the worker.
	MaxConcurrent int
	// Env is the environment of the process: nothing else of the worker's reaches it.
	Env map[string]string
	// Range is where the block stands.
	Range hcl.Range

	config *hclsyntax.Body
}

// ID is the instance as pipelines name it, such as "podman.local".
func (p Provider) ID() string { return p.Name + "." + p.Instance }

// Serve says that an instance serves a step type.
type Serve struct {
	StepType string
	// Instance is the instance's ID, such as "podman.builder".
	Instance string
	Range    hcl.Range
}

// LoadWorker reads worker.hcl. What is wrong in it is an *engine.DiagnosticsError.
func LoadWorker(path string) (*Worker, error) {
	content, err := readSource(path)
	if err != nil {
		return nil, &engine.DiagnosticsError{Diags: failed(err)}
	}
	return ParseWorker(filepath.Base(path), content)
}

// CheckWorker is LoadWorker for those who go on with what could be read, whatever is wrong with the rest. It never gives nil.
func CheckWorker(path string) (*Worker, hcl.Diagnostics) {
	content, err := readSource(path)
	if err != nil {
		return &Worker{Policy: &policy.Policy{}}, failed(err)
	}
	return parseWorker(filepath.Base(path), content, os.ReadFile)
}

// ParseWorker is LoadWorker for a text that goes by that name.
func ParseWorker(name string, content []byte) (*Worker, error) {
	w, diags := parseWorker(name, content, os.ReadFile)
	if diags.HasErrors() {
		return nil, &engine.DiagnosticsError{Diags: diags, Files: w.Files}
	}
	return w, nil
}

// parseWorker gives what could be read, and what is wrong with it.
func parseWorker(name string, content []byte, readFile func(string) ([]byte, error)) (*Worker, hcl.Diagnostics) {
	w := &Worker{Policy: &policy.Policy{}, Files: map[string]*hcl.File{}}
	body, file, diags := eval.ParseFile(eval.File{Path: name, Content: content})
	w.Files[name] = file
	if body == nil || diags.HasErrors() {
		return w, diags
	}
	diags = append(diags, eval.CheckContent(body, "the worker's file", nil,
		[]string{"temporal", "store", "provider", "serve", "registry", "secret", "policy", "metrics"}, []string{"seal"})...)
	r := workerReader{w: w, readFile: readFile}
	seen := map[string]hcl.Range{}
	for _, b := range body.Blocks {
		diags = append(diags, r.block(b, seen)...)
	}
	return w, eval.Sort(append(diags, w.checkInstances()...))
}

type workerReader struct {
	w        *Worker
	readFile func(string) ([]byte, error)
}

func (r workerReader) block(b *hclsyntax.Block, seen map[string]hcl.Range) hcl.Diagnostics {
	switch b.Type {
	case "temporal", "store", "metrics", "policy":
		if diags := append(wantLabels(b), once(b, b.Type, seen)...); diags.HasErrors() {
			return diags
		}
		return r.single(b)
	case "provider":
		if diags := wantLabels(b, "NAME", "INSTANCE"); diags.HasErrors() {
			return diags
		}
		return append(once(b, "provider "+b.Labels[0]+"."+b.Labels[1], seen), r.provider(b)...)
	case "serve":
		if diags := wantLabels(b, "STEP_TYPE"); diags.HasErrors() {
			return diags
		}
		return append(once(b, "serve "+b.Labels[0], seen), r.serve(b)...)
	case "registry":
		if diags := wantLabels(b, "HOST[:PORT]"); diags.HasErrors() {
			return diags
		}
		return append(once(b, "registry "+b.Labels[0], seen), r.registry(b)...)
	case "secret":
		if diags := wantLabels(b, "NAME"); diags.HasErrors() {
			return diags
		}
		return append(once(b, "secret "+b.Labels[0], seen), r.secret(b)...)
	default:
		return nil
	}
}

func (r workerReader) single(b *hclsyntax.Block) hcl.Diagnostics {
	switch b.Type {
	case "temporal":
		r.w.Temporal = &Temporal{}
		return decodeInto(b, "a temporal block", schema.Object{Attrs: []schema.Attr{text("address"), text("namespace")}}, r.w.Temporal)
	case "store":
		var store struct {
			URL string `json:"url"`
		}
		diags := decodeInto(b, "a store block", schema.Object{Attrs: []schema.Attr{required(text("url"))}}, &store)
		r.w.StoreURL = store.URL
		return diags
	case "metrics":
		var metrics struct {
			Listen string `json:"listen"`
		}
		diags := decodeInto(b, "a metrics block", schema.Object{Attrs: []schema.Attr{required(text("listen"))}}, &metrics)
		r.w.MetricsListen = metrics.Listen
		return diags
	default:
		p, diags := readPolicy(b)
		r.w.Policy = p
		return diags
	}
}

// decodeInto evaluates a block against a schema and reads it into a struct with JSON tags. References and files have no meaning there.
func decodeInto(b *hclsyntax.Block, what string, shape schema.Object, into any) hcl.Diagnostics {
	v, diags := eval.Constants().Decode(b.Body, shape, what, b.DefRange())
	if diags.HasErrors() {
		return diags
	}
	data, err := eval.JSON(eval.Plain(v))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return append(diags, wrong(b.DefRange(), "Wrong value", fmt.Sprintf("%s cannot be read: %s.", what, err)))
	}
	return diags
}

func text(name string) schema.Attr { return schema.Attr{Name: name, Type: ctyString} }

func required(a schema.Attr) schema.Attr {
	a.Required = true
	return a
}

func wrong(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at.Ptr()}
}

func wantLabels(b *hclsyntax.Block, want ...string) hcl.Diagnostics {
	if len(b.Labels) == len(want) && !slices.Contains(b.Labels, "") {
		return nil
	}
	form := b.Type
	for _, w := range want {
		form += ` "` + w + `"`
	}
	return hcl.Diagnostics{wrong(b.DefRange(), "Wrong labels", fmt.Sprintf("It is written `%s { … }`.", form))}
}

func once(b *hclsyntax.Block, name string, seen map[string]hcl.Range) hcl.Diagnostics {
	first, again := seen[name]
	if !again {
		seen[name] = b.DefRange()
		return nil
	}
	return hcl.Diagnostics{wrong(b.DefRange(), "Repeated block", fmt.Sprintf("There is %s already, on line %d.", name, first.Start.Line))}
}
