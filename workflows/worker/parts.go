// Package worker runs the Temporal workers of one worker.hcl: the pipelines' own queue, and for each provider instance its queue, that
// of its location, and those where what steps kept is released.
package worker

import (
	"context"
	"log/slog"
	"time"

	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// Parts are what Serve puts to work. Run makes them of a worker.hcl; tests make their own.
type Parts struct {
	// Temporal says where the server is and how to speak to it; Serve adds what it needs.
	Temporal  tclient.Options
	Plans     Store
	Host      Host
	Policy    *policy.Policy
	Instances []Instance
	// Serve maps step types to the instance ("podman.builder") that serves them; for other types the first instance that offers them does.
	Serve map[string]string
	// Listen is where health, readiness and metrics are served; empty: nowhere.
	Listen string
	// StopTimeout is how long steps have, when the worker stops, to detach; zero: 30 seconds.
	StopTimeout time.Duration
	// SweepEvery is how often what closed runs left is looked for; zero: every minute.
	SweepEvery time.Duration
	// SweepGrace is the age that something must have to be removed; zero: two minutes.
	SweepGrace time.Duration
	Log        *slog.Logger
	// Ready is called once, when the worker polls all its queues; may be nil.
	Ready func()
}

// Instance is one provider instance of worker.hcl.
type Instance struct {
	Name string // "podman.local"
	// MaxConcurrent is how many steps of it may run at once, over all its queues; zero: ten.
	MaxConcurrent int
}

// Store is where plans are, and what runs know that continue as new. *artifact.Store is one.
type Store interface {
	workflows.PlanSource
	workflows.SnapshotStore
}

// Host carries out the steps: engine/host does, with provider processes.
type Host interface {
	engine.Runner
	// Describe tells what the instances are, in order.
	Describe(ctx context.Context) []host.Described
	// Sweep removes, on all instances, what belongs to none of the live runs and is older than the grace.
	Sweep(ctx context.Context, s sdk.Sweep) (removed int, err error)
}

// The defaults of Parts.
const (
	defaultStopTimeout   = 30 * time.Second
	defaultSweepEvery    = time.Minute
	defaultSweepGrace    = 2 * time.Minute
	defaultMaxConcurrent = 10
)

func (s *Parts) defaults() {
	if s.StopTimeout <= 0 {
		s.StopTimeout = defaultStopTimeout
	}
	if s.SweepEvery <= 0 {
		s.SweepEvery = defaultSweepEvery
	}
	if s.SweepGrace <= 0 {
		s.SweepGrace = defaultSweepGrace
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Policy == nil {
		s.Policy = &policy.Policy{}
	}
	if s.Temporal.Namespace == "" {
		s.Temporal.Namespace = tclient.DefaultNamespace
	}
	if s.Temporal.HostPort == "" {
		s.Temporal.HostPort = tclient.DefaultHostPort
	}
	for i := range s.Instances {
		if s.Instances[i].MaxConcurrent <= 0 {
			s.Instances[i].MaxConcurrent = defaultMaxConcurrent
		}
	}
}
