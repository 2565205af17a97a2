package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// RunOptions are the times of a Run; zero values are the defaults.
type RunOptions struct {
	Heartbeat time.Duration // how often the provider says something; a second
	Silence   time.Duration // after which it counts as hanging; fifteen heartbeats
	Grace     time.Duration // for it to return after cancel or detach; thirty seconds
}

func (o RunOptions) withDefaults() RunOptions {
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.Silence == 0 {
		o.Silence = 15 * o.Heartbeat
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	return o
}

// ErrHung is wrapped by the error of a Run whose provider said nothing for too long.
var ErrHung = errors.New("the provider hangs")

// Run carries out one attempt and returns its outputs. req.Host takes what it reports; it is not called after Run returned. When
// ctx ends, the provider is told to detach (cause sdk.ErrDetached) or to cancel (any other), and Run waits for its answer; the
// error then wraps the context's cause. Errors of the step are *sdk.Error; ErrUnreachable and ErrHung tell that the provider was lost.
func (c *Client) Run(ctx context.Context, req *sdk.Request, opts RunOptions) (json.RawMessage, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	opts = opts.withDefaults()
	streamCtx, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	stream, err := c.rpc.Run(streamCtx)
	if err != nil {
		return nil, callError(streamCtx, err)
	}
	start := fromRequest(req, opts.Heartbeat)
	err = stream.Send(&pb.RunRequest{Message: &pb.RunRequest_Start{Start: start}})
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the provider has ended the stream already, and receive tells why
		return nil, callError(streamCtx, err)
	}
	defer tellEnd(ctx, stream, opts.Grace, abort)()
	result, err := receive(streamCtx, stream, req.Host, opts.Silence, abort)
	if err == nil {
		var outputs json.RawMessage
		if outputs, err = toResult(result); err == nil {
			return outputs, nil
		}
	} else if cause := context.Cause(streamCtx); cause != nil {
		err = cause
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return nil, err
}

// errGrace is why a stream was given up whose provider did not heed cancel or detach.
var errGrace = errors.New("the provider did not return in time")

// tellEnd tells the provider when ctx ends, and gives the stream up when there is no answer within the grace. The returned function
// ends the watching.
func tellEnd(ctx context.Context, stream grpc.BidiStreamingClient[pb.RunRequest, pb.RunResponse], grace time.Duration, abort context.CancelCauseFunc) func() {
	var timer atomic.Pointer[time.Timer]
	stop := context.AfterFunc(ctx, func() {
		timer.Store(time.AfterFunc(grace, func() { abort(errGrace) }))
		msg := &pb.RunRequest{Message: &pb.RunRequest_Cancel{Cancel: &pb.Cancel{}}}
		if errors.Is(context.Cause(ctx), sdk.ErrDetached) {
			msg = &pb.RunRequest{Message: &pb.RunRequest_Detach{Detach: &pb.Detach{}}}
		}
		_ = stream.Send(msg) // where it fails the stream is broken, which Recv tells
	})
	return func() {
		stop()
		if t := timer.Load(); t != nil {
			t.Stop()
		}
	}
}

// receive hands on what the provider reports until its result. Silence counts only while nothing is being handed on, so that a
// slow host is not taken for a hung provider.
func receive(ctx context.Context, stream grpc.BidiStreamingClient[pb.RunRequest, pb.RunResponse], host sdk.Host, silence time.Duration, abort context.CancelCauseFunc) (*pb.Result, error) {
	for {
		watch := time.AfterFunc(silence, func() { abort(fmt.Errorf("%w: no sign of life for %s", ErrHung, silence)) })
		msg, err := stream.Recv()
		watch.Stop()
		if err != nil {
			return nil, runError(ctx, err)
		}
		if result := msg.GetResult(); result != nil {
			return result, nil
		}
		report(host, msg)
	}
}

func runError(ctx context.Context, err error) error {
	err = callError(ctx, err)
	if errors.Is(err, ErrUnreachable) {
		return fmt.Errorf("the provider ended while the step was running: %w", err)
	}
	return err
}

func report(host sdk.Host, msg *pb.RunResponse) {
	switch m := msg.GetMessage().(type) {
	case *pb.RunResponse_Log:
		host.Log(toStream(m.Log.GetStream()), m.Log.GetData())
	case *pb.RunResponse_Progress:
		host.Progress(toProgress(m.Progress))
	case *pb.RunResponse_Checkpoint:
		if data := m.Checkpoint.GetData(); len(data) <= MaxCheckpoint && json.Valid(data) {
			host.Checkpoint(data)
		}
	}
}

// toStream takes a stream that we do not know for the provider's own words.
func toStream(s string) string {
	switch s {
	case "stdout", "stderr":
		return s
	default:
		return "step"
	}
}

func toResult(r *pb.Result) (json.RawMessage, error) {
	if r.GetError() != nil {
		return nil, toError(r.GetError())
	}
	switch outputs := r.GetOutputs(); {
	case len(outputs) > MaxOutputs:
		return nil, sdk.Permanentf("the provider gave outputs of %d bytes, more than %d", len(outputs), MaxOutputs)
	case !json.Valid(outputs):
		return nil, sdk.Permanentf("the provider gave outputs that are no JSON")
	default:
		return outputs, nil
	}
}
