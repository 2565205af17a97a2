// Package sdk is what the author of a provider sees. A provider is a process of its own that carries out steps: it
// describes itself (Info), is configured once by its host, and then runs steps, many at once.
//
// A provider's main is one line, serve.Main(provider). Nothing here knows Temporal, gRPC or HCL.
package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/containerpub/cpub/sdk/schema"
)

// Provider is what a plugin serves.
//
// Lifecycle: Info may be called at any time, also before Configure, and must not depend on the machine. Configure is called
// once, before any step runs. Steps then run concurrently until the process is told to end: by the end of its host at the
// latest. Further abilities are the small interfaces Checker, Releaser, Sweeper, Lister, Pruner and Sheller.
type Provider interface {
	// Info describes the provider. It always returns the same.
	Info() Info
	// Configure takes this instance's configuration. The location names the place where the located values of this instance
	// exist (a Podman store, say); it is empty for a provider without any.
	Configure(ctx context.Context, c Configuration) (location string, err error)
}

// Info is a provider's description of itself.
type Info struct {
	// Name is a lower-case identifier, such as "podman"; the binary is cpub-provider-<Name>.
	Name    string
	Version string
	// Config is the schema of the `config` block in worker.hcl.
	Config schema.Object
	// Steps are the step types served, in the order in which docs show them.
	Steps []StepType
}

// StepType is one kind of step that a provider can carry out.
type StepType struct {
	// Name is a lower-case identifier, such as "container_run". Types of sdk/contract must keep to their contract.
	Name   string
	Doc    string
	Input  schema.Object
	Output schema.Object
	// Pure tells that the outputs depend on the input and the instance's configuration alone, and that nothing else is left behind. A host
	// may then answer a repeated input with the outputs that it kept, once it has verified that their artifacts are at hand and have
	// their digests; an output called cached is then true.
	Pure bool
	// Run carries out one attempt of one step. It returns the outputs, as a value whose JSON has the shape of Output
	// (artifacts as *Artifact made by File and Directory), or an error: see Error for the kinds.
	//
	// An attempt may follow one that was lost (the process died, so that nobody knows how far it came). Run then finds
	// what carries the request's key and goes on with it, rather than starting twice. When ctx ends, context.Cause tells
	// whether the step is cancelled (stop the work and remove it) or only ErrDetached (leave it: another attempt will adopt it).
	Run func(ctx context.Context, req *Request) (outputs any, err error)
}

// Configuration is what Configure gets.
type Configuration struct {
	// Instance is the instance's name in worker.hcl, such as "local".
	Instance string
	// Config is JSON with the shape of Info.Config; attributes that were left out are null or missing.
	Config json.RawMessage
	// Secrets are what worker.hcl grants this instance. They stay in the provider's process with what serves the provider, which puts them into the
	// inputs of steps: the provider's own Configure gets none.
	Secrets []Secret
	// Registries are the registries that worker.hcl knows, in its order, with their credentials.
	Registries []Registry
	// Buckets are the patterns of buckets that the policy in worker.hcl allows: a `*` stands for any run of characters. They are here for Check;
	// what a step names is checked by the host.
	Buckets []string
	// StateDir is a private folder (0700) of this instance that outlives the process.
	StateDir string
}

// Decode reads the configuration into a struct.
func (c Configuration) Decode(v any) error {
	if len(c.Config) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Config, v); err != nil {
		return fmt.Errorf("reading the provider's configuration: %w", err)
	}
	return nil
}

// Secret is a secret as it is granted.
type Secret struct {
	Name  string
	Value string
	// StepTypes are those that may use it; empty: all.
	StepTypes []string
}

// For tells whether steps of that type may use it.
func (s Secret) For(stepType string) bool {
	return len(s.StepTypes) == 0 || slices.Contains(s.StepTypes, stepType)
}

// Registry is how to reach one OCI registry.
type Registry struct {
	Host     string `json:"host"`               // host[:port]
	Insecure bool   `json:"insecure,omitempty"` // plain HTTP, or a certificate that is not checked
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	CA       string `json:"ca,omitempty"` // PEM certificates
}

// Checker is a provider that can say what is wrong with its surroundings.
type Checker interface {
	// Check looks, changes nothing, and returns a finding for everything it looked at. It works before any step ran, and
	// also when Configure failed.
	Check(ctx context.Context) ([]Finding, error)
}

// Finding is one thing that Check looked at.
type Finding struct {
	// Name is a stable identifier, such as "podman_subuids".
	Name string `json:"name"`
	// Subject says which of several things of that name it is, such as a registry's host; empty where there is one only.
	Subject string `json:"subject,omitempty"`
	OK      bool   `json:"ok"`
	// Warning, where OK is false, tells that steps run all the same, though slower, or with less protection, or not all of them.
	Warning bool   `json:"warning,omitempty"`
	Detail  string `json:"detail"`           // what was seen
	Remedy  string `json:"remedy,omitempty"` // what to do about it; empty when OK
	// Fixes would carry the remedy out, in this order. Check itself changes nothing: whoever asked for it may apply them, on the machine
	// that the provider runs on.
	Fixes []Fix `json:"fixes,omitempty"`
}

// Fix is a change to one file or folder that destroys nothing.
type Fix struct {
	Kind FixKind `json:"kind"`
	Path string  `json:"path"` // absolute
	// Mode is the permissions that the path gets, of FixMode and FixFolder.
	Mode uint32 `json:"mode,omitempty"`
	// Line is what FixLine adds at the file's end, without a line break.
	Line string `json:"line,omitempty"`
}

// FixKind says what a Fix does. One that is not known is not applied.
type FixKind string

// The kinds of fixes.
const (
	FixFolder FixKind = "folder" // make the folder, and those above it
	FixMode   FixKind = "mode"   // take permissions away, down to Mode
	FixLine   FixKind = "line"   // add a line to a text file, unless it is there
)

// Releaser is a provider whose successful steps leave something behind until their run ends.
type Releaser interface {
	// Release removes what the keys kept. Unknown keys are no error; calls may repeat.
	Release(ctx context.Context, keys []string) error
}

// Sweeper is a provider that can find what its steps left behind.
type Sweeper interface {
	// Sweep removes what belongs to none of the live runs (workflow id and first run id joined by "/") and is older than
	// the grace. It returns how many things it removed.
	Sweep(ctx context.Context, s Sweep) (removed int, err error)
}

// Sweep says what is still alive.
type Sweep struct {
	LiveRuns []string
	// Grace is the age that something must have to be removed, so that what was just made for a new run stays.
	Grace schema.Duration
}

// Validate reports what is wrong with the description itself.
func (i Info) Validate() error {
	if err := i.Config.Validate(); err != nil {
		return fmt.Errorf("provider %s: config: %w", i.Name, err)
	}
	seen := map[string]bool{}
	for _, s := range i.Steps {
		if seen[s.Name] {
			return fmt.Errorf("provider %s: step type %s is declared twice", i.Name, s.Name)
		}
		seen[s.Name] = true
		if err := s.Input.Validate(); err != nil {
			return fmt.Errorf("provider %s: step type %s: input: %w", i.Name, s.Name, err)
		}
		if err := s.Output.Validate(); err != nil {
			return fmt.Errorf("provider %s: step type %s: output: %w", i.Name, s.Name, err)
		}
	}
	return nil
}

// Step returns the step type of that name, or nil.
func (i Info) Step(name string) *StepType {
	for n := range i.Steps {
		if i.Steps[n].Name == name {
			return &i.Steps[n]
		}
	}
	return nil
}
