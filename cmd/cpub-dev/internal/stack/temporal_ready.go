package stack

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// startPatience is how long a service may take to answer after its start.
const startPatience = time.Minute

// awaitTemporal returns when the server serves the namespace and knows our
// search attributes.
func awaitTemporal(ctx context.Context, frontend, namespace string, fatal <-chan error) error {
	conn, err := grpc.NewClient(frontend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dialling the server: %w", err)
	}
	defer func() { _ = conn.Close() }()

	workflows := workflowservice.NewWorkflowServiceClient(conn)
	err = eventually(ctx, fatal, func(ctx context.Context) error {
		_, err := workflows.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		return err
	})
	if err != nil {
		return fmt.Errorf("waiting for namespace %q: %w", namespace, err)
	}
	operator := operatorservice.NewOperatorServiceClient(conn)
	err = eventually(ctx, fatal, func(ctx context.Context) error {
		return registerSearchAttributes(ctx, operator, namespace)
	})
	if err != nil {
		return fmt.Errorf("registering search attributes: %w", err)
	}
	return nil
}

// registerSearchAttributes adds those that a namespace of an older stack, or
// of somebody else's making, does not have.
func registerSearchAttributes(ctx context.Context, operator operatorservice.OperatorServiceClient, namespace string) error {
	known, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, kind := range searchAttributes() {
		if _, ok := known.GetCustomAttributes()[name]; !ok {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: missing,
	})
	return err
}

// eventually calls try until it succeeds, something fatal is reported, ctx
// ends, or the patience with a starting service does.
func eventually(ctx context.Context, fatal <-chan error, try func(context.Context) error) error {
	const oneTry, pause = 5 * time.Second, 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		once, cancel := context.WithTimeout(ctx, oneTry)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case cause := <-fatal:
			return cause
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}
