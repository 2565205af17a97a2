//go:build integration

package e2e

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.temporal.io/sdk/client"
)

// midPush is how much of the slow function's image, 32 MiB that do not compress, has been sent when a test takes the registry away.
const midPush = 8 << 20

// newStackBehindRegistry starts a stack whose worker and pipelines reach the registry by a proxy.
func newStackBehindRegistry(t *testing.T) (*stack, *proxy) {
	t.Helper()
	s := newStackWithoutWorker(t, "5.8.2")
	s.seedSlow()
	p := s.through(s.env.Registry)
	s.env.Registry = p.addr
	return s, p
}

// TestRegistryGoneInTheMiddle takes the registry away while an image is on its way to it. When it comes back, the push goes on and the
// image is there once.
func TestRegistryGoneInTheMiddle(t *testing.T) {
	s, p := newStackBehindRegistry(t)
	s.startWorker()
	c := s.dial()
	gone := p.cutAfter(midPush)
	workflowID := s.startSlow("registry")
	s.awaitGone(c, workflowID, gone)
	time.Sleep(4 * time.Second)
	p.open()
	if out := s.succeeds(c, workflowID); !strings.Contains(out["result"], `"slept"`) {
		t.Errorf("outputs: %v", out)
	}
	s.assertPushedOnce(workflowID)
	s.assertStartedOnce(workflowID)
	s.assertClean()
}

// TestRegistryStaysGone takes the registry away for good: the run fails when its attempts are used up, and says of whom.
func TestRegistryStaysGone(t *testing.T) {
	s, p := newStackBehindRegistry(t)
	s.startWorker()
	c := s.dial()
	gone := p.cutAfter(midPush)
	workflowID := s.startSlow("registry")
	s.awaitGone(c, workflowID, gone)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := c.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
	if err == nil || !strings.Contains(err.Error(), "step publish") || !strings.Contains(err.Error(), p.addr) {
		t.Errorf("the run ended with %v; want the step and the registry's address", err)
	}
	if r := s.cpub("status", workflowID); !strings.Contains(r.stdout, "failed in attempt 5") {
		t.Errorf("the status does not tell how often it was tried:\n%s%s", r.stdout, r.stderr)
	}
	if events := s.startEvents(workflowID, "invoke"); len(events) != 0 {
		t.Errorf("the function was started:\n%s", strings.Join(events, ""))
	}
	s.assertClean()
}

// TestRegistryUnreachableAtStart has a worker and a run begin without the registry. The run waits for it, saying so, and then goes on.
func TestRegistryUnreachableAtStart(t *testing.T) {
	s, p := newStackBehindRegistry(t)
	p.cut()
	s.startWorker()
	c := s.dial()
	workflowID := s.startSlow("registry")
	if failure := s.awaitRetry(c, workflowID, "image_build"); !strings.Contains(failure, p.addr) {
		t.Errorf("the attempt's failure does not name the registry %s: %s", p.addr, failure)
	}
	p.open()
	s.succeeds(c, workflowID)
	s.assertPushedOnce(workflowID)
	s.assertClean()
}

// awaitGone waits until the proxy has cut the service off.
func (s *stack) awaitGone(c client.Client, workflowID string, gone <-chan struct{}) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.GetWorkflow(ctx, workflowID, "").Get(ctx, nil) }()
	select {
	case <-gone:
	case err := <-ended:
		s.t.Fatalf("the run ended before the service was taken away: %v", err)
	}
}

// awaitRetry waits until an attempt of the activity has failed, and gives its message.
func (s *stack) awaitRetry(c client.Client, workflowID, activity string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		d, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
		if err != nil {
			s.t.Fatal(err)
		}
		for _, a := range d.GetPendingActivities() {
			if a.GetActivityType().GetName() == activity && a.GetLastFailure() != nil {
				return a.GetLastFailure().GetMessage()
			}
		}
		if d.GetWorkflowExecutionInfo().GetCloseTime() != nil {
			s.t.Fatalf("%s ended before an attempt of %s was seen to fail", workflowID, activity)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("no attempt of %s failed in %s", activity, workflowID)
	return ""
}

// assertPushedOnce wants the run's image in the registry, whole, under its one tag.
func (s *stack) assertPushedOnce(workflowID string) {
	s.t.Helper()
	tag := strings.TrimPrefix(workflowID, "slow/")
	repo, err := name.NewRepository(s.env.Registry+"/slow", name.Insecure)
	if err != nil {
		s.t.Fatal(err)
	}
	tags, err := remote.List(repo, remote.WithContext(s.t.Context()))
	if err != nil || len(tags) != 1 || tags[0] != tag {
		s.t.Errorf("tags of the repository: %v (%v), want %s alone", tags, err, tag)
	}
	image, err := remote.Image(repo.Tag(tag), remote.WithContext(s.t.Context()))
	if err != nil {
		s.t.Fatalf("the image is not in the registry: %v", err)
	}
	layers, err := image.Layers()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, layer := range layers {
		if err := readAll(layer); err != nil {
			s.t.Errorf("a layer of the image is not whole: %v", err)
		}
	}
	status := s.cpub("status", "--json", workflowID).stdout
	digest, err := image.Digest()
	if err != nil || !strings.Contains(status, digest.String()) {
		s.t.Errorf("the image has digest %s (%v), which the run does not tell:\n%s", digest, err, status)
	}
}

// readAll reads a layer, whose reader verifies its digest.
func readAll(layer v1.Layer) error {
	r, err := layer.Compressed()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}
