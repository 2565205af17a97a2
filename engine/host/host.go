// Package host carries out steps with provider processes: it finds, checks, starts, supervises and stops them, and implements
// engine.Runner.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// Options are what a host is made of.
type Options struct {
	Instances  []Instance
	Registries []sdk.Registry
	// Buckets are the patterns that the policy allows.
	Buckets []string
	// Artifacts is the store of inputs, outputs and live logs. The host does not close it.
	Artifacts *artifact.Store
	// Cache is the folder of the local copies of artifacts; several hosts may share it.
	Cache string
	// StateDir is a folder of this host: the copies of the binaries, and what the instances keep.
	StateDir string
	// Reattach is the value of CPUB_REATTACH_PROVIDERS: providers that somebody else started.
	Reattach string
	// Partial tells that an instance that does not start is no failure of New: what is asked of it later fails, and says why.
	Partial bool
	// Logger takes what the host and the providers have to say; slog's default if nil.
	Logger *slog.Logger

	times times
}

// Instance is one configured provider.
type Instance struct {
	// Provider is the provider's name, such as "podman", and Name the instance's, such as "local".
	Provider, Name string
	// Path is the provider's binary.
	Path string
	// SHA256 is the hex digest that the binary must have; anything if empty.
	SHA256 string
	// MaxConcurrent is how many steps run at once; without limit if 0.
	MaxConcurrent int
	// Env is the whole environment of the process, beside what the protocol needs.
	Env map[string]string
	// Config is JSON with the shape of the provider's configuration; empty means all left out.
	Config json.RawMessage
	// Secrets are what this instance is granted.
	Secrets []sdk.Secret
}

// ID names the instance, as calls do: "podman.local".
func (i Instance) ID() string { return i.Provider + "." + i.Name }

// times are how long things may take. Tests shorten them; zero values are the defaults.
type times struct {
	run       wire.RunOptions
	start     time.Duration // for a provider to start and describe itself
	configure time.Duration
	ping      time.Duration // between two looks at its health, and for each answer
	stop      time.Duration // for it to end when told to
	backOff   time.Duration // before the first restart; doubles
	down      time.Duration // that a call waits for a provider that is being restarted
	store     time.Duration // that outputs wait for a store that does not answer
}

