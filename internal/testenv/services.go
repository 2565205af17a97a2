// Package testenv gives integration tests the real parts they need: our own
// binaries, freshly built, and a Temporal server, an S3 gateway and a registry
// of their own. What cannot be had fails the test; nothing is skipped.
package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Env is where the services of one test are found, as cpub-dev tells it.
type Env struct {
	Temporal  string // host:port of the gRPC frontend
	Namespace string // Temporal's namespace
	UI        string // URL of Temporal's UI
	S3        string // URL of the S3 gateway, which wants path-style addresses
	Region    string // the region of S3 signatures
	AccessKey string
	SecretKey string
	Registry  string // localhost:port, plain HTTP
	Store     string // URL of an artifact store, as CPUB_STORE takes it
	Dir       string // the state folder of the services

	// Environ is all of this as NAME=VALUE, for commands that the test runs.
	Environ []string
}

// Setenv puts the environment of the services into that of the test process,
// until the test ends.
func (e *Env) Setenv(t testing.TB) {
	t.Helper()
	for _, variable := range e.Environ {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

// The patience with the services' start, and with their end.
const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// Services starts cpub-dev without a worker, on free ports and a new folder,
// and returns when all services answer. They are stopped when the test ends;
// the bucket "functions" is there.
func Services(t testing.TB) *Env {
	t.Helper()
	return ServicesIn(t, t.TempDir())
}

// ServicesIn is Services with its state in a folder of the test's choice, for
// tests that start them again on what they left.
func ServicesIn(t testing.TB, dir string) *Env {
	t.Helper()
	envFile := filepath.Join(t.TempDir(), "env")
	p := start(t, Build(t, "./cmd/cpub-dev"),
		"--no-worker", "--ports-free", "--dir", dir, "--env-file", envFile)
	text, err := p.awaitFile(envFile)
	if err != nil {
		t.Fatalf("starting the services: %v\n%s", err, p.output())
	}
	return parseEnv(t, text)
}

// process is a running cpub-dev.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended; to be read after ended

	mu   sync.Mutex
	text bytes.Buffer
}

// Write collects what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// output is what the process has printed so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// start runs the program until the test ends.
func start(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	dieWithParent(p.cmd.SysProcAttr)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting the services: %v", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stopping the services: %v\n%s", err, p.output())
		}
	})
	return p
}

// awaitFile returns the file's text as soon as there is such a file.
func (p *process) awaitFile(path string) (string, error) {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		text, err := os.ReadFile(path)
		if err == nil {
			return string(text), nil
		}
		select {
		case <-p.ended:
			return "", fmt.Errorf("they ended: %w", p.err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return "", fmt.Errorf("they were not ready after %v", startTimeout)
}

// stop ends the process in good order, or kills it.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return fmt.Errorf("they had ended before: %w", p.err)
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("they did not end within %v", stopTimeout), p.cmd.Process.Kill())
	}
}

// parseEnv reads what cpub-dev wrote: NAME=VALUE lines in a shell's syntax.
func parseEnv(t testing.TB, text string) *Env {
	t.Helper()
	env := &Env{}
	fields := map[string]*string{
		"TEMPORAL_ADDRESS":      &env.Temporal,
		"TEMPORAL_NAMESPACE":    &env.Namespace,
		"CPUB_DEV_UI":           &env.UI,
		"AWS_ENDPOINT_URL":      &env.S3,
		"AWS_REGION":            &env.Region,
		"AWS_ACCESS_KEY_ID":     &env.AccessKey,
		"AWS_SECRET_ACCESS_KEY": &env.SecretKey,
		"CPUB_DEV_REGISTRY":     &env.Registry,
		"CPUB_STORE":            &env.Store,
		"CPUB_DEV_DIR":          &env.Dir,
	}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			t.Fatalf("the services' environment has a line without a value: %q", line)
		}
		if quoted, ok := strings.CutPrefix(value, "'"); ok {
			value = strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), `'\''`, "'")
		}
		if field, ok := fields[name]; ok {
			*field = value
			delete(fields, name)
		}
		env.Environ = append(env.Environ, name+"="+value)
	}
	for name := range fields {
		t.Fatalf("the services' environment has no %s", name)
	}
	return env
}
