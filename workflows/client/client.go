// Package client is what the commands ask of Temporal: start a run or attach to it, follow it, list, cancel, terminate, publish. It
// needs no worker to answer: what it tells of a run it reads from the run's history.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/sdk"
)

// Store is what a client needs of the artifact store: plans, what is published, logs, and where artifacts go. *artifact.Store is one.
type Store interface {
	Uploads
	// PutPlan keeps an encoded plan and gives its digest. Repeating it is no error.
	PutPlan(ctx context.Context, data []byte) (digest string, err error)
	// Publish makes the plan of that digest the one that a pipeline's name stands for in a namespace.
	Publish(ctx context.Context, namespace, pipeline, digest string) error
	// ReadLog gives what a log holds from that chunk on, and the chunk to go on from. Nothing new is no error.
	ReadLog(ctx context.Context, key string, from int) (entries []artifact.LogEntry, next int, err error)
	// Put keeps what a run is started with beside its plan and its variables.
	Put(ctx context.Context, r io.Reader, name, mediaType string) (sdk.Artifact, error)
}

// Options say where Temporal and the store are.
type Options struct {
	// Address and Namespace override what the environment and the profile of temporal.toml say, where they are set.
	Address   string
	Namespace string
	// Store may be nil for a client that neither starts runs, nor publishes, nor reads logs.
	Store Store
	// Log takes what Temporal's SDK has to say; nil discards it.
	Log *slog.Logger
}

// Client talks to one namespace. It is safe for concurrent use.
type Client struct {
	temporal  tclient.Client
	store     Store
	namespace string
	address   string
}

// UnreachableError says that a service cannot be reached.
type UnreachableError struct {
	Service string // "Temporal at 127.0.0.1:7233", "the store"
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s cannot be reached: %v", e.Service, e.Err)
}

// Unwrap gives what happened.
func (e *UnreachableError) Unwrap() error { return e.Err }

// NotFoundError says that there is no such run.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("there is no run %q: `cpub ps` lists the runs that there are", e.ID)
}

// dialTime is how long Dial waits for Temporal.
const dialTime = 10 * time.Second

// Dial connects to Temporal as its own CLI would: by the environment, the profile of temporal.toml and what opts override. An
// *UnreachableError says that nobody answers there.
func Dial(ctx context.Context, opts Options) (*Client, error) {
	c, err := open(opts)
	if err != nil {
		return nil, err
	}
	if err := c.check(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// open is Dial without a look whether anybody answers.
func open(opts Options) (*Client, error) {
	o, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("reading Temporal's environment and profile: %w", err)
	}
	if opts.Address != "" {
		o.HostPort = opts.Address
	}
	if opts.Namespace != "" {
		o.Namespace = opts.Namespace
	}
	if o.HostPort == "" {
		o.HostPort = tclient.DefaultHostPort
	}
	if o.Namespace == "" {
		o.Namespace = tclient.DefaultNamespace
	}
	logger := opts.Log
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = log.NewStructuredLogger(logger)
	c, err := tclient.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("setting up the connection to Temporal: %w", err)
	}
	return &Client{temporal: c, store: opts.Store, namespace: o.Namespace, address: o.HostPort}, nil
}

// check asks Temporal for the namespace.
func (c *Client) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	_, err := c.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("temporal at %s has no namespace %q: create it, or set TEMPORAL_NAMESPACE", c.address, c.namespace)
	}
	var denied *serviceerror.PermissionDenied
	if errors.As(err, &denied) { // one who may not describe the namespace may still use it
		return nil
	}
	return c.wrap(err, "asking Temporal for namespace %q", c.namespace)
}

// Close ends the connection.
func (c *Client) Close() { c.temporal.Close() }

// Namespace is the Temporal namespace in use.
func (c *Client) Namespace() string { return c.namespace }

// wrap says what was being done, and marks what comes of an unreachable server.
func (c *Client) wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf(format+": %w", append(args, err)...)
	var unavailable *serviceerror.Unavailable
	var deadline *serviceerror.DeadlineExceeded
	code := status.Code(errors.Unwrap(err))
	if errors.As(err, &unavailable) || errors.As(err, &deadline) || code == codes.Unavailable || code == codes.DeadlineExceeded ||
		errors.Is(err, context.DeadlineExceeded) {
		return &UnreachableError{Service: "Temporal at " + c.address, Err: err}
	}
	return err
}

// wrapRun is wrap for what is asked of one run.
func (c *Client) wrapRun(err error, id, what string) error {
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return &NotFoundError{ID: id}
	}
	return c.wrap(err, "%s run %q", what, id)
}

// storeError says that the store failed.
func storeError(err error, what string) error {
	if err == nil {
		return nil
	}
	return &UnreachableError{Service: "the store", Err: fmt.Errorf("%s: %w", what, err)}
}

// errNoStore is what operations say that need a store and have none.
var errNoStore = errors.New("no store is named: set CPUB_STORE to the worker's store")