// withDefaults fills in what is zero.
func (t times) withDefaults() times {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.start, 30 * time.Second},
		{&t.configure, 2 * time.Minute},
		{&t.ping, 5 * time.Second},
		{&t.stop, 10 * time.Second},
		{&t.backOff, 200 * time.Millisecond},
		{&t.down, 15 * time.Second},
		{&t.store, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

// Host runs the instances. Its methods may be called concurrently, and not after Close.
type Host struct {
	opts      Options
	cache     *artifact.Cache
	rooms     *rooms
	results   results
	spawner   *spawner
	instances map[string]*instance
	order     []*instance

	closing context.Context //nolint:containedctx // the host's own life
	close   context.CancelCauseFunc
	runs    sync.WaitGroup
	guards  sync.WaitGroup
}

// New starts and configures every instance, and fails with all that is wrong with them. Whatever earlier, dead hosts left in the
// same folders is removed. The host lives until Close, whatever becomes of ctx.
func New(ctx context.Context, opts Options) (*Host, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	opts.times = opts.times.withDefaults()
	h := &Host{opts: opts, instances: map[string]*instance{}}
	h.closing, h.close = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Host) open(ctx context.Context) (err error) {
	if h.cache, err = artifact.NewCache(h.opts.Cache, h.opts.Artifacts); err != nil {
		return err
	}
	if h.rooms, err = newRooms(h.opts.StateDir); err != nil {
		return err
	}
	h.results.dir = filepath.Join(h.opts.Cache, "results")
	if err := os.MkdirAll(h.results.dir, 0o700); err != nil {
		return fmt.Errorf("opening the host's folders: %w", err)
	}
	h.spawner = newSpawner()
	if err := h.prepare(); err != nil {
		return err
	}
	errs := make([]error, len(h.order))
	var started sync.WaitGroup
	for n, i := range h.order {
		started.Go(func() {
			if err := i.begin(ctx); err != nil && h.opts.Partial {
				i.failed = fmt.Errorf("provider instance %s does not start: %w", i.ID(), err)
				return
			} else if err != nil {
				errs[n] = fmt.Errorf("provider instance %s: %w", i.ID(), err)
				return
			}
			h.guards.Go(func() { i.guard(h.closing) })
		})
	}
	started.Wait()
	return errors.Join(errs...)
}

// prepare makes the instances, with their binaries and folders, before any of them starts.
func (h *Host) prepare() error {
	reattach, err := wire.ParseReattach(h.opts.Reattach)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, in := range h.opts.Instances {
		if h.instances[in.ID()] != nil {
			return fmt.Errorf("provider instance %s is declared twice", in.ID())
		}
		i, err := h.prepareInstance(in, reattach, used)
		if err != nil {
			return fmt.Errorf("provider instance %s: %w", in.ID(), err)
		}
		h.instances[in.ID()] = i
		h.order = append(h.order, i)
	}
	for name := range reattach {
		if !used[name] {
			return fmt.Errorf("%s names %q, which is no provider and no instance of this worker", wire.EnvReattach, name)
		}
	}
	return nil
}

func (h *Host) prepareInstance(in Instance, reattach map[string]wire.Reattach, used map[string]bool) (*instance, error) {
	i := newInstance(in, h)
	for _, name := range []string{in.ID(), in.Provider} {
		if r, ok := reattach[name]; ok {
			used[name] = true
			i.launch = h.attacher(r, i.log)
			break
		}
	}
	if i.launch == nil {
		binary, err := h.rooms.copyBinary(in.Path, in.SHA256)
		if err != nil {
			return nil, err
		}
		i.binary = filepath.Base(filepath.Dir(binary))
		i.launch = h.starter(binary, in.Env, i.log)
	}
	var err error
	i.stateDir, err = h.rooms.stateDir(in.ID())
	return i, err
}

// Close detaches from the steps that run, stops the providers, and removes what is temporary. It takes seconds at most.
func (h *Host) Close() error {
	h.close(sdk.ErrDetached)
	h.runs.Wait() // each is bounded by the grace of its Run
	h.guards.Wait()
	var stopped sync.WaitGroup
	for _, i := range h.order {
		stopped.Go(i.end)
	}
	stopped.Wait()
	if h.spawner != nil {
		h.spawner.close()
	}
	var errs []error
	if h.rooms != nil {
		errs = append(errs, h.rooms.close())
	}
	if h.cache != nil {
		errs = append(errs, h.cache.Close())
	}
	return errors.Join(errs...)
}

// rooms are the host's folders.
type rooms struct {
	state   string              // StateDir
	bin     *artifact.OwnFolder // copies of binaries; below StateDir, since temporary folders may forbid execution
	sockets *artifact.OwnFolder // below the temporary folder, since a socket's path is short
}

func newRooms(stateDir string) (*rooms, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, fmt.Errorf("opening the host's folders: %w", err)
	}
	r := &rooms{state: stateDir}
	if r.bin, err = ownFolder(filepath.Join(stateDir, "bin")); err != nil {
		return nil, err
	}
	if r.sockets, err = ownFolder(filepath.Join(shortTempDir(), fmt.Sprintf("cpub-%d", os.Getuid()))); err != nil {
		return nil, errors.Join(err, r.bin.Close())
	}
	return r, nil
}

// ownFolder makes one in parent, which it makes where needed, and which must be this user's alone.
func ownFolder(parent string) (*artifact.OwnFolder, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("opening the host's folders: %w", err)
	}
	if err := private(parent); err != nil {
		return nil, fmt.Errorf("opening the host's folders: %w", err)
	}
	f, err := artifact.NewOwnFolder(parent)
	if err != nil {
		return nil, fmt.Errorf("opening the host's folders: %w", err)
	}
	return f, nil
}

func (r *rooms) stateDir(instance string) (string, error) {
	dir := filepath.Join(r.state, "instances", instance)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the instance's folder: %w", err)
	}
	return dir, nil
}

func (r *rooms) close() error { return errors.Join(r.bin.Close(), r.sockets.Close()) }
