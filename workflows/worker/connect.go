package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	"github.com/containerpub/cpub/workflows"
)

// The waits between two tries of something that must work before a worker can: the first, and the longest.
const (
	firstWait = time.Second
	maxWait   = 15 * time.Second
)

// await tries until it works or ctx ends, and says each time what does not work.
func await(ctx context.Context, l *slog.Logger, what string, try func(context.Context) error) error {
	wait := firstWait
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.Warn(what+" failed; trying again", "error", err, "in", wait.String())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, maxWait)
	}
}

// dial waits until Temporal answers and knows the namespace.
func dial(ctx context.Context, s *Parts, polls map[string]time.Duration) (tclient.Client, error) {
	o := s.Temporal
	o.Logger = log.NewStructuredLogger(s.Log)
	o.ContextPropagators = append([]workflow.ContextPropagator{workflows.Propagator()}, o.ContextPropagators...)
	o.ConnectionOptions.DialOptions = append([]grpc.DialOption{grpc.WithChainUnaryInterceptor(shortenPolls(polls))}, o.ConnectionOptions.DialOptions...)
	c, err := tclient.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("setting up the connection to Temporal: %w", err)
	}
	err = await(ctx, s.Log, fmt.Sprintf("reaching Temporal at %s", o.HostPort), func(ctx context.Context) error {
		return checkNamespace(ctx, c, o.Namespace)
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkTime is how long one look at Temporal may take.
const checkTime = 10 * time.Second

// checkNamespace asks Temporal for the namespace.
func checkNamespace(ctx context.Context, c tclient.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("there is no namespace %q: create it with `temporal operator namespace create`", namespace)
	}
	var denied *serviceerror.PermissionDenied
	if errors.As(err, &denied) { // one who may not describe the namespace may still work in it
		return nil
	}
	return err
}
