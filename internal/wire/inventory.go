package wire

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// ErrUnable is wrapped by the errors of calls that the provider has not the ability for.
var ErrUnable = errors.New("the provider cannot do this")

// itemBatch is how many items one message carries at most: below MaxMessage, whatever their texts.
const itemBatch = 100

// Inventory tells what there is of ours. The error wraps ErrUnable where the provider cannot tell.
func (c *Client) Inventory(ctx context.Context, q sdk.InventoryQuery) ([]sdk.Item, error) {
	stream, err := c.rpc.Inventory(ctx, &pb.InventoryRequest{Sizes: q.Sizes, Usage: q.Usage})
	return receiveItems(ctx, stream, err)
}

// Prune removes what belongs to none of the live runs, or with dryRun only tells what that is. The error wraps ErrUnable where the provider cannot tell.
func (c *Client) Prune(ctx context.Context, s sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	stream, err := c.rpc.Prune(ctx, &pb.PruneRequest{LiveRuns: s.LiveRuns, GraceMs: toMillis(s.Grace.Std()), DryRun: dryRun})
	return receiveItems(ctx, stream, err)
}

func receiveItems(ctx context.Context, stream grpc.ServerStreamingClient[pb.ItemsResponse], err error) ([]sdk.Item, error) {
	if err != nil {
		return nil, ableError(ctx, err)
	}
	var all []sdk.Item
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, ableError(ctx, err)
		}
		for _, i := range part.GetItems() {
			all = append(all, toItem(i))
		}
		if part.GetError() != nil {
			return all, toError(part.GetError())
		}
	}
}

// ableError is callError for calls that not every provider knows.
func ableError(ctx context.Context, err error) error {
	if status.Code(err) == codes.Unimplemented {
		return ErrUnable
	}
	return callError(ctx, err)
}

// Inventory asks the provider, where it can tell.
func (s *Server) Inventory(r *pb.InventoryRequest, stream grpc.ServerStreamingServer[pb.ItemsResponse]) error {
	lister, ok := s.provider.(sdk.Lister)
	if !ok {
		return status.Error(codes.Unimplemented, "this provider has no inventory")
	}
	return sendItems(stream, func() ([]sdk.Item, error) {
		return lister.Inventory(stream.Context(), sdk.InventoryQuery{Sizes: r.GetSizes(), Usage: r.GetUsage()})
	})
}

// Prune asks the provider, where it can tell.
func (s *Server) Prune(r *pb.PruneRequest, stream grpc.ServerStreamingServer[pb.ItemsResponse]) error {
	pruner, ok := s.provider.(sdk.Pruner)
	if !ok {
		return status.Error(codes.Unimplemented, "this provider does not tell what it removes")
	}
	grace := min(max(r.GetGraceMs(), 0), int64(math.MaxInt64/time.Millisecond)) // of any length: a shorter one would remove more
	sweep := sdk.Sweep{LiveRuns: r.GetLiveRuns(), Grace: schema.Duration(time.Duration(grace) * time.Millisecond)}
	return sendItems(stream, func() ([]sdk.Item, error) { return pruner.Prune(stream.Context(), sweep, r.GetDryRun()) })
}

func sendItems(stream grpc.ServerStreamingServer[pb.ItemsResponse], list func() ([]sdk.Item, error)) error {
	var all []sdk.Item
	err := guard(func() (err error) {
		all, err = list()
		return err
	})
	for part := range slices.Chunk(all, itemBatch) {
		out := &pb.ItemsResponse{}
		for _, i := range part {
			out.Items = append(out.Items, fromItem(i))
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	if err == nil {
		return nil
	}
	return stream.Send(&pb.ItemsResponse{Error: fromError(err)})
}

// maxItemText is the most bytes of each text of an item.
const maxItemText = 1200

func fromItem(i sdk.Item) *pb.Item {
	return &pb.Item{
		Kind: clip(i.Kind, maxItemText), Id: clip(i.ID, maxItemText), Name: clip(i.Name, maxItemText), Run: clip(i.Run, maxItemText),
		Step: clip(i.Step, maxItemText), Key: clip(i.Key, maxItemText), CreatedMs: toUnix(i.Created), Bytes: i.Bytes, SharedBytes: i.Shared,
		State: clip(i.State, maxItemText), Usage: fromUsage(i.Usage),
	}
}

func toItem(i *pb.Item) sdk.Item {
	return sdk.Item{
		Kind: i.GetKind(), ID: i.GetId(), Name: i.GetName(), Run: i.GetRun(), Step: i.GetStep(), Key: i.GetKey(),
		Created: fromUnix(i.GetCreatedMs()), Bytes: known(i.GetBytes()), Shared: known(i.GetSharedBytes()), State: i.GetState(), Usage: toUsage(i.GetUsage()),
	}
}

func fromUsage(u *sdk.Usage) *pb.Usage {
	if u == nil {
		return nil
	}
	return &pb.Usage{
		AtMs: toUnix(u.At), Memory: u.Memory, MemoryLimit: u.MemoryLimit, CpuNs: int64(u.CPUTime), CpuLimit: u.CPULimit, Pids: u.Pids,
		PidsLimit: u.PidsLimit, UntilMs: toUnix(u.Until),
	}
}

func toUsage(u *pb.Usage) *sdk.Usage {
	if u == nil {
		return nil
	}
	return &sdk.Usage{
		At: fromUnix(u.GetAtMs()), Memory: known(u.GetMemory()), MemoryLimit: known(u.GetMemoryLimit()),
		CPUTime: time.Duration(known(u.GetCpuNs())), CPULimit: max(u.GetCpuLimit(), sdk.Unknown), Pids: known(u.GetPids()),
		PidsLimit: known(u.GetPidsLimit()), Until: fromUnix(u.GetUntilMs()),
	}
}

// known is a number of a peer's, which may be unknown.
func known(n int64) int64 { return max(n, sdk.Unknown) }

func toUnix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromUnix(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
