package workflows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
)

// LockWorkflow is the type of the workflows that hold the runs of one key of `concurrency` apart: one workflow a key, with the
// id LockID, as long as a run holds it or waits for it.
const LockWorkflow = "cpub_lock"

// LockID is the id of the workflow that holds the runs of that key apart.
func LockID(key string) string { return "cpub-lock/" + key }

// The signals between runs and locks.
const (
	signalAcquire = "acquire" // to a lock: LockRequest
	signalRelease = "release" // to a lock: LockRequest, of which the id counts
)

// GrantSignal is the signal by which a lock answers a run that wants it, with a Grant.
const GrantSignal = "cpub_grant"

// checkHoldersEvery is how often a lock that runs wait for looks whether those that hold it still exist.
const checkHoldersEvery = 15 * time.Second

// LockRequest is a run that wants a lock.
type LockRequest struct {
	Key string `json:"key"`
	// WorkflowID is the run's; it holds the lock through resets, and over runs that continue as new.
	WorkflowID string `json:"workflow_id"`
	Limit      int    `json:"limit,omitempty"`
	OnLimit    string `json:"on_limit,omitempty"`
	// Token is this request's own, for its answer: a reset brings the answers to earlier ones back.
	Token string `json:"token,omitempty"`
}

// Grant is what a lock answers.
type Grant struct {
	Key     string `json:"key"`
	Granted bool   `json:"granted"`
	Holders int    `json:"holders,omitempty"`
	Token   string `json:"token,omitempty"`
}

// LockState is what a lock knows, and its workflow's argument.
type LockState struct {
	Key string `json:"key"`
	// Runs hold the lock or wait for it, the oldest first.
	Runs []LockedRun `json:"runs,omitempty"`
	// Limit is what the last run to come said.
	Limit int `json:"limit,omitempty"`
}

// LockedRun is a run that holds a lock or waits for it.
type LockedRun struct {
	WorkflowID string `json:"workflow_id"`
	Token      string `json:"token,omitempty"` // of its latest request
	Holds      bool   `json:"holds,omitempty"`
	Cancelled  bool   `json:"cancelled,omitempty"` // it was asked to end
}

// Lock is the workflow behind `concurrency`. It ends when nobody holds the lock or waits for it.
func Lock(ctx workflow.Context, state LockState) error {
	l := &lock{LockState: state, info: workflow.GetInfo(ctx)}
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (LockState, error) { return l.LockState, nil }); err != nil {
		return fmt.Errorf("setting up the query %s: %w", StatusQuery, err)
	}
	acquire, release := workflow.GetSignalChannel(ctx, signalAcquire), workflow.GetSignalChannel(ctx, signalRelease)
	for {
		l.take(ctx, acquire, release)
		l.grant(ctx)
		switch {
		case len(l.Runs) == 0 && acquire.Len() == 0 && release.Len() == 0:
			return nil
		case l.info.GetContinueAsNewSuggested() && acquire.Len() == 0 && release.Len() == 0:
			return workflow.NewContinueAsNewError(ctx, LockWorkflow, l.LockState)
		}
		if err := l.wait(ctx, acquire, release); err != nil {
			return err
		}
	}
}

type lock struct {
	LockState
	info *workflow.Info
}

// take takes all signals that have come.
func (l *lock) take(ctx workflow.Context, acquire, release workflow.ReceiveChannel) {
	var req LockRequest
	for release.ReceiveAsync(&req) {
		l.drop(req.WorkflowID)
		req = LockRequest{}
	}
	for acquire.ReceiveAsync(&req) {
		l.add(ctx, req)
		req = LockRequest{}
	}
}

func (l *lock) drop(workflowID string) {
	l.Runs = slices.DeleteFunc(l.Runs, func(r LockedRun) bool { return r.WorkflowID == workflowID })
}

func (l *lock) holders() (n int) {
	for _, r := range l.Runs {
		if r.Holds {
			n++
		}
	}
	return n
}

// add takes a run that wants the lock. Requests may be told twice.
func (l *lock) add(ctx workflow.Context, req LockRequest) {
	l.Key, l.Limit = req.Key, max(req.Limit, 1)
	if i := slices.IndexFunc(l.Runs, func(r LockedRun) bool { return r.WorkflowID == req.WorkflowID }); i >= 0 {
		again := req.Token != "" && req.Token != l.Runs[i].Token
		l.Runs[i].Token = req.Token
		l.Runs[i].Cancelled = l.Runs[i].Cancelled && !again // one that asks anew lives on: it was reset, or begun again
		if l.Runs[i].Holds {
			l.tell(ctx, l.Runs[i], true)
		}
		return
	}
	if len(l.Runs) >= l.Limit {
		l.dropClosed(ctx)
	}
	switch {
	case len(l.Runs) < l.Limit || req.OnLimit != eval.OnLimitReject && req.OnLimit != eval.OnLimitCancelOldest:
	case req.OnLimit == eval.OnLimitReject:
		l.tell(ctx, LockedRun{WorkflowID: req.WorkflowID, Token: req.Token}, false)
		return
	default:
		l.cancelOldest(ctx)
	}
	l.Runs = append(l.Runs, LockedRun{WorkflowID: req.WorkflowID, Token: req.Token})
}

