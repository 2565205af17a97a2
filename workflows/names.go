// Package workflows is the durable side of a run: the pipeline workflow, which drives engine.Schedule, and the activities, which check
// policy and hand a step to an engine.Runner. What is named here is what operators see in Temporal.
package workflows

import "strings"

// TaskQueue is where pipelines run.
const TaskQueue = "cpub"

// The activities beside the step types.
const (
	LoadActivity    = "cpub_load"
	ReleaseActivity = "cpub_release"
	KeepActivity    = "cpub_keep_snapshot"
	RestoreActivity = "cpub_restore_snapshot"
	AcquireActivity = "cpub_acquire"
	ClosedActivity  = "cpub_closed"
)

// StatusQuery asks a run how far it is; the answer is a Report.
const StatusQuery = "cpub_status"

// MemoPlan is the memo's field that holds the digest of the plan to run, as a JSON string. Without it a run takes what is published.
const MemoPlan = "cpub.plan"

// MemoRerun is the memo's field that holds the digest of what a run keeps of an earlier one, as a JSON string: see Earlier.
const MemoRerun = "cpub.rerun"

// MemoLocks is the memo's field that holds the keys of `concurrency` that a child's callers hold, as a JSON array of strings.
const MemoLocks = "cpub.locks"

// MemoSchedule is the memo's field of runs that a schedule of cpub's begins, a JSON object: the schedule's name, its owner and its description.
const MemoSchedule = "cpub.schedule"

// Approve and Reject are the updates, and the signals, that answer a step of the type `approval`. Their argument is a Decision.
const (
	Approve = "approve"
	Reject  = "reject"
)

// The search attributes, both keywords, set where the namespace has them.
const (
	AttributePipeline = "CpubPipeline"
	AttributeStatus   = "CpubStatus"
)

// headerName is the Temporal header that carries what a step's activity is told beside its input.
const headerName = "cpub"

// Queue is the task queue of a provider instance ("podman.local"), or of those of its workers that reach the location.
func Queue(instance, location string) string {
	if location == "" {
		return TaskQueue + "." + instance
	}
	return TaskQueue + "." + instance + "@" + location
}

// ReleaseQueue is the task queue where what steps of another queue kept is released. It is another one, so that the end of a run never
// waits for the steps of others.
func ReleaseQueue(queue string) string {
	instance, location, located := strings.Cut(queue, "@")
	if !located {
		return instance + "!release"
	}
	return instance + "!release@" + location
}

// LogKey is where in the store the live log of the step with that key is.
func LogKey(key string) string { return "logs/" + key }

// RunName names a run everywhere outside Temporal: workflow id and first run id, joined by "/".
func RunName(workflowID, firstRunID string) string { return workflowID + "/" + firstRunID }

// SplitRunName takes a run's name apart. A workflow id may hold slashes, a run id does not.
func SplitRunName(run string) (workflowID, firstRunID string) {
	i := strings.LastIndexByte(run, '/')
	if i < 0 {
		return run, ""
	}
	return run[:i], run[i+1:]
}
