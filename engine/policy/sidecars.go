package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// use is what a container may take of a machine.
type use struct {
	memory schema.Size // with its swap
	cpus   float64
	pids   int64
}

// sidecars checks the containers beside the step's own: the image and the limits of each as its, and what all of them take together, since the
// ceilings are about what one step may take of a machine.
func (c *check) sidecars() {
	var blocks map[string]map[string]json.RawMessage
	block := c.contract.Block("sidecar")
	if block == nil || !c.get("sidecar", &blocks) || len(blocks) == 0 {
		return
	}
	all := c.use()
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		one := check{policy: c.policy, stepType: c.stepType, contract: block.Object, in: blocks[name]}
		one.foreign()
		if raw := strings.TrimSpace(string(one.in["image"])); strings.HasPrefix(raw, `"`) {
			one.reference("image", "registries.pull", c.policy.Registries.Pull)
		}
		one.sizes()
		one.numbers()
		one.patience(c.defaultDuration("time_limit"))
		if one.err != nil && c.err == nil {
			c.err = ofSidecar(name, one.err)
		}
		u := one.use()
		all.memory, all.cpus, all.pids = all.memory+u.memory, all.cpus+u.cpus, all.pids+u.pids
	}
	c.together(all)
}

// together checks what the containers of a step take.
func (c *check) together(all use) {
	if most := orDefault(c.policy.Max.Memory, c.defaultSize("memory")); all.memory > most {
		c.deny("max.memory", "memory of %s, with that of the sidecars, is more than %s", all.memory, most)
	}
	// Tenths and the like do not add up exactly.
	if most := orDefault(c.policy.Max.CPUs, c.defaultNumber("cpus")); all.cpus > most*1.0001 {
		c.deny("max.cpus", "%.4g CPUs, with those of the sidecars, are more than %v", all.cpus, most)
	}
	if most := orDefault(c.policy.Max.Pids, int64(c.defaultNumber("pids"))); all.pids > most {
		c.deny("max.pids", "%d processes, with those of the sidecars, are more than %d", all.pids, most)
	}
}

// use is what the container of the input may take.
func (c *check) use() use {
	u := use{memory: c.defaultSize("memory"), cpus: c.defaultNumber("cpus"), pids: int64(c.defaultNumber("pids"))}
	c.get("memory", &u.memory)
	c.get("cpus", &u.cpus)
	c.get("pids", &u.pids)
	if swap := schema.Size(0); c.get("memory_swap", &swap) {
		u.memory = max(u.memory, swap)
	}
	return u
}

// patience checks how long a sidecar may take to be ready: that time comes before the step's own time limit.
func (c *check) patience(def schema.Duration) {
	var health struct {
		Interval    *schema.Duration `json:"interval"`
		Timeout     *schema.Duration `json:"timeout"`
		Retries     *int64           `json:"retries"`
		StartPeriod *schema.Duration `json:"start_period"`
	}
	if !c.get("healthcheck", &health) {
		return
	}
	value := func(d *schema.Duration, def time.Duration) time.Duration {
		if d == nil {
			return def
		}
		return d.Std()
	}
	retries := int64(3)
	if health.Retries != nil {
		retries = *health.Retries
	}
	each := value(health.Interval, time.Second) + value(health.Timeout, 5*time.Second)
	// The defaults of a healthcheck fit into the default of the policy.
	most := max(orDefault(c.policy.Max.TimeLimit, def).Std(), 18*time.Second)
	start := value(health.StartPeriod, 0)
	if retries < 1 || each <= 0 || start < 0 {
		c.invalid("healthcheck", "retries, interval and timeout must be more than nothing")
		return
	}
	if start > most || retries > int64((most-start)/each) {
		c.deny("max.time_limit", "it may take longer than %s to be ready: its start_period, and %d times its interval and timeout", most, retries)
	}
}

// foreign are attributes that the contract's block does not know.
func (c *check) foreign() {
	for _, name := range slices.Sorted(maps.Keys(c.in)) {
		known := c.contract.Attr(name) != nil || c.contract.Block(name) != nil
		if full := c.stepType + ".sidecar." + name; !known && string(c.in[name]) != "null" && !slices.Contains(c.policy.StepTypes, full) {
			c.deny("step_types", "%q is outside the contract of a sidecar; step_types must name %q", name, full)
		}
	}
}

// ofSidecar says of a refusal that it is about a sidecar.
func ofSidecar(name string, err error) error {
	var e *sdk.Error
	if !errors.As(err, &e) {
		return err
	}
	about := *e
	about.Err = fmt.Errorf("sidecar %q: %w", name, e.Err)
	if e.Kind == sdk.KindInvalid {
		about.Attr = "sidecar." + name + "." + e.Attr
	}
	return &about
}