// cancelOldest has so many of the oldest runs end that one more has room.
func (l *lock) cancelOldest(ctx workflow.Context) {
	staying := 0
	for _, r := range l.Runs {
		if !r.Cancelled {
			staying++
		}
	}
	for i := range l.Runs {
		if staying < l.Limit {
			return
		}
		if l.Runs[i].Cancelled {
			continue
		}
		l.Runs[i].Cancelled = true
		staying--
		if err := workflow.RequestCancelExternalWorkflow(ctx, l.Runs[i].WorkflowID, "").Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Cancelling a run for a newer one", "run", l.Runs[i].WorkflowID, "error", err)
		}
	}
}

// grant gives the lock to those who wait longest.
func (l *lock) grant(ctx workflow.Context) {
	for i := 0; i < len(l.Runs) && l.holders() < l.Limit; i++ {
		if l.Runs[i].Holds || l.Runs[i].Cancelled {
			continue
		}
		l.Runs[i].Holds = true
		if !l.tell(ctx, l.Runs[i], true) {
			l.drop(l.Runs[i].WorkflowID)
			i--
		}
	}
}

// tell answers a run. It reports false for one that is gone.
func (l *lock) tell(ctx workflow.Context, r LockedRun, granted bool) bool {
	answer := Grant{Key: l.Key, Granted: granted, Holders: l.holders(), Token: r.Token}
	err := workflow.SignalExternalWorkflow(ctx, r.WorkflowID, "", GrantSignal, answer).Get(ctx, nil)
	return err == nil
}

// wait waits for a signal, and looks from time to time whether those who hold the lock still exist, if somebody waits for it.
func (l *lock) wait(ctx workflow.Context, acquire, release workflow.ReceiveChannel) error {
	sel := workflow.NewSelector(ctx)
	sel.AddReceive(acquire, func(workflow.ReceiveChannel, bool) {})
	sel.AddReceive(release, func(workflow.ReceiveChannel, bool) {})
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	look := false
	if l.holders() < len(l.Runs) {
		timer := workflow.NewTimerWithOptions(timerCtx, checkHoldersEvery, workflow.TimerOptions{Summary: "do the holders still run?"})
		sel.AddFuture(timer, func(f workflow.Future) { look = f.Get(timerCtx, nil) == nil })
	}
	sel.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	sel.Select(ctx)
	if look {
		l.dropClosed(ctx)
	}
	return ctx.Err()
}

// dropClosed forgets runs that ended without saying so: they were terminated, or reset away.
func (l *lock) dropClosed(ctx workflow.Context) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueue, StartToCloseTimeout: time.Minute, ScheduleToCloseTimeout: 5 * time.Minute, Summary: "which of these runs are over?",
	})
	ids := make([]string, len(l.Runs))
	for i, r := range l.Runs {
		ids[i] = r.WorkflowID
	}
	var closed []string
	if err := workflow.ExecuteActivity(ctx, ClosedActivity, ids).Get(ctx, &closed); err != nil {
		workflow.GetLogger(ctx).Warn("Looking whether runs are over", "error", err)
		return
	}
	for _, id := range closed {
		l.drop(id)
	}
}

// Locks are the activities of `concurrency`.
type Locks struct{}

