// Package doctor looks at the machine of a worker as the worker would: at worker.hcl and the files that it names, the store, the registries,
// the disk, the clock, and each provider instance, whose provider says what it sees. It changes nothing, apart from the fixes that are asked for.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
)

// The groups of findings beside those of the instances, which are called by the instance.
const (
	GroupWorker     = "worker.hcl"
	GroupTemporal   = "temporal"
	GroupStore      = "store"
	GroupRegistries = "registries"
	GroupMachine    = "machine"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Group is what it belongs to: one of the groups above, or an instance, such as "podman.local".
	Group string `json:"group"`
	sdk.Finding

	// Apply carries the remedy out where Fixes do not, and says what it did; nil for none.
	Apply func(context.Context) (did string, err error) `json:"-"`
	// Planned says what Apply would do.
	Planned string `json:"-"`
}

// Failed tells whether something does not work: neither fine, nor a warning.
func (f Finding) Failed() bool { return !f.OK && !f.Warning }

// Names are the names of all findings of this package, in the order in which they are shown.
func Names() []string {
	return []string{
		nameWorker, nameConfig, nameConfigMode, nameSecretMode, nameServe,
		nameStoreNamed, nameStoreOpen, nameStoreWrite, nameStoreCondition, nameStoreClock, nameStoreSpace, nameStoreInodes, nameStoreMode,
		nameRegistry, nameRegistryTLS, nameRegistryCredentials, nameRegistryInsecure, nameRegistryClock,
		nameState, nameDiskSpace, nameDiskInodes,
		host.FindingBinary, host.FindingChecksum, host.FindingVersion, host.FindingProtocol, host.FindingStart, host.FindingConfig,
		host.FindingConfigure, host.FindingCheck,
	}
}

// Options say what to look at.
type Options struct {
	Machine machine.Options
	// Version is that of this program, which those of the providers are compared with; empty does not compare.
	Version string
}

// Report is what was found.
type Report struct {
	// Findings are in the order in which they are shown: worker.hcl, store, registries, machine, then the instances as worker.hcl has them.
	Findings []Finding
	// Machine is what the worker runs by, as far as that could be read. It is never nil.
	Machine *machine.Machine
	// Instances are what the providers say of themselves.
	Instances []host.Diagnosis
}

// maxSkew is how far the clocks of two machines may be apart: signatures of requests to S3 hold for some minutes, leases for less.
const maxSkew = 30 * time.Second

// Look looks at everything. Each part has its own time, and what one part cannot see hides nothing of the others. An error is about a
// folder for this program's own use alone.
func Look(ctx context.Context, o Options) (*Report, error) {
	scratch, err := newScratch()
	if err != nil {
		return nil, err
	}
	defer scratch.remove()
	o.Machine.Scratch = scratch.dir
	m, wrong := machine.Check(ctx, o.Machine)
	r := &Report{Machine: m}
	parts := []func() []Finding{
		func() []Finding { return workerFile(m, wrong) },
		func() []Finding { return store(ctx, m.StoreURL) },
		func() []Finding { return registries(ctx, m.Worker.Registries) },
		func() []Finding { return disk(m.State) },
		func() (found []Finding) { r.Instances, found = instances(ctx, m, scratch.dir, o.Version); return found },
	}
	found := make([][]Finding, len(parts))
	var looks sync.WaitGroup
	for n, look := range parts {
		looks.Go(func() { found[n] = look() })
	}
	looks.Wait()
	r.Findings = slices.Concat(found...)
	elsewhere(r.Findings)
	if m.Path == "" {
		assumed(r.Findings)
	}
	return r, nil
}

// instances looks at the provider instances.
func instances(ctx context.Context, m *machine.Machine, scratch, version string) ([]host.Diagnosis, []Finding) {
	var known []host.Instance
	missing := map[string]sdk.Finding{}
	for _, p := range m.Worker.Providers {
		path, err := m.Binary(p)
		if err != nil {
			missing[p.ID()] = sdk.Finding{
				Name: host.FindingBinary, Detail: err.Error(), Remedy: "install the provider beside cpub-worker, or name it in `path` of its block in worker.hcl",
			}
			continue
		}
		known = append(known, host.Instance{Provider: p.Name, Name: p.Instance, Path: path, SHA256: p.SHA256, Env: p.Env, Secrets: m.Worker.SecretsOf(p)})
	}
	all, err := host.Diagnose(ctx, host.DiagnoseOptions{
		Instances: known, Registries: m.Worker.Registries, Buckets: m.Worker.Policy.Buckets, StateDir: scratch, Version: version,
		Config: func(i host.Instance, info sdk.Info) (json.RawMessage, error) { return decode(m, i.ID(), info) },
	})
	var found []Finding
	if err != nil {
		found = append(found, fault(GroupMachine, nameState, "", err.Error(), "let this user write to "+scratch))
	}
	for _, p := range m.Worker.Providers {
		if f, ok := missing[p.ID()]; ok {
			found = append(found, Finding{Group: p.ID(), Finding: f})
		}
		for _, d := range all {
			for _, f := range d.Findings {
				if d.Instance == p.ID() {
					found = append(found, Finding{Group: p.ID(), Finding: f})
				}
			}
		}
	}
	return all, append(found, served(m.Worker, all)...)
}

// decode reads an instance's config block.
func decode(m *machine.Machine, id string, info sdk.Info) (json.RawMessage, error) {
	for _, p := range m.Worker.Providers {
		if p.ID() == id {
			settings, diags := p.DecodeConfig(info.Config)
			if diags.HasErrors() {
				return nil, &engine.DiagnosticsError{Diags: diags, Files: m.Worker.Files}
			}
			return settings, nil
		}
	}
	return nil, fmt.Errorf("there is no instance %s", id)
}

// elsewhere makes a warning of what one instance of several lacks, and another one has: a policy names buckets, and not in which store they
// are.
func elsewhere(all []Finding) {
	for i, f := range all {
		if f.OK || f.Subject == "" {
			continue
		}
		for _, other := range all {
			if other.OK && other.Name == f.Name && other.Subject == f.Subject && other.Group != f.Group {
				all[i].Warning = true
			}
		}
	}
}

// assumed makes warnings of registries that nobody named: the default allows those that a developer's machine may have.
func assumed(all []Finding) {
	for i, f := range all {
		if f.Group == GroupRegistries && !f.OK {
			all[i].Warning = true
		}
	}
}

func fine(group, name, subject, format string, args ...any) Finding {
	return Finding{Group: group, Finding: sdk.Finding{Name: name, Subject: subject, OK: true, Detail: fmt.Sprintf(format, args...)}}
}

func fault(group, name, subject, detail, remedy string, fixes ...sdk.Fix) Finding {
	return Finding{Group: group, Finding: sdk.Finding{Name: name, Subject: subject, Detail: detail, Remedy: remedy, Fixes: fixes}}
}

func warning(group, name, subject, detail, remedy string, fixes ...sdk.Fix) Finding {
	f := fault(group, name, subject, detail, remedy, fixes...)
	f.Warning = true
	return f
}
