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

	"github.com/containerpub/cpub/sdk"
)

// Service is a `podman system service` of our own, on a private socket. It is started again when it dies, and it dies with
// this process.
type Service struct {
	// URI is the service's socket.
	URI string

	dir    string
	podman string
	env    []string
	stop   context.CancelFunc
	done   chan struct{}
	ready  chan error
	stderr *tail
}

// StartService starts a service and waits until it answers. podman is the binary; empty means that of PATH, or of
// the system's folders where the provider was given no PATH. The service trusts the CAs of the registries.
func StartService(ctx context.Context, podman string, registries []sdk.Registry) (*Service, error) {
	if podman == "" {
		podman = "podman"
	}
	env := environment(os.Environ())
	path, err := lookPath(podman, env)
	if err != nil {
		return nil, fmt.Errorf("no Podman service was found, and none can be started: %w; install Podman (`apt-get install podman`), "+
			"or set `connection` in the provider's configuration", err)
	}
	dir, err := os.MkdirTemp("", "cpub-podman-")
	if err != nil {
		return nil, fmt.Errorf("making the folder of Podman's socket: %w", err)
	}
	if env, err = withCerts(env, dir, registries); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Service{
		URI: "unix://" + filepath.Join(dir, "podman.sock"), dir: dir, podman: path, env: env,
		stop: cancel, done: make(chan struct{}), ready: make(chan error, 1), stderr: &tail{},
	}
	go s.supervise(run)
	select {
	case err = <-s.ready:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a Podman service: %w", err), s.Stop())
	}
	return s, nil
}

// Stop ends the service and removes its socket. Containers run on. It may be called again.
func (s *Service) Stop() error {
	s.stop()
	<-s.done
	return os.RemoveAll(s.dir)
}

// supervise keeps the service running until the context ends. The first start is reported through ready.
func (s *Service) supervise(ctx context.Context) {
	defer close(s.done)
	for first := true; ctx.Err() == nil; first = false {
		cmd, err := s.start(ctx)
		if err == nil {
			err = s.await(ctx, cmd)
		}
		if first {
			s.ready <- err
			if err != nil {
				s.reap(cmd)
				return
			}
		}
		if cmd != nil {
			// How it ended does not matter: it is either our doing, or it is started again.
			_ = cmd.Wait()
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
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
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
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
	return fmt.Errorf("podman system service does not listen after 30 s: %s", s.stderr)
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
