package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// instance keeps one provider running.
type instance struct {
	Instance

	host     *Host
	log      *slog.Logger
	launch   launcher
	stateDir string
	binary   string        // digest of the program; empty for one that somebody else started
	slots    chan struct{} // nil: without limit
	failed   error         // why it never started, in a host that lives with that

	mu       sync.Mutex
	info     sdk.Info
	location string
	current  *session
	down     error         // why there is no current one
	changed  chan struct{} // closed when current or down change
}

func newInstance(in Instance, h *Host) *instance {
	i := &instance{
		Instance: in, host: h, changed: make(chan struct{}), down: errors.New("it has not started yet"),
		log: h.opts.Logger.With("provider", in.ID()),
	}
	if in.MaxConcurrent > 0 {
		i.slots = make(chan struct{}, in.MaxConcurrent)
	}
	return i
}

// begin starts the provider, learns what it is, and configures it.
func (i *instance) begin(ctx context.Context) error {
	s, err := i.launch(ctx)
	if err != nil {
		return err
	}
	info, location, err := i.introduce(ctx, s)
	if err != nil {
		s.end()
		return err
	}
	i.mu.Lock()
	i.info, i.location = info, location
	i.mu.Unlock()
	i.set(s, nil)
	i.log.Info("provider is ready", "name", info.Name, "version", info.Version, "location", location)
	return nil
}

func (i *instance) introduce(ctx context.Context, s *session) (sdk.Info, string, error) {
	ctx, cancel := context.WithTimeout(ctx, i.host.opts.times.configure)
	defer cancel()
	info, err := s.Describe(ctx)
	if err != nil {
		return sdk.Info{}, "", err
	}
	if info.Name != i.Provider {
		return sdk.Info{}, "", fmt.Errorf("the binary %s is provider %q, and not %q", i.Path, info.Name, i.Provider)
	}
	config := i.Config
	if len(config) == 0 {
		config = []byte("{}")
	}
	var wrong []error
	for _, p := range info.Config.CheckInput(config) {
		wrong = append(wrong, fmt.Errorf("config: %w", p))
	}
	if len(wrong) > 0 {
		return sdk.Info{}, "", errors.Join(wrong...)
	}
	location, err := s.Configure(ctx, sdk.Configuration{
		Instance: i.Name, Config: config, Registries: i.host.opts.Registries, Buckets: i.host.opts.Buckets, StateDir: i.stateDir, Secrets: i.Secrets,
	})
	if err != nil {
		return sdk.Info{}, "", fmt.Errorf("configuring: %w", err)
	}
	return info, location, nil
}

// guard watches the provider, and starts it again when it ends, until ctx does.
func (i *instance) guard(ctx context.Context) {
	failures := 0
	for {
		if s := i.session(); s != nil {
			began := time.Now()
			if !i.watch(ctx, s) {
				return
			}
			if time.Since(began) > time.Minute {
				failures = 0
			}
		}
		wait := min(i.host.opts.times.backOff<<min(failures, 10), 30*time.Second)
		failures++
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if err := i.begin(ctx); err != nil {
			i.log.Error("provider does not start", "error", err)
			i.set(nil, err)
		}
	}
}

// missed is how many pings in a row may stay without answer.
const missed = 3

// watch returns true when the provider has ended or was killed because it no longer answers, and false when ctx ended.
func (i *instance) watch(ctx context.Context, s *session) bool {
	interval := i.host.opts.times.ping
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for unanswered := 0; ; {
		select {
		case <-ctx.Done():
			return false
		case <-s.exited:
			err := s.how()
			i.log.Error("provider ended", "error", err)
			i.set(nil, fmt.Errorf("it ended: %w", err))
			s.end()
			return true
		case <-tick.C:
			if unanswered = ping(ctx, s, interval, unanswered); unanswered >= missed {
				i.log.Error("provider does not answer and is killed")
				i.drop(s, errors.New("it does not answer"))
				unanswered = 0
			}
		}
	}
}

func ping(ctx context.Context, s *session, timeout time.Duration, unanswered int) int {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if s.Ping(ctx) != nil {
		return unanswered + 1
	}
	return 0
}

func (i *instance) session() *session {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current
}

func (i *instance) set(s *session, down error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current, i.down = s, down
	close(i.changed)
	i.changed = make(chan struct{})
}

// drop kills a provider that is of no use, so that no further step is given to it.
func (i *instance) drop(s *session, why error) {
	if i.session() == s {
		i.set(nil, why)
	}
	s.kill()
}

// wait gives the running provider. Where it is down, it waits a while for it to come back.
func (i *instance) wait(ctx context.Context) (*session, error) {
	if i.failed != nil {
		return nil, i.failed
	}
	limit := time.NewTimer(i.host.opts.times.down)
	defer limit.Stop()
	for {
		i.mu.Lock()
		s, down, changed := i.current, i.down, i.changed
		i.mu.Unlock()
		if s != nil && !s.ended() {
			return s, nil
		}
		select {
		case <-changed:
		case <-limit.C:
			return nil, errors.Join(fmt.Errorf("provider instance %s is down: %w", i.ID(), wire.ErrUnreachable), down)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// enter waits for one of the slots; the returned function leaves it.
func (i *instance) enter(ctx context.Context) (func(), error) {
	if i.slots == nil {
		return func() {}, nil
	}
	select {
	case i.slots <- struct{}{}:
		return func() { <-i.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// step gives the shape of a step type.
func (i *instance) step(name string) (schema.Step, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.info.Step(name)
	if s == nil {
		return schema.Step{}, false
	}
	return schema.Step{Input: s.Input, Output: s.Output}, true
}

// pure tells that the outputs of a step type depend on nothing but what the host knows.
func (i *instance) pure(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.info.Step(name)
	return s != nil && s.Pure && i.binary != ""
}

// grants refuses a call with secrets that the instance does not have, or not for this step type.
func (i *instance) grants(call engine.Call) error {
	for _, name := range schema.SecretNames(call.Secrets) {
		if !slices.ContainsFunc(i.Secrets, func(s sdk.Secret) bool { return s.Name == name && s.For(call.StepType) }) {
			return &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf(
				"secret %q is not granted to %s for %s: in worker.hcl, the block secret %q needs %s in allow, and %s in step_types if it has that",
				name, call.Instance, call.StepType, name, call.Instance, call.StepType)}
		}
	}
	return nil
}

// end stops the provider.
func (i *instance) end() {
	if s := i.session(); s != nil {
		s.end()
		i.set(nil, errors.New("the worker is ending"))
	}
}
