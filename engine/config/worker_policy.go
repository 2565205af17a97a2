package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// policyShape is the `policy` block.
func policyShape() schema.Object {
	list := func(name string) schema.Attr { return schema.Attr{Name: name, Type: cty.List(cty.String)} }
	flag := func(name string) schema.Attr { return schema.Attr{Name: name, Type: cty.Bool} }
	return schema.Object{
		Attrs: []schema.Attr{
			list("step_types"), list("buckets"), list("networks"), list("host_paths"), list("cap_add"), list("userns"),
			list("volumes"), list("ports"), list("seccomp"), list("selinux"),
			flag("cache_mounts"), flag("prune_all"), flag("allow_unenforced_limits"),
		},
		Blocks: []schema.Block{
			{Name: "registries", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{list("pull"), list("push"), list("from")}}},
			{Name: "max", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{
				{Name: "memory", Type: cty.String, Format: schema.FormatSize},
				{Name: "cpus", Type: cty.Number},
				{Name: "pids", Type: cty.Number},
				{Name: "time_limit", Type: cty.String, Format: schema.FormatDuration},
				{Name: "collect", Type: cty.String, Format: schema.FormatSize},
			}}},
		},
	}
}

func readPolicy(b *hclsyntax.Block) (*policy.Policy, hcl.Diagnostics) {
	var raw struct {
		StepTypes  []string             `json:"step_types"`
		Buckets    []string             `json:"buckets"`
		Networks   []string             `json:"networks"`
		HostPaths  []string             `json:"host_paths"`
		CapAdd     []string             `json:"cap_add"`
		Userns     []string             `json:"userns"`
		Volumes    []string             `json:"volumes"`
		Ports      []policy.PublishRule `json:"ports"`
		Seccomp    []string             `json:"seccomp"`
		SELinux    []string             `json:"selinux"`
		Registries struct {
			Pull []string `json:"pull"`
			Push []string `json:"push"`
			From []string `json:"from"`
		} `json:"registries"`
		Max struct {
			Memory    schema.Size     `json:"memory"`
			CPUs      float64         `json:"cpus"`
			Pids      float64         `json:"pids"`
			TimeLimit schema.Duration `json:"time_limit"`
			Collect   schema.Size     `json:"collect"`
		} `json:"max"`
		CacheMounts           bool `json:"cache_mounts"`
		PruneAll              bool `json:"prune_all"`
		AllowUnenforcedLimits bool `json:"allow_unenforced_limits"`
	}
	diags := decodeInto(b, "a policy", policyShape(), &raw)
	diags = append(diags, checkMax(b, raw.Max.CPUs, raw.Max.Pids)...)
	diags = append(diags, checkLists(b, raw.HostPaths, raw.Seccomp)...)
	diags = append(diags, checkPorts(b, raw.Ports)...)
	return &policy.Policy{
		StepTypes: raw.StepTypes, Buckets: raw.Buckets, Networks: raw.Networks, HostPaths: raw.HostPaths, CapAdd: raw.CapAdd, Userns: raw.Userns,
		Volumes: raw.Volumes, Ports: raw.Ports, Seccomp: raw.Seccomp, SELinux: raw.SELinux,
		Registries:  policy.Registries{Pull: raw.Registries.Pull, Push: raw.Registries.Push, From: raw.Registries.From},
		Max:         policy.Max{Memory: raw.Max.Memory, CPUs: raw.Max.CPUs, Pids: int64(raw.Max.Pids), TimeLimit: raw.Max.TimeLimit, Collect: raw.Max.Collect},
		CacheMounts: raw.CacheMounts, PruneAll: raw.PruneAll, AllowUnenforcedLimits: raw.AllowUnenforcedLimits,
		Source: place(b.DefRange()), Rules: rulePlaces(b.Body, ""),
	}, diags
}

func checkMax(b *hclsyntax.Block, cpus, pids float64) (diags hcl.Diagnostics) {
	for _, inner := range b.Body.Blocks {
		if inner.Type != "max" {
			continue
		}
		if set, ok := inner.Body.Attributes["cpus"]; ok && (cpus < 0 || cpus > 100_000) {
			diags = append(diags, wrong(set.Expr.Range(), "Wrong value", `"cpus" takes a number of CPUs, such as 2 or 0.5.`))
		}
		if set, ok := inner.Body.Attributes["pids"]; ok && (pids < 0 || pids > 1<<31 || pids != float64(int64(pids))) {
			diags = append(diags, wrong(set.Expr.Range(), "Wrong value", `"pids" takes a whole number of processes.`))
		}
	}
	return diags
}

// checkLists checks the lists whose elements have a form: a rule that nobody understands would deny without a word.
func checkLists(b *hclsyntax.Block, hostPaths, seccomp []string) (diags hcl.Diagnostics) {
	if set, ok := b.Body.Attributes["host_paths"]; ok {
		for _, p := range hostPaths {
			if err := sdk.ValidHostPath(p); err != nil {
				diags = append(diags, wrong(set.Expr.Range(), "Wrong value", fmt.Sprintf("%q: %s.", p, err)))
			}
		}
	}
	if set, ok := b.Body.Attributes["seccomp"]; ok {
		for _, p := range seccomp {
			if p != "unconfined" && p != "custom" && !(strings.HasPrefix(p, "sha256:") && len(p) == len("sha256:")+64) {
				diags = append(diags, wrong(set.Expr.Range(), "Wrong value", `"seccomp" takes "unconfined", "custom" (any profile of an author's own), or the "sha256:…" of one.`))
			}
		}
	}
	return diags
}

// checkPorts checks the rules about ports that are published.
func checkPorts(b *hclsyntax.Block, rules []policy.PublishRule) (diags hcl.Diagnostics) {
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			diags = append(diags, wrong(b.Body.Attributes["ports"].Expr.Range(), "Wrong value", err.Error()+"."))
		}
	}
	return diags
}

// rulePlaces says where each rule stands, by name: "max.memory" -> "worker.hcl:12".
func rulePlaces(b *hclsyntax.Body, prefix string) map[string]string {
	out := map[string]string{}
	for name, a := range b.Attributes {
		out[prefix+name] = place(a.NameRange)
	}
	for _, inner := range b.Blocks {
		for name, at := range rulePlaces(inner.Body, prefix+inner.Type+".") {
			out[name] = at
		}
	}
	return out
}

func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }
