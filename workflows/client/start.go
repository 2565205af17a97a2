package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// StartOptions say what to run.
type StartOptions struct {
	Plan *engine.Plan
	// Callees are the plans that the plan's steps run as children, those that these run too.
	Callees []*engine.Plan
	// ID names the run within its pipeline: the workflow's id is PIPELINE/ID. Empty makes a new one.
	ID string
	// Variables are a JSON object; nothing means the defaults.
	Variables json.RawMessage
}

// Started is a run that was started, or attached to.
type Started struct {
	ID       string // the workflow's
	RunID    string
	Attached bool // it was there already
}

// ErrOther says that a run of that id is there already, and is of something else.
var ErrOther = errors.New("a run of this id exists with another plan or other variables")

// Start puts the plan into the store and starts a run of it. A run of the same id with the same plan and variables, under way or
// ended, is attached to; one with others is ErrOther. Wrong variables are an *engine.DiagnosticsError, and nothing is started.
func (c *Client) Start(ctx context.Context, opts StartOptions) (*Started, error) {
	return c.start(ctx, opts, "")
}

// start is Start, of a run that keeps what the store has under the digest `earlier`, if that is not empty.
func (c *Client) start(ctx context.Context, opts StartOptions, earlier string) (*Started, error) {
	if c.store == nil {
		return nil, errNoStore
	}
	if len(opts.Variables) == 0 {
		opts.Variables = json.RawMessage("{}")
	}
	data, digest, err := opts.Plan.Encode()
	if err != nil {
		return nil, err
	}
	if err := check(opts); err != nil {
		return nil, err
	}
	if err := c.keep(ctx, data, opts.Callees); err != nil {
		return nil, err
	}
	if opts.ID == "" {
		opts.ID = newID()
	}
	id, memo := opts.Plan.Pipeline+"/"+opts.ID, map[string]any{workflows.MemoPlan: digest}
	if earlier != "" {
		memo[workflows.MemoRerun] = earlier
	}
	run, err := c.temporal.ExecuteWorkflow(ctx, tclient.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		Memo:                                     memo,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, opts.Plan.Pipeline, opts.Variables)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &already) && earlier != "":
		return nil, fmt.Errorf("%w: run %q is there already; choose another id", ErrOther, id)
	case errors.As(err, &already):
		return c.attach(ctx, id, already.RunId, digest, opts.Variables)
	case err != nil:
		return nil, c.wrap(err, "starting run %q", id)
	}
	return &Started{ID: id, RunID: run.GetRunID()}, nil
}

// keep puts a plan into the store, after those that it names.
func (c *Client) keep(ctx context.Context, data []byte, callees []*engine.Plan) error {
	all := make([][]byte, 0, len(callees)+1)
	for _, callee := range callees {
		encoded, _, err := callee.Encode()
		if err != nil {
			return err
		}
		all = append(all, encoded)
	}
	for _, one := range append(all, data) {
		if _, err := c.store.PutPlan(ctx, one); err != nil {
			return storeError(err, "keeping the plan")
		}
	}
	return nil
}

// check finds wrong variables before anything is started.
func check(opts StartOptions) error {
	program, err := engine.Compile(opts.Plan)
	if err != nil {
		return err
	}
	_, err = program.Schedule(engine.Start{Variables: opts.Variables})
	return err
}

// attach makes sure that the run which is there is the one that was meant.
func (c *Client) attach(ctx context.Context, id, runID, digest string, variables json.RawMessage) (*Started, error) {
	there, err := c.Run(ctx, id, runID)
	if err != nil {
		return nil, err
	}
	if there.Plan != digest {
		return nil, fmt.Errorf("%w: run %q has plan %s, this is %s; choose another id", ErrOther, id, short(there.Plan), short(digest))
	}
	if !sameJSON(there.Variables, variables) {
		return nil, fmt.Errorf("%w: run %q was started with %s; choose another id", ErrOther, id, there.Variables)
	}
	return &Started{ID: id, RunID: runID, Attached: true}, nil
}

// short is the beginning of a digest, for people.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// sameJSON compares by value; numbers by their text.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return decode(a, &x) == nil && decode(b, &y) == nil && reflect.DeepEqual(x, y)
}

func decode(data json.RawMessage, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(v)
}

// newID is an id for one who gave none: ten random hex digits.
func newID() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Publish makes the plan what its pipeline's name stands for in the client's namespace, and gives the plan's digest.
// callees are those that its steps run as children.
func (c *Client) Publish(ctx context.Context, plan *engine.Plan, callees []*engine.Plan) (digest string, err error) {
	if c.store == nil {
		return "", errNoStore
	}
	data, digest, err := plan.Encode()
	if err != nil {
		return "", err
	}
	if err := c.keep(ctx, data, callees); err != nil {
		return "", err
	}
	if err := c.store.Publish(ctx, c.namespace, plan.Pipeline, digest); err != nil {
		return "", storeError(err, "publishing the plan")
	}
	return digest, nil
}

// fromPayload reads one of Temporal's values.
func fromPayload(payloads converterPayloads, v any) error {
	if len(payloads.GetPayloads()) == 0 {
		return nil
	}
	return converter.GetDefaultDataConverter().FromPayload(payloads.GetPayloads()[0], v)
}