// Acquire tells a lock that a run wants it, and starts the lock where there is none. It gives the request's token.
func (Locks) Acquire(ctx context.Context, req LockRequest) (string, error) {
	info := activity.GetInfo(ctx)
	req.Token = info.WorkflowExecution.RunID + "/" + info.ActivityID
	_, err := activity.GetClient(ctx).SignalWithStartWorkflow(ctx, LockID(req.Key), signalAcquire, req, client.StartWorkflowOptions{
		TaskQueue: TaskQueue, StaticSummary: "concurrency of " + req.Key, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, LockWorkflow, LockState{Key: req.Key})
	if err != nil {
		return "", fmt.Errorf("asking for the lock %q: %w", req.Key, err)
	}
	return req.Token, nil
}

// Closed gives those of these workflows that are over.
func (Locks) Closed(ctx context.Context, ids []string) ([]string, error) {
	closed := []string{}
	for _, id := range ids {
		desc, err := activity.GetClient(ctx).DescribeWorkflowExecution(ctx, id, "")
		var gone *serviceerror.NotFound
		switch {
		case errors.As(err, &gone):
			closed = append(closed, id)
		case err != nil:
			return nil, fmt.Errorf("looking at %q: %w", id, err)
		case desc.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
			closed = append(closed, id)
		}
	}
	return closed, nil
}

// errRejected is the end of a run that would have been one too many.
var errRejected = errors.New("another run holds the pipeline's concurrency, and on_limit rejects this one")

// acquire waits until the run may go on, where its pipeline has `concurrency`. A run whose caller holds the same key goes on at once.
func (r *run) acquire(ctx workflow.Context) error {
	c := r.sched.Settings().Concurrency
	if c == nil || slices.Contains(r.outerLocks(), c.Key) {
		return nil
	}
	r.lock, r.waiting = c.Key, "concurrency "+c.Key
	defer func() { r.waiting = "" }()
	req := LockRequest{Key: c.Key, WorkflowID: r.info.WorkflowExecution.ID, Limit: c.Limit, OnLimit: c.OnLimit}
	for patience := askAgainAfter; ; patience = min(2*patience, askAgainAtMost) {
		var token string
		err := workflow.ExecuteActivity(ownActivity(ctx, "concurrency "+c.Key), AcquireActivity, req).Get(ctx, &token)
		if err != nil {
			return err
		}
		g, err := answer(ctx, c.Key, token, patience)
		switch {
		case err != nil:
			return err
		case g == nil:
		case g.Granted:
			return nil
		default:
			r.lock = ""
			return fmt.Errorf("%w: %d of %d with the key %q run", errRejected, g.Holders, c.Limit, c.Key)
		}
	}
}

// A run that waits for a lock asks again, ever more seldom: the lock may have been terminated, or have forgotten a run that was cancelled and
// then reset to where it waits.
const (
	askAgainAfter  = time.Minute
	askAgainAtMost = time.Hour
)

// answer waits for what a lock answers to a request; nil if it has not, for so long. Requests of old have no token, and wait without limit.
func answer(ctx workflow.Context, key, token string, patience time.Duration) (*Grant, error) {
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	expired := false
	sel := workflow.NewSelector(ctx)
	if token != "" {
		timer := workflow.NewTimerWithOptions(timerCtx, patience, workflow.TimerOptions{Summary: "ask again for concurrency " + key})
		sel.AddFuture(timer, func(f workflow.Future) { expired = f.Get(timerCtx, nil) == nil })
	}
	var g *Grant
	sel.AddReceive(workflow.GetSignalChannel(ctx, GrantSignal), func(c workflow.ReceiveChannel, _ bool) {
		g = &Grant{}
		c.Receive(ctx, g)
	})
	sel.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	for {
		sel.Select(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case expired:
			return nil, nil
		case g != nil && g.Key == key && g.Token == token:
			return g, nil
		}
	}
}

// retake asks again for the lock in a run that was reset, since the run that it was may have ended and given it up. What was before the reset is
// replayed as it was: a version is known only in turns that come after it, each of which has its own.
func (r *run) retake(ctx workflow.Context, turn int) {
	if r.lock == "" || r.retaken || !r.wasReset() || ctx.Err() != nil {
		return
	}
	if workflow.GetVersion(ctx, fmt.Sprintf("retake-%d", turn), workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	r.retaken = true
	if err := r.acquire(ctx); err != nil && ctx.Err() == nil {
		r.sched.Fail(&engine.StepError{Code: codeConcurrency, Kind: sdk.KindPermanent, Message: err.Error()})
	}
}

// unlock lets the next run go on. A lock that is gone needs none.
func (r *run) unlock(ctx workflow.Context) {
	if r.lock == "" {
		return
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	req := LockRequest{Key: r.lock, WorkflowID: r.info.WorkflowExecution.ID}
	if err := workflow.SignalExternalWorkflow(ctx, LockID(r.lock), "", signalRelease, req).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("Releasing the run's concurrency; the lock finds out by itself", "key", r.lock, "error", err)
	}
}

// outerLocks are the keys that this run's callers hold.
func (r *run) outerLocks() (keys []string) {
	if p, ok := r.info.Memo.GetFields()[MemoLocks]; ok {
		_ = fromMemo(p, &keys) // what is no list of texts holds nothing
	}
	return keys
}

// locks are the keys that a child of this run need not acquire.
func (r *run) locks() []string {
	keys := r.outerLocks()
	if r.lock != "" {
		keys = append(keys, r.lock)
	}
	if keys == nil {
		return []string{}
	}
	return keys
}
