package worker

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// A poll holds one of its instance's slots. With few of them, a poll on one queue that lasts a minute would keep tasks of the other
// queue waiting for as long: these polls are short. The server hands back an unanswered poll a second before its deadline, so that
// no task is lost with it.
const (
	shortPoll = 4 * time.Second
	longPoll  = 11 * time.Second // shorter ones than ten seconds make the server warn
	fewSlots  = 4
)

// pollTime is how long a poll may last on the queues of an instance with that many slots.
func pollTime(maxConcurrent int) time.Duration {
	if maxConcurrent < fewSlots {
		return shortPoll
	}
	return longPoll
}

// shortenPolls gives the polls on these queues a deadline.
func shortenPolls(times map[string]time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		poll, ok := req.(*workflowservice.PollActivityTaskQueueRequest)
		if !ok {
			return next(ctx, method, req, reply, cc, opts...)
		}
		if d, ok := times[poll.GetTaskQueue().GetName()]; ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d)
			defer cancel()
		}
		return next(ctx, method, req, reply, cc, opts...)
	}
}
