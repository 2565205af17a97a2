package policy

import (
	"encoding/json"
	"strconv"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// ceilings checks the limits of steps that run an uploader's code: those whose contract has a memory limit.
func (c *check) ceilings() {
	if c.contract.Attr("memory") == nil {
		return
	}
	c.sizes()
	c.numbers()
	def := c.defaultDuration("time_limit")
	limit := def
	if c.get("time_limit", &limit) && limit <= 0 {
		c.invalid("time_limit", "a time limit of zero would mean none")
	}
	if most := orDefault(c.policy.Max.TimeLimit, def); limit > most {
		c.deny("max.time_limit", "a time limit of %s is more than %s", limit, most)
	}
}

func (c *check) sizes() {
	def := c.defaultSize("memory")
	most := orDefault(c.policy.Max.Memory, def)
	memory := def
	if c.get("memory", &memory) && memory <= 0 {
		c.invalid("memory", "memory of zero would mean no limit")
	}
	if memory > most {
		c.deny("max.memory", "memory of %s is more than %s", memory, most)
	}
	var swap schema.Size
	if c.get("memory_swap", &swap) {
		if swap < memory {
			c.invalid("memory_swap", "memory and swap together cannot be less than memory: %s is less than %s", swap, memory)
		}
		if swap > most {
			c.deny("max.memory", "memory and swap of %s together are more than %s", swap, most)
		}
	}
}

func (c *check) numbers() {
	def := c.defaultNumber("cpus")
	cpus, most := def, orDefault(c.policy.Max.CPUs, def)
	if c.get("cpus", &cpus) && cpus <= 0 {
		c.invalid("cpus", "cpus must be more than zero, which would mean no limit")
	}
	if cpus > most {
		c.deny("max.cpus", "%v CPUs are more than %v", cpus, most)
	}
	if c.contract.Attr("pids") == nil {
		return
	}
	defPids := int64(c.defaultNumber("pids"))
	pids, mostPids := defPids, orDefault(c.policy.Max.Pids, defPids)
	if c.get("pids", &pids) && pids <= 0 {
		c.invalid("pids", "pids must be more than zero, which would mean no limit")
	}
	if pids > mostPids {
		c.deny("max.pids", "%d processes are more than %d", pids, mostPids)
	}
}

func (c *check) invalid(attr, why string, args ...any) {
	if c.err == nil {
		c.err = sdk.Invalidf(attr, why, args...)
	}
}

func (c *check) defaultSize(attr string) schema.Size {
	var v schema.Size
	c.decodeDefault(attr, &v)
	return v
}

func (c *check) defaultDuration(attr string) schema.Duration {
	var v schema.Duration
	c.decodeDefault(attr, &v)
	return v
}

func (c *check) defaultNumber(attr string) float64 {
	a := c.contract.Attr(attr)
	if a == nil {
		return 0
	}
	v, err := strconv.ParseFloat(a.Default, 64)
	if err != nil {
		return 0
	}
	return v
}

// decodeDefault reads a contract's default: HCL syntax, which for a plain string is JSON's.
func (c *check) decodeDefault(attr string, v any) {
	if a := c.contract.Attr(attr); a != nil && a.Default != "" {
		if err := json.Unmarshal([]byte(a.Default), v); err != nil {
			c.invalid(attr, "the contract's own default %s cannot be read: %w", a.Default, err)
		}
	}
}

func orDefault[T schema.Size | schema.Duration | int64 | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
