package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// attempt is the provider's end of one Run: an sdk.Host that sends what the step reports.
type attempt struct {
	stream grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]
	mu     sync.Mutex // one sender at a time
}

func newAttempt(stream grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) *attempt {
	return &attempt{stream: stream}
}

// follow gives the step's context: it ends with sdk.ErrCancelled or sdk.ErrDetached as the host says, and with the latter also
// where the host is gone or the process is ending.
func (a *attempt) follow(ending context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(a.stream.Context()))
	unfollowEnding := context.AfterFunc(ending, func() { cancel(sdk.ErrDetached) })
	go func() {
		for {
			msg, err := a.stream.Recv()
			switch {
			case errors.Is(err, io.EOF):
				return // the host has nothing more to say; the stream lives on
			case err != nil:
				cancel(sdk.ErrDetached)
				return
			case msg.GetCancel() != nil:
				cancel(sdk.ErrCancelled)
			case msg.GetDetach() != nil:
				cancel(sdk.ErrDetached)
			}
		}
	}()
	unfollowStream := context.AfterFunc(a.stream.Context(), func() { cancel(sdk.ErrDetached) })
	return ctx, func() {
		unfollowEnding()
		unfollowStream()
		cancel(context.Canceled)
	}
}

// The bounds of what a host may ask for as the interval of heartbeats.
const (
	minHeartbeat = 10 * time.Millisecond
	maxHeartbeat = time.Minute
)

// heartbeat sends one every interval until the returned function is called, which waits for the last one.
func (a *attempt) heartbeat(interval time.Duration) func() {
	if interval == 0 {
		interval = DefaultHeartbeat
	}
	ticker := time.NewTicker(min(max(interval, minHeartbeat), maxHeartbeat))
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ticker.C:
				if a.send(&pb.RunResponse{Message: &pb.RunResponse_Heartbeat{Heartbeat: &pb.Heartbeat{}}}) != nil {
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(quit)
		<-done
	}
}

func (a *attempt) send(r *pb.RunResponse) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stream.Send(r)
}

// report sends what nobody can act on when it fails: the host is gone then, and the step's context says so.
func (a *attempt) report(r *pb.RunResponse) { _ = a.send(r) }

// Log implements sdk.Host.
func (a *attempt) Log(stream string, p []byte) {
	for len(p) > 0 {
		n := min(len(p), logChunk)
		a.report(&pb.RunResponse{Message: &pb.RunResponse_Log{Log: &pb.Log{Stream: stream, Data: p[:n]}}})
		p = p[n:]
	}
}

// Progress implements sdk.Host.
func (a *attempt) Progress(p sdk.Progress) {
	a.report(&pb.RunResponse{Message: &pb.RunResponse_Progress{Progress: fromProgress(p)}})
}

// Checkpoint implements sdk.Host.
func (a *attempt) Checkpoint(data json.RawMessage) {
	a.report(&pb.RunResponse{Message: &pb.RunResponse_Checkpoint{Checkpoint: &pb.Checkpoint{Data: data}}})
}
