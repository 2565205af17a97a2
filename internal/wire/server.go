package wire

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// Server serves one sdk.Provider.
type Server struct {
	pb.UnimplementedProviderServer

	provider sdk.Provider
	info     sdk.Info
	describe *pb.DescribeResponse
	secrets  vault

	// ending ends with the cause sdk.ErrDetached when the process is about to.
	ending context.Context //nolint:containedctx // the server's own life
	end    context.CancelCauseFunc
	runs   sync.WaitGroup
}

// NewServer fails where the provider's description is not valid.
func NewServer(p sdk.Provider) (*Server, error) {
	info := p.Info()
	if err := info.Validate(); err != nil {
		return nil, err
	}
	describe, err := fromInfo(info)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", info.Name, err)
	}
	s := &Server{provider: p, info: info, describe: describe}
	s.ending, s.end = context.WithCancelCause(context.Background())
	return s, nil
}

// Register makes the service known to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { pb.RegisterProviderServer(r, s) }

// Detach detaches from every running step and waits until they have returned, or ctx ends.
func (s *Server) Detach(ctx context.Context) error {
	s.end(sdk.ErrDetached)
	done := make(chan struct{})
	go func() {
		s.runs.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Describe gives what NewServer was given.
func (s *Server) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return s.describe, nil
}

// Configure configures the provider.
func (s *Server) Configure(ctx context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	var location string
	s.secrets.fill(r.GetSecrets())
	err := guard(func() (err error) {
		location, err = s.provider.Configure(ctx, toConfiguration(r))
		return err
	})
	return &pb.ConfigureResponse{Location: location, Error: fromError(err)}, nil
}

// Check asks the provider, where it can tell.
func (s *Server) Check(ctx context.Context, _ *pb.CheckRequest) (*pb.CheckResponse, error) {
	checker, ok := s.provider.(sdk.Checker)
	if !ok {
		return &pb.CheckResponse{}, nil
	}
	out := &pb.CheckResponse{}
	err := guard(func() error {
		findings, err := checker.Check(ctx)
		for _, f := range findings {
			out.Findings = append(out.Findings, fromFinding(f))
		}
		return err
	})
	out.Error = fromError(err)
	return out, nil
}

// Release tells the provider, where it keeps anything.
func (s *Server) Release(ctx context.Context, r *pb.ReleaseRequest) (*pb.ReleaseResponse, error) {
	releaser, ok := s.provider.(sdk.Releaser)
	if !ok {
		return &pb.ReleaseResponse{}, nil
	}
	err := guard(func() error { return releaser.Release(ctx, r.GetKeys()) })
	return &pb.ReleaseResponse{Error: fromError(err)}, nil
}

// Sweep tells the provider, where it can sweep.
func (s *Server) Sweep(ctx context.Context, r *pb.SweepRequest) (*pb.SweepResponse, error) {
	sweeper, ok := s.provider.(sdk.Sweeper)
	if !ok {
		return &pb.SweepResponse{}, nil
	}
	out := &pb.SweepResponse{}
	err := guard(func() error {
		removed, err := sweeper.Sweep(ctx, toSweep(r))
		out.Removed = int64(removed)
		return err
	})
	out.Error = fromError(err)
	return out, nil
}

// Run carries out one attempt.
func (s *Server) Run(stream grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) error {
	s.runs.Add(1)
	defer s.runs.Done()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first message of Run is start")
	}
	a := newAttempt(stream)
	ctx, stop := a.follow(s.ending)
	defer stop()
	ended := a.heartbeat(fromMillis(start.GetHeartbeatIntervalMs()))
	result := s.attempt(ctx, toRequest(start, a))
	ended()
	return a.send(&pb.RunResponse{Message: &pb.RunResponse_Result{Result: result}})
}

// attempt carries out a request with its secrets, which get no further than the provider's code.
func (s *Server) attempt(ctx context.Context, req *sdk.Request) *pb.Result {
	flush, err := Reveal(req, s.secrets.all())
	if err != nil {
		return &pb.Result{Error: fromError(err)}
	}
	defer flush()
	return s.carryOut(ctx, req)
}

func (s *Server) carryOut(ctx context.Context, req *sdk.Request) *pb.Result {
	step := s.info.Step(req.StepType)
	if step == nil {
		return &pb.Result{Error: fromError(sdk.Permanentf("provider %s has no step type %q", s.info.Name, req.StepType))}
	}
	var outputs any
	err := guard(func() (err error) {
		outputs, err = step.Run(ctx, req)
		return err
	})
	if err != nil {
		return &pb.Result{Error: fromErrorBehind(req.Redactor, err)}
	}
	data, err := EncodeOutputs(outputs)
	return &pb.Result{Outputs: hideJSON(req.Redactor, data), Error: fromErrorBehind(req.Redactor, err)}
}

// guard turns a panic of the provider's code into a transient error: the other steps of the process go on.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the provider panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}
