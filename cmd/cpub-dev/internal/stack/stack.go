// Package stack runs the servers that ContainerPub needs, on this machine
// and for one developer: a Temporal server with its UI, an S3 gateway that
// checks signatures, and an OCI registry. All listen on the loopback address
// and keep their state in one folder, so that a second start finds workflows,
// objects and tags again.
package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// The services a stack can run. Temporal includes its UI.
const (
	Temporal = "temporal"
	S3       = "s3"
	Registry = "registry"
)

// Services returns the names of all services, in the order of their start.
func Services() []string { return []string{Temporal, S3, Registry} }

// Options says what to run and where. Dir and, when S3 is among the
// services, GatewayCommand are required; all else has defaults.
type Options struct {
	// Dir is the folder that holds all state. It is made when missing, and
	// belongs to one stack at a time.
	Dir string

	// Services names what to run; nil means all of Services().
	Services []string

	// The addresses to listen on, "host:port" with a loopback host or
	// ":port". Port 0 takes a free one; "" takes the default, which is the
	// usual port of that service (7233, 8233, 9000, 5000).
	TemporalAddress string
	UIAddress       string
	S3Address       string
	RegistryAddress string

	// Namespace is Temporal's namespace, made when missing; "" is "default".
	Namespace string

	// Buckets are made in the S3 gateway when they are missing.
	Buckets []string

	// GatewayCommand starts this binary again as the S3 gateway: a program
	// and arguments that end in ServeGateway. The gateway is a process of its
	// own because its file backend changes the working directory.
	GatewayCommand []string
}

// Stack is a set of running services. Start makes one; its methods may be
// called from several goroutines.
type Stack struct {
	endpoints Endpoints
	parts     []part
	failed    chan error
	stopOnce  sync.Once
	stopErr   error
}

// part is one running service, or something else that must be let go of.
type part struct {
	name string
	stop func(context.Context) error
}

// stopTimeout bounds the clean-up after a failed start.
const stopTimeout = 15 * time.Second

// Start starts the services and returns when each of them answers. An address
// that is taken and a folder that another stack uses are errors that say so.
// When Start fails, it leaves nothing running. The context bounds the start
// alone; Stop ends the stack.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	opts, err := withDefaults(opts)
	if err != nil {
		return nil, err
	}
	s := &Stack{failed: make(chan error, 1)}
	if err := s.start(ctx, opts); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, s.Stop(stopCtx))
	}
	return s, nil
}

// withDefaults completes and checks the options.
func withDefaults(opts Options) (Options, error) {
	if opts.Dir == "" {
		return opts, errors.New("starting the stack: no state folder is given")
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return opts, fmt.Errorf("resolving the state folder: %w", err)
	}
	opts.Dir = dir
	if opts.Services == nil {
		opts.Services = Services()
	}
	for _, name := range opts.Services {
		if !slices.Contains(Services(), name) {
			return opts, fmt.Errorf("there is no service %q; the services are %v", name, Services())
		}
	}
	if opts.Namespace == "" {
		opts.Namespace = "default"
	}
	if opts.runs(S3) && len(opts.GatewayCommand) == 0 {
		return opts, errors.New("starting the stack: the command of the S3 gateway is not given")
	}
	return opts, nil
}

// runs reports whether the service of that name is wanted.
func (o Options) runs(name string) bool { return slices.Contains(o.Services, name) }

// start opens the folder and starts the wanted services side by side.
func (s *Stack) start(ctx context.Context, opts Options) error {
	dir, err := openFolder(opts.Dir)
	if err != nil {
		return err
	}
	s.parts = append(s.parts, part{name: "state folder", stop: func(context.Context) error { return dir.Close() }})

	at, err := reserve(ctx, opts)
	if err != nil {
		return err
	}
	s.endpoints = newEndpoints(opts, at, dir.identity)

	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	launch := func(name string, start func(context.Context) (func(context.Context) error, error)) {
		if !opts.runs(name) {
			return
		}
		group.Go(func() error {
			stop, err := start(ctx)
			mu.Lock()
			defer mu.Unlock()
			if stop != nil {
				s.parts = append(s.parts, part{name: name, stop: stop})
			}
			if err != nil {
				return fmt.Errorf("starting %s: %w", name, err)
			}
			return nil
		})
	}
	launch(Temporal, func(ctx context.Context) (func(context.Context) error, error) {
		return startTemporal(ctx, temporalOptions{
			folder: dir, frontend: at.temporal, ui: at.ui, internal: at.internal,
			namespace: opts.Namespace, failed: s.report,
		})
	})
	launch(S3, func(ctx context.Context) (func(context.Context) error, error) {
		return startGateway(ctx, gatewayOptions{
			folder: dir, address: at.s3, command: opts.GatewayCommand,
			buckets: opts.Buckets, failed: s.report,
		})
	})
	launch(Registry, func(ctx context.Context) (func(context.Context) error, error) {
		return startRegistry(ctx, registryOptions{folder: dir, address: at.registry, failed: s.report})
	})
	return group.Wait()
}

// report remembers the first failure of a running service.
func (s *Stack) report(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Endpoints says where the services are and with what one speaks to them.
func (s *Stack) Endpoints() Endpoints { return s.endpoints }

// Failed yields an error when a service ends by itself. The stack is then of
// no more use, and is to be stopped.
func (s *Stack) Failed() <-chan error { return s.failed }

// Stop lets the services finish what they are doing, ends them, and releases
// the folder. When ctx ends first, the rest is cut off. A second call returns
// what the first returned.
func (s *Stack) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		var errs []error
		for _, p := range slices.Backward(s.parts) {
			if err := p.stop(ctx); err != nil {
				errs = append(errs, fmt.Errorf("stopping the %s: %w", p.name, err))
			}
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}
