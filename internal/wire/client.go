package wire

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// Client is the host's end of the protocol. Its methods may be called concurrently.
type Client struct {
	rpc    pb.ProviderClient
	health grpc_health_v1.HealthClient
}

// NewClient speaks over a connection made with DialOptions.
func NewClient(conn grpc.ClientConnInterface) *Client {
	return &Client{rpc: pb.NewProviderClient(conn), health: grpc_health_v1.NewHealthClient(conn)}
}

// ErrUnreachable is wrapped by errors of calls that got no answer, because the provider ended or does not answer.
var ErrUnreachable = errors.New("the provider does not answer")

// Ping asks whether the provider still answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: healthService})
	return callError(ctx, err)
}

// Describe gives the provider's description. Its steps have no Run.
func (c *Client) Describe(ctx context.Context) (sdk.Info, error) {
	r, err := c.rpc.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return sdk.Info{}, callError(ctx, err)
	}
	info, err := toInfo(r)
	if err != nil {
		return sdk.Info{}, fmt.Errorf("the provider's description is not valid: %w", err)
	}
	return info, nil
}

// Configure configures the instance and returns its location.
func (c *Client) Configure(ctx context.Context, cfg sdk.Configuration) (string, error) {
	r, err := c.rpc.Configure(ctx, fromConfiguration(cfg))
	if err != nil {
		return "", callError(ctx, err)
	}
	return r.GetLocation(), toError(r.GetError())
}

// Check returns what the provider found; nothing where it cannot tell.
func (c *Client) Check(ctx context.Context) ([]sdk.Finding, error) {
	r, err := c.rpc.Check(ctx, &pb.CheckRequest{})
	if err != nil {
		return nil, callError(ctx, err)
	}
	var out []sdk.Finding
	for _, f := range r.GetFindings() {
		out = append(out, toFinding(f))
	}
	return out, toError(r.GetError())
}

// releaseBatch is how many keys one message carries at most: far below MaxMessage.
const releaseBatch = 4096

// Release says that these keys are done with.
func (c *Client) Release(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), releaseBatch)
		r, err := c.rpc.Release(ctx, &pb.ReleaseRequest{Keys: keys[:n]})
		if err != nil {
			return callError(ctx, err)
		}
		if err := toError(r.GetError()); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// Sweep removes what belongs to none of the live runs, and tells how much that was.
func (c *Client) Sweep(ctx context.Context, s sdk.Sweep) (int, error) {
	r, err := c.rpc.Sweep(ctx, fromSweep(s))
	if err != nil {
		return 0, callError(ctx, err)
	}
	return int(max(0, r.GetRemoved())), toError(r.GetError())
}

// callError says in words of ours what became of a call.
func callError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unavailable:
		return fmt.Errorf("%w: %s", ErrUnreachable, s.Message())
	case codes.Canceled:
		if ctx.Err() == nil { // not by us: the connection was closed because the process has ended
			return fmt.Errorf("%w: %s", ErrUnreachable, s.Message())
		}
		return fmt.Errorf("%w: %s", context.Canceled, s.Message())
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", ErrUnreachable, context.DeadlineExceeded)
	case codes.ResourceExhausted:
		return sdk.Permanentf("a message between worker and provider is larger than %d bytes: %s", MaxMessage, s.Message())
	case codes.Unimplemented:
		return sdk.Permanentf("the provider does not serve this call: %s", s.Message())
	default:
		return errors.New(s.Message())
	}
}
