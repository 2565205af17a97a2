// Package policy decides whether a resolved step may run on this worker. It is pure. Whoever reaches the Temporal namespace can
// schedule an activity, so the decision is made where the step runs, whoever asked: what is not named is denied.
package policy

import (
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Policy is the `policy` block of worker.hcl. The zero value allows the standard step types with nothing but their safe
// defaults: no bucket, no registry, no network.
type Policy struct {
	// StepTypes are step types outside the contracts, "podman_pod", and attributes that a provider adds to a standard type,
	// "container_run.gpu".
	StepTypes []string
	// Buckets are patterns of bucket names; `*` matches any run of characters.
	Buckets []string
	// Networks are names of networks; "none" is always allowed.
	Networks []string
	// Ports are where pods and services may publish ports.
	Ports []PublishRule
	// Volumes are patterns of names of volumes that containers may mount.
	Volumes []string
	// HostPaths are what containers may mount of the host, see sdk.CheckHostPath: "/srv/data", "/srv/cache:rw".
	HostPaths []string
	// CapAdd are names of capabilities, with or without CAP_.
	CapAdd []string
	// Userns are user namespace modes beside auto, keep-id and nomap: "host".
	Userns []string
	// Seccomp are profiles beside the default: "unconfined", "custom" for any that an author writes, or "sha256:…" for one.
	Seccomp []string
	// SELinux are patterns of label options: "type:container_t".
	SELinux     []string
	Registries  Registries
	Max         Max
	CacheMounts bool
	// PruneAll lets image_prune remove images that image_build did not make.
	PruneAll              bool
	AllowUnenforcedLimits bool

	// Source is where the block stands ("worker.hcl:12"), Rules where each of its rules does, by name ("max.memory"). Refusals
	// name them.
	Source string
	Rules  map[string]string
}

// Registries are patterns of image references, see sdk.MatchReference.
type Registries struct {
	Pull []string // what image_pull and container_run may pull, and image_copy may copy
	Push []string // where image_push and image_copy may write to, and what image_build may name an image
	From []string // what a Containerfile may build on
}

// Max are ceilings. Zero means the contract's default is also the most.
type Max struct {
	Memory    schema.Size
	CPUs      float64
	Pids      int64
	TimeLimit schema.Duration
	Collect   schema.Size
}

// ProviderRules are the rules that only the provider can check, since they show while a step runs.
func (p *Policy) ProviderRules() sdk.Rules {
	return sdk.Rules{
		PullFrom: p.Registries.Pull, BuildFrom: p.Registries.From, CacheMounts: p.CacheMounts, HostPaths: p.HostPaths,
		Source: p.at("registries.from"),
	}
}

// at is where a rule stands, or where it would.
func (p *Policy) at(rule string) string {
	if s := p.Rules[rule]; s != "" {
		return s
	}
	if p.Source != "" {
		return p.Source
	}
	return "the worker's default policy"
}
