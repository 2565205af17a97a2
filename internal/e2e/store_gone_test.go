//go:build integration

package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// newStackBehindStore starts a stack whose artifact store is a bucket, which the worker reaches by a proxy and the command line does not.
func newStackBehindStore(t *testing.T) (*stack, *proxy) {
	t.Helper()
	s := newStackWithoutWorker(t, "5.8.2")
	s.seedSlow()
	p := newProxy(t, s.env.S3)
	bucket := func(endpoint string) string {
		return "s3://functions?" + url.Values{"region": {s.env.Region}, "endpoint": {endpoint}, "use_path_style": {"true"}}.Encode()
	}
	s.env.Environ = append(s.env.Environ, "CPUB_STORE="+bucket(s.env.S3))
	s.env.Store = bucket("http://" + p.addr)
	s.writeConfig()
	return s, p
}

// TestStoreUnreachableAtStart starts a worker, and a run, without the store: both wait, saying so, and then go on.
func TestStoreUnreachableAtStart(t *testing.T) {
	s, p := newStackBehindStore(t)
	p.cut()
	s.startWorker()
	s.awaitWorkerLog(p.addr)
	p.open()
	if r := s.cpub(s.flagship()...); r.code != 0 || !strings.Contains(r.stdout, "Hello, Ada!") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	p.cut()
	c := s.dial()
	workflowID := s.startSlow("store")
	if failure := s.awaitRetry(c, workflowID, "cpub_load"); !strings.Contains(failure, p.addr) {
		t.Errorf("the failure does not name the store %s: %s", p.addr, failure)
	}
	p.open()
	s.succeeds(c, workflowID)
	s.assertStartedOnce(workflowID)
	s.assertClean()
}

// TestStoreGoneInTheMiddle takes the store away while a step runs, and beyond the step's end. Nothing is done twice, and no output and no line
// of the log is lost.
func TestStoreGoneInTheMiddle(t *testing.T) {
	s, p := newStackBehindStore(t)
	s.startWorker()
	c := s.dial()
	for _, activity := range []string{"archive_extract", "image_build", "container_run"} {
		t.Run(activity, func(t *testing.T) {
			s.t = t
			workflowID := s.startSlow("store-" + activity)
			s.awaitActivity(c, workflowID, activity)
			if activity == "container_run" {
				s.awaitStart(workflowID)
			}
			p.cut()
			time.Sleep(8 * time.Second)
			p.open()
			if out := s.succeeds(c, workflowID); strings.Count(out["result"], `"slept"`) != 1 {
				t.Errorf("outputs: %v", out)
			}
			s.assertStartedOnce(workflowID)
			if r := s.cpub("logs", workflowID, "invoke"); strings.Count(r.stdout, "sleeping") != 1 || strings.Count(r.stdout, "slept") != 1 {
				t.Errorf("the log is not whole (exit code %d):\n%s%s", r.code, r.stdout, r.stderr)
			}
			s.assertClean()
		})
	}
	s.t = t
}
