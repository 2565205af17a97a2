//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
	"github.com/containerpub/cpub/workflows/worker"
)

// The environment of a worker that runs in a process of its own.
const (
	envAddress = "CPUB_TEST_TEMPORAL"
	envStore   = "CPUB_TEST_STORE"
	envMark    = "CPUB_TEST_MARK"
)

// TestMain is the worker process of TestKilledWorker when it is started as that.
func TestMain(m *testing.M) {
	if os.Getenv(envAddress) == "" {
		os.Exit(m.Run())
	}
	if err := killable(); err != nil {
		panic(err)
	}
}

// killable serves until it is killed; its steps write a mark and block.
func killable() error {
	ctx := context.Background()
	store, err := artifact.Open(ctx, os.Getenv(envStore))
	if err != nil {
		return err
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"a": func(ctx context.Context, c engine.Call, o engine.Observer) (json.RawMessage, error) {
		if err := os.WriteFile(os.Getenv(envMark), []byte(c.Key), 0o600); err != nil {
			return nil, err
		}
		return flowtest.Block(ctx, c, o)
	}})
	return worker.Serve(ctx, worker.Parts{
		Temporal: flowtest.Temporal(os.Getenv(envAddress)), Plans: store, Host: h, Policy: &policy.Policy{StepTypes: []string{"work"}},
		Instances: []worker.Instance{{Name: flowtest.Instance}},
	})
}

// A worker killed in the middle of a step is noticed by its missing heartbeats; the next worker's attempt adopts the work.
func TestKilledWorker(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	mark, url := filepath.Join(dir, "mark"), "file://"+filepath.Join(dir, "store")+"?create_dir=1&no_tmp_dir=1"
	store, err := artifact.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	l.store = store
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envAddress+"="+l.address, envStore+"="+url, envMark+"="+mark)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	defer func() {
		if !killed {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	id, runID := l.startRaw(t, "killed", one, "{}")
	var key []byte
	flowtest.Eventually(t, 30*time.Second, "the step runs", func() bool {
		key, err = os.ReadFile(mark)
		return err == nil && len(key) == 32
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	killed = true
	second := flowtest.NewHost(nil)
	serve(t, l.parts(t, second))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run, err := l.client.Result(ctx, id, runID)
	if err != nil || run.Status != engine.StatusSucceeded {
		t.Fatalf("run %+v, %v", run, err)
	}
	calls := second.Calls("a")
	if len(calls) != 1 || calls[0].Attempt != 2 || calls[0].Returned || calls[0].Key != string(key) {
		t.Errorf("the adopting attempts %+v, want one with key %s", calls, key)
	}
}
