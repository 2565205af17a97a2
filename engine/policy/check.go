package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Check decides about one step: its type, and its resolved input as JSON. A refusal is an *sdk.Error, permanent, with code
// sdk.CodeDenied, that names the rule and where the policy stands.
func (p *Policy) Check(stepType string, input json.RawMessage) error {
	in := map[string]json.RawMessage{}
	if len(input) > 0 {
		if err := json.Unmarshal(input, &in); err != nil {
			return sdk.Invalidf("", "the input of %s is no JSON object: %w", stepType, err)
		}
	}
	c := check{policy: p, stepType: stepType, in: in}
	if std, ok := contract.Lookup(stepType); ok {
		c.contract = std.Input
		c.extensions()
	} else if !slices.Contains(p.StepTypes, stepType) {
		c.deny("step_types", "the step type %q is outside the standard contracts", stepType)
	}
	c.buckets()
	c.images()
	c.isolation()
	c.mounts()
	c.confinement()
	c.ceilings()
	c.collected()
	c.sidecars()
	c.detached()
	return c.err
}

// check is one decision under way; it keeps the first refusal.
type check struct {
	policy   *Policy
	stepType string
	contract schema.Object
	in       map[string]json.RawMessage
	err      error
}

func (c *check) deny(rule, format string, args ...any) {
	if c.err == nil {
		c.err = &sdk.Error{
			Kind: sdk.KindPermanent, Code: sdk.CodeDenied,
			Err: fmt.Errorf("denied by policy: %w; the rule is policy.%s, %s", fmt.Errorf(format, args...), rule, c.policy.at(rule)),
		}
	}
}

// get reads an attribute into v. False if it is null or left out; one of a wrong type is refused, never passed over.
func (c *check) get(attr string, v any) bool {
	raw, ok := c.in[attr]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		if c.err == nil {
			c.err = sdk.Invalidf(attr, "%s.%s: %w", c.stepType, attr, err)
		}
		return false
	}
	return true
}

// extensions are attributes that the contract does not know, so that nobody looked at what they allow.
func (c *check) extensions() {
	names := make([]string, 0, len(c.in))
	for name, raw := range c.in {
		if string(raw) != "null" && c.contract.Attr(name) == nil && c.contract.Block(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if full := c.stepType + "." + name; !slices.Contains(c.policy.StepTypes, full) {
			c.deny("step_types", "%q is outside the contract of %s; step_types must name %q", name, c.stepType, full)
		}
	}
}

func (c *check) buckets() {
	var bucket string
	if c.get("bucket", &bucket) && !sdk.MatchName(c.policy.Buckets, bucket) {
		c.deny("buckets", "bucket %q is not allowed", bucket)
	}
}

func (c *check) images() {
	switch c.stepType {
	case "image_pull":
		c.reference("reference", "registries.pull", c.policy.Registries.Pull)
	case "image_copy":
		c.reference("source", "registries.pull", c.policy.Registries.Pull)
		c.reference("destination", "registries.push", c.policy.Registries.Push)
	case "image_prune":
		var all bool
		if c.get("all", &all) && all && !c.policy.PruneAll {
			c.deny("prune_all", "images that no image_build made may not be removed")
		}
	case "image_push":
		c.reference("destination", "registries.push", c.policy.Registries.Push)
	case "container_run":
		// A located image came into the store by a step that was checked itself.
		if raw := strings.TrimSpace(string(c.in["image"])); strings.HasPrefix(raw, `"`) {
			c.reference("image", "registries.pull", c.policy.Registries.Pull)
		}
	case "image_build":
		// A name with a host is what others pull or run by that name: whoever may not push there may not take it.
		var tags []string
		c.get("tags", &tags)
		for _, tag := range tags {
			if sdk.HasHost(tag) && !strings.HasPrefix(tag, "localhost/") && !sdk.MatchReference(c.policy.Registries.Push, tag) {
				c.deny("registries.push", "an image may not be named %q", tag)
			}
		}
	}
}

func (c *check) reference(attr, rule string, patterns []string) {
	var ref string
	if !c.get(attr, &ref) || sdk.MatchReference(patterns, ref) {
		return
	}
	if !sdk.HasHost(ref) {
		c.deny(rule, "%s %q names no registry, so that nobody can say what it is; write HOST/NAME:TAG", attr, ref)
		return
	}
	c.deny(rule, "%s %q is not allowed", attr, ref)
}

func (c *check) isolation() {
	var network string
	if c.get("network", &network) && network != "none" && !slices.Contains(c.policy.Networks, network) {
		c.deny("networks", "network %q is not allowed", network)
	}
	var caps []string
	c.get("cap_add", &caps)
	for _, name := range caps {
		if !slices.ContainsFunc(c.policy.CapAdd, func(a string) bool { return capability(a) == capability(name) }) {
			c.deny("cap_add", "capability %s is not allowed", capability(name))
		}
	}
	var userns string
	if c.get("userns", &userns) && !slices.Contains([]string{"auto", "keep-id", "nomap"}, userns) &&
		!slices.Contains(c.policy.Userns, userns) {
		c.deny("userns", "user namespace %q is not allowed", userns)
	}
	var unenforced bool
	if c.get("allow_unenforced_limits", &unenforced) && unenforced && !c.policy.AllowUnenforcedLimits {
		c.deny("allow_unenforced_limits", "limits that are not enforced are not allowed")
	}
}

// capability is a capability's name in one form: CAP_NET_ADMIN.
func capability(name string) string {
	return "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
}
