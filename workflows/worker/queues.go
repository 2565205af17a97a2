package worker

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/workflows"
)

// heartbeatThrottle lets heartbeats through, and so cancels in, once a second.
const heartbeatThrottle = time.Second

// queue is one task queue that is polled.
type queue struct {
	name   string
	worker worker.Worker
}

// pollTimes are the deadlines of polls by queue.
func pollTimes(instances []Instance, described []host.Described) map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, d := range described {
		for _, name := range stepQueues(d) {
			times[name] = pollTime(maxConcurrent(instances, d.Instance))
		}
	}
	return times
}

// stepQueues are the queues that an instance's steps come by.
func stepQueues(d host.Described) []string {
	names := []string{workflows.Queue(d.Instance, "")}
	if d.Location != "" {
		names = append(names, workflows.Queue(d.Instance, d.Location))
	}
	return names
}

func maxConcurrent(instances []Instance, name string) int {
	for _, i := range instances {
		if i.Name == name {
			return i.MaxConcurrent
		}
	}
	return defaultMaxConcurrent
}

// queues makes the workers of everything: the pipelines' queue first.
func queues(c tclient.Client, s *Parts, described []host.Described, fatal func(error)) ([]queue, error) {
	all := []queue{pipelineQueue(c, s, described, fatal)}
	for _, d := range described {
		more, err := instanceQueues(c, s, d, fatal)
		if err != nil {
			return nil, fmt.Errorf("making the workers of %s: %w", d.Instance, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// longestEvaluation is how long a workflow may compute at a stretch: an expression that uses its whole budget takes some seconds on a
// slow machine, and is to fail its step, not the workflow task.
const longestEvaluation = 10 * time.Second

// pipelineQueue serves the pipelines' workflows and the loading of their plans.
func pipelineQueue(c tclient.Client, s *Parts, described []host.Described, fatal func(error)) queue {
	w := worker.New(c, workflows.TaskQueue, worker.Options{
		WorkerStopTimeout: s.StopTimeout, OnFatalError: fatal, DeadlockDetectionTimeout: longestEvaluation,
	})
	w.RegisterDynamicWorkflow(workflows.Pipeline, workflow.DynamicRegisterOptions{})
	w.RegisterWorkflowWithOptions(workflows.Lock, workflow.RegisterOptions{Name: workflows.LockWorkflow})
	w.RegisterActivityWithOptions(workflows.Locks{}.Acquire, activity.RegisterOptions{Name: workflows.AcquireActivity})
	w.RegisterActivityWithOptions(workflows.Locks{}.Closed, activity.RegisterOptions{Name: workflows.ClosedActivity})
	snapshots := &workflows.Snapshots{Store: s.Plans}
	w.RegisterActivityWithOptions(snapshots.Keep, activity.RegisterOptions{Name: workflows.KeepActivity})
	w.RegisterActivityWithOptions(snapshots.Restore, activity.RegisterOptions{Name: workflows.RestoreActivity})
	loader := &workflows.Loader{Namespace: s.Temporal.Namespace, Plans: s.Plans, Offers: offers(described), Serve: s.Serve}
	w.RegisterActivityWithOptions(loader.Load, activity.RegisterOptions{Name: workflows.LoadActivity})
	return queue{workflows.TaskQueue, w}
}

// instanceQueues serve one provider instance. What releases what steps kept has queues of its own: it must not wait for steps.
func instanceQueues(c tclient.Client, s *Parts, d host.Described, fatal func(error)) ([]queue, error) {
	steps := &workflows.Steps{Instance: d.Instance, Runner: s.Host, Policy: s.Policy}
	size := maxConcurrent(s.Instances, d.Instance)
	tune, err := tuner(newSlots(size))
	if err != nil {
		return nil, err
	}
	var all []queue
	for _, name := range stepQueues(d) {
		w := worker.New(c, name, worker.Options{
			DisableWorkflowWorker: true, Tuner: tune, MaxConcurrentActivityTaskPollers: pollers(size), WorkerStopTimeout: s.StopTimeout,
			MaxHeartbeatThrottleInterval: heartbeatThrottle, DefaultHeartbeatThrottleInterval: heartbeatThrottle, OnFatalError: fatal,
		})
		for _, step := range d.Info.Steps {
			w.RegisterActivityWithOptions(steps.Run, activity.RegisterOptions{Name: step.Name})
		}
		release := worker.New(c, workflows.ReleaseQueue(name), worker.Options{
			DisableWorkflowWorker: true, MaxConcurrentActivityTaskPollers: 1, WorkerStopTimeout: s.StopTimeout, OnFatalError: fatal,
		})
		release.RegisterActivityWithOptions(steps.Release, activity.RegisterOptions{Name: workflows.ReleaseActivity})
		all = append(all, queue{name, w}, queue{workflows.ReleaseQueue(name), release})
	}
	return all, nil
}

// pollers is how many polls of a queue run at once: each holds a slot.
func pollers(maxConcurrent int) int {
	if maxConcurrent < 2*fewSlots {
		return 1
	}
	return 2
}

// offers are the instances as the loader of plans wants them.
func offers(described []host.Described) []workflows.Offer {
	var all []workflows.Offer
	for _, d := range described {
		all = append(all, workflows.OfferOf(d.Instance, d.Info))
	}
	return all
}
