package sdk

import (
	"context"
	"slices"
	"time"
)

// Lister is a provider that can tell what there is of ours where it works.
type Lister interface {
	// Inventory tells what there is: containers, images, volumes, whatever its steps and those of other workers left there or are using. It
	// changes nothing, and may be called at any time after Configure, also while steps run. What goes while it is looked at is left out.
	Inventory(ctx context.Context, q InventoryQuery) ([]Item, error)
}

// InventoryQuery says what to tell of each item, as some of it takes time.
type InventoryQuery struct {
	Sizes bool // what it takes on disk
	Usage bool // what that which runs is using now
}

// Pruner is a provider that can tell what it removes.
type Pruner interface {
	// Prune is Sweep, and tells what it removed. With dryRun it removes nothing, and tells what it would. What could not be removed is an
	// error, beside what was.
	Prune(ctx context.Context, s Sweep, dryRun bool) ([]Item, error)
}

// Kinds of items. A provider may have others.
const (
	ItemContainer = "container"
	ItemImage     = "image"
	ItemLayers    = "layers" // what several images share, as one item
	ItemVolume    = "volume"
	ItemPod       = "pod"
)

// Item is one thing of ours.
type Item struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Run, Step and Key tell whose it is, as in Request, where that is known.
	Run  string `json:"run,omitempty"`
	Step string `json:"step,omitempty"`
	Key  string `json:"key,omitempty"`
	// Created is zero where it is not known.
	Created time.Time `json:"created,omitzero"`
	// Bytes would be free on disk without it; it needs Shared beside, with others. Unknown where nobody looked.
	Bytes  int64 `json:"bytes"`
	Shared int64 `json:"shared_bytes"`
	// State is such as "running" or "exited", empty for what has none.
	State string `json:"state,omitempty"`
	// Usage is that of something that runs; nil where nobody looked, or it cannot be read.
	Usage *Usage `json:"usage,omitempty"`
}

// Unknown is a number that is not known, and a limit that there is not.
const Unknown = -1

// Usage is what something that runs is using. A number may be Unknown.
type Usage struct {
	At          time.Time `json:"at"` // when it was read
	Memory      int64     `json:"memory"`
	MemoryLimit int64     `json:"memory_limit"`
	// CPUTime is since its start, as a duration of one CPU.
	CPUTime  time.Duration `json:"cpu_ns"`
	CPULimit float64       `json:"cpu_limit"` // CPUs
	Pids     int64         `json:"pids"`
	// PidsLimit counts processes and threads.
	PidsLimit int64 `json:"pids_limit"`
	// Until is when its time is over; zero where that is not known.
	Until time.Time `json:"until,omitzero"`
}

// Alive tells whether a run is among the live ones.
func (s Sweep) Alive(run string) bool { return slices.Contains(s.LiveRuns, run) }

// Old tells whether something that was made then is older than the grace.
func (s Sweep) Old(created time.Time) bool { return time.Since(created) >= s.Grace.Std() }
