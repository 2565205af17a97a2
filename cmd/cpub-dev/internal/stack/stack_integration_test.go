//go:build integration

package stack

import (
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// options are those of a test's stack: free ports, a folder, this binary as
// the gateway.
func options(t *testing.T, dir string, services ...string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Dir: dir, Services: services, Buckets: []string{"functions"},
		TemporalAddress: ":0", UIAddress: ":0", S3Address: ":0", RegistryAddress: ":0",
		GatewayCommand: []string{self, gatewayArg},
	}
}

// running starts a stack that is stopped when the test ends, at the latest.
func running(t *testing.T, opts Options) *Stack {
	t.Helper()
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, s) })
	return s
}

// stopped stops the stack and expects that to go well, and soon.
func stopped(t *testing.T, s *Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stopping the stack: %v", err)
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir() + "/a folder?with#signs%20"
	first := running(t, options(t, dir))
	run := runWorkflow(t, first.Endpoints(), "greet")
	putObject(t, first.Endpoints(), "42/1.txt", "hello")
	digest := pushImage(t, first.Endpoints(), "function:latest")
	stopped(t, first)

	second := running(t, options(t, dir))
	if got, want := workflowResult(t, second.Endpoints(), "greet", run), "hello, stack"; got != want {
		t.Errorf("the workflow's result = %q, want %q", got, want)
	}
	if got, want := getObject(t, second.Endpoints(), "42/1.txt"), "hello"; got != want {
		t.Errorf("the object = %q, want %q", got, want)
	}
	if got := pullImage(t, second.Endpoints(), "function:latest"); got != digest {
		t.Errorf("the image's digest = %v, want %v", got, digest)
	}
	if a, b := first.Endpoints(), second.Endpoints(); a.AccessKey != b.AccessKey || a.SecretKey != b.SecretKey {
		t.Error("the credentials have changed")
	}
}

func TestSecondStackOnOneFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	running(t, options(t, dir, Registry))
	_, err := Start(t.Context(), options(t, dir, Registry))
	if err == nil || !strings.Contains(err.Error(), "in use by another cpub-dev") {
		t.Fatalf("error = %v", err)
	}
}

func TestTakenPortFailsTheStartAndLeavesNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	dir := t.TempDir()
	opts := options(t, dir)
	opts.UIAddress = busy.Addr().String()
	if _, err := Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "Temporal's UI") {
		t.Fatalf("error = %v", err)
	}
	running(t, options(t, dir, S3, Registry)) // the folder is free again
}

func TestGatewayThatCannotStartFailsTheStart(t *testing.T) {
	opts := options(t, t.TempDir(), S3)
	opts.GatewayCommand = []string{"false"}
	_, err := Start(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "s3") {
		t.Fatalf("error = %v", err)
	}
}

func TestDeathOfTheGatewayIsReported(t *testing.T) {
	s := running(t, options(t, t.TempDir(), S3))
	killChildren(t)
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "the S3 gateway ended") {
			t.Errorf("error = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was reported")
	}
}

func TestStartHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, options(t, t.TempDir())); err == nil {
		t.Fatal("the stack was started")
	}
}

// killChildren kills the processes that this one has started.
func killChildren(t *testing.T) {
	t.Helper()
	pids := children(t)
	if len(pids) != 1 {
		t.Fatalf("%d processes were started, want the gateway alone", len(pids))
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
