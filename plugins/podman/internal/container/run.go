package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// cleanupTime is how long removing what an attempt made may take, after its own context has ended.
const cleanupTime = 30 * time.Second

// Runner runs containers on one Podman service. It is safe for concurrent use.
type Runner struct {
	Client *client.Client
	Images *image.Store

	ids slots
}

// run is one attempt.
type run struct {
	*Runner
	req *sdk.Request
	in  Input

	detached string // the name of what outlives its step; else empty

	times   times
	adopted bool
	removed bool // nothing is left to clean up
	watch   *watch
	stdin   *stdin
	freeIDs func()
	shell   *sdk.Shell // instead of the step's code; nil for none

	// sidecar is the name of the sidecar that this run is about; empty for the step's own container.
	sidecar string
	imageID string
	joined  joined

	sidecars     []*sidecar
	stopWatching func() // ends the watching of sidecars
	troubles     chan trouble
	why          error // why the container was stopped

	mu    sync.Mutex
	saved checkpoint
}

// checkpoint is what an attempt leaves for the one that follows if it is lost.
type checkpoint struct {
	StdinSent bool            `json:"stdin_sent,omitempty"`
	QueuedMS  int64           `json:"queued_ms,omitempty"`
	BeganAt   time.Time       `json:"began_at,omitzero"`
	PullMS    int64           `json:"pull_ms,omitempty"`
	Limits    contract.Limits `json:"limits"`
	// What the counters stood at before the start.
	CPUTime      *float64 `json:"cpu_time,omitempty"`
	CPUThrottled *float64 `json:"cpu_throttled,omitempty"`
}

// start is what the counters stood at before the start.
func (c checkpoint) start() cgroup.Usage {
	return cgroup.Usage{CPUTime: c.CPUTime, CPUThrottled: c.CPUThrottled}
}

// save changes the checkpoint.
func (a *run) save(change func(*checkpoint)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.saved)
	return a.req.SaveCheckpoint(a.saved)
}

// Run carries out one attempt of container_run. A container that carries the request's key is adopted unless the attempt
// before returned. On success the container stays, stopped, until Release, so that an attempt that must answer again can; on
// failure and cancel it is removed; when the host detaches, it runs on.
func (r *Runner) Run(ctx context.Context, req *sdk.Request) (any, error) {
	began := time.Now()
	in, err := Decode(req)
	if err == nil {
		err = owner.CheckLabels(in.Labels)
	}
	if err != nil {
		return nil, err
	}
	if err := Enforceable(ctx, r.Client, in.AllowUnenforcedLimits); err != nil {
		return nil, err
	}
	a := &run{
		Runner: r, req: req, in: in, freeIDs: func() {}, troubles: make(chan trouble, 1),
		times: times{began: began, queued: req.Queued},
	}
	defer func() {
		a.stdin.close()
		a.watch.close()
		a.freeIDs()
		a.closeSidecars()
	}()
	out, err := a.do(ctx)
	if err != nil && !a.removed && !errors.Is(context.Cause(ctx), sdk.ErrDetached) {
		err = errors.Join(err, a.cleanup(ctx))
	}
	if err != nil && ctx.Err() != nil && !errors.As(err, new(*stopped)) {
		return nil, context.Cause(ctx)
	}
	return out, err
}

func (a *run) do(ctx context.Context) (any, error) {
	state, err := a.adopt(ctx)
	if err != nil {
		return nil, err
	}
	if state == nil {
		if state, err = a.create(ctx); err != nil {
			return nil, err
		}
	} else if err := a.readAdopted(ctx, state); err != nil {
		return nil, err
	} else if err := a.adoptSidecars(ctx); err != nil {
		return nil, err
	}
	return a.follow(ctx, state)
}

// adopt finds what an earlier attempt left under the key. It gives nil where there is nothing to go on with, having removed
// what is of no use: what belongs to an attempt that returned, and a container whose code never started.
func (a *run) adopt(ctx context.Context) (*inspected, error) {
	var state *inspected
	err := client.Retry(ctx, outage, func() (err error) {
		state, err = a.inspect(ctx)
		return err
	})
	if client.NotFound(err) && len(a.in.sidecars) > 0 {
		return nil, a.Remove(ctx, a.req.Key) // sidecars that wait for it
	}
	if client.NotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	cp := checkpoint{}
	if len(a.req.Checkpoint) > 0 {
		if err := json.Unmarshal(a.req.Checkpoint, &cp); err != nil {
			return nil, fmt.Errorf("reading the checkpoint of an earlier attempt: %w", err)
		}
	}
	useless := a.req.Returned || !state.started() || a.in.Stdin != "" && state.running() && !cp.StdinSent
	if useless {
		return nil, a.removeOwn(ctx)
	}
	a.adopted, a.saved = true, cp
	a.times.adopt(cp)
	a.req.Logf("adopting the container of an earlier attempt (%s)", state.status)
	return state, nil
}

// name is that of the run's container.
func (a *run) name() string {
	if a.sidecar != "" {
		return owner.Name(a.req.Key) + "-" + a.sidecar
	}
	return owner.Name(a.req.Key)
}

// logf writes the provider's own words about the run's container.
func (a *run) logf(format string, args ...any) {
	if a.sidecar != "" {
		format = "[" + a.sidecar + "] " + format
	}
	a.req.Logf(format, args...)
}

// cleanup removes the attempt's containers, also when the context has ended.
func (a *run) cleanup(ctx context.Context) error {
	a.unwatch()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return client.Retry(ctx, cleanupTime, func() error { return a.removeOwn(ctx) })
}
