package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/sockdir"
	"github.com/containerpub/cpub/sdk"
)

// Service is a `podman system service` of our own, on a private socket. It is started again when it dies, and it dies with
// this process.
type Service struct {
	// URI is the service's socket.
	URI string

	dir      *sockdir.Dir
	podman   string
	env      []string
	patience time.Duration // with its start
	stop     context.CancelFunc
	done     chan struct{}
	ready    chan error
	stderr   *tail
}

// startPatience is how long a service may take until it listens.
const startPatience = 30 * time.Second

// How long to wait before a service that ended is started again: longer each time, unless it had lived long.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 30 * time.Second
	longLife   = time.Minute
)

// StartService starts a service and waits until it answers. podman is the binary; empty means that of PATH, or of
// the system's folders where the provider was given no PATH. The service trusts the CAs of the registries.
func StartService(ctx context.Context, podman string, registries []sdk.Registry) (*Service, error) {
	return startService(ctx, podman, registries, startPatience)
}

func startService(ctx context.Context, podman string, registries []sdk.Registry, patience time.Duration) (*Service, error) {
	if podman == "" {
		podman = "podman"
	}
	env := environment(os.Environ())
	path, err := lookPath(podman, env)
	if err != nil {
		return nil, fmt.Errorf("no Podman service was found, and none can be started: %w; install Podman (`apt-get install podman`), "+
			"or set `connection` in the provider's configuration", err)
	}
	dir, err := sockdir.New()
	if err != nil {
		return nil, err
	}
	if env, err = withCerts(env, dir.Path, registries); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Service{
		URI: "unix://" + filepath.Join(dir.Path, "podman.sock"), dir: dir, podman: path, env: env, patience: patience,
		stop: cancel, done: make(chan struct{}), ready: make(chan error, 1), stderr: &tail{},
	}
	go s.supervise(run)
	select {
	case err = <-s.ready:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a Podman service (%s; Podman 4.0 or newer is needed): %w", path, err), s.Stop())
	}
	return s, nil
}

// Stop ends the service and removes its socket. Containers run on. It may be called again.
func (s *Service) Stop() error {
	s.stop()
	<-s.done
	return s.dir.Close()
}

// supervise keeps the service running until the context ends. The first start is reported through ready; it is not tried again.
func (s *Service) supervise(ctx context.Context) {
	defer close(s.done)
	pause := firstPause
	for first := true; ctx.Err() == nil; first = false {
		began := time.Now()
		cmd, err := s.start(ctx)
		if err == nil {
			err = s.await(ctx, cmd)
		}
		if first {
			s.ready <- err
		}
		switch {
		case err != nil:
			s.reap(cmd) // one that hangs would be waited for for ever
		default:
			// How it ended does not matter: it is either our doing, or it is started again.
			_ = cmd.Wait()
		}
		if first && err != nil {
			return
		}
		if time.Since(began) >= longLife {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (s *Service) start(ctx context.Context) (*exec.Cmd, error) {
	// A socket that a killed service left would make the next one fail.
	if err := os.Remove(socketPath(s.URI)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	cmd := exec.CommandContext(ctx, s.podman, "system", "service", "--time=0", s.URI)
	cmd.Env = s.env
	cmd.Stderr = s.stderr
	cmd.SysProcAttr = dieWithParent()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := startPinned(cmd); err != nil {
		return nil, err
	}
	return cmd, nil
}

// reap ends a service that never came up.
func (s *Service) reap(cmd *exec.Cmd) {
	if cmd == nil {
		return
	}
	// It may have ended by itself, which is as good.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// await waits until the service listens.
func (s *Service) await(ctx context.Context, cmd *exec.Cmd) error {
	for deadline := time.Now().Add(s.patience); time.Now().Before(deadline); {
		if answers(socketPath(s.URI)) {
			return nil
		}
		if exited(cmd.Process) {
			return fmt.Errorf("podman system service ended at once: %s", s.stderr)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("podman system service does not listen after %s: %s", s.patience, s.stderr)
}

// tail keeps the end of what a process wrote, for messages.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - 4096; over > 0 {
		t.buf = t.buf[over:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
