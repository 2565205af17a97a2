package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// hostile is a provider of somebody who does what the protocol forbids.
type hostile struct {
	pb.UnimplementedProviderServer
	run func(grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) error
}

func (h hostile) Run(s grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) error {
	return h.run(s)
}

// dial serves over memory.
func dial(t *testing.T, register func(*grpc.Server)) *Client {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer() // without ServerOptions: a peer keeps to no limit
	register(server)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///x", append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewClient(conn)
}

// record is a host that keeps what it is told.
type record struct {
	logs        []string
	checkpoints []string
}

func (r *record) Log(stream string, p []byte) { r.logs = append(r.logs, stream+":"+string(p)) }
func (r *record) Progress(sdk.Progress)       {}
func (r *record) Checkpoint(data json.RawMessage) {
	r.checkpoints = append(r.checkpoints, string(data))
}

func TestRunAgainstHostileProviders(t *testing.T) {
	type stream = grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]
	result := func(r *pb.Result) *pb.RunResponse {
		return &pb.RunResponse{Message: &pb.RunResponse_Result{Result: r}}
	}
	tests := []struct {
		name string
		run  func(stream) error
		kind sdk.Kind
		want string
	}{
		{"no result", func(stream) error { return nil }, sdk.KindTransient, "EOF"},
		{"an empty result", func(s stream) error { return s.Send(result(&pb.Result{})) }, sdk.KindPermanent, "no JSON"},
		{"outputs that are no JSON", func(s stream) error { return s.Send(result(&pb.Result{Outputs: []byte("{")})) }, sdk.KindPermanent, "no JSON"},
		{"large outputs", func(s stream) error {
			return s.Send(result(&pb.Result{Outputs: []byte(`"` + strings.Repeat("x", MaxOutputs) + `"`)}))
		}, sdk.KindPermanent, "more than"},
		{"a message over the limit", func(s stream) error {
			return s.Send(&pb.RunResponse{Message: &pb.RunResponse_Log{Log: &pb.Log{Data: make([]byte, MaxMessage+1)}}})
		}, sdk.KindPermanent, "larger than"},
		{"nothing in the message", func(s stream) error { return s.Send(&pb.RunResponse{}) }, sdk.KindTransient, "EOF"},
		{"an empty error", func(s stream) error { return s.Send(result(&pb.Result{Error: &pb.Error{}})) }, sdk.KindTransient, ""},
		{"silence", func(s stream) error { <-s.Context().Done(); return nil }, sdk.KindTransient, ErrHung.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, func(s *grpc.Server) { pb.RegisterProviderServer(s, hostile{run: tt.run}) })
			_, err := c.Run(t.Context(), &sdk.Request{Host: &record{}}, RunOptions{Silence: 300 * time.Millisecond})
			var e *sdk.Error
			kind := sdk.KindTransient
			if errors.As(err, &e) {
				kind = e.Kind
			}
			if err == nil || kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("kind %q, %v, want %q, %q", kind, err, tt.kind, tt.want)
			}
		})
	}
}

func TestReportsOfHostileProviders(t *testing.T) {
	c := dial(t, func(s *grpc.Server) {
		pb.RegisterProviderServer(s, hostile{run: func(s grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) error {
			for _, m := range []*pb.RunResponse{
				{Message: &pb.RunResponse_Log{Log: &pb.Log{Stream: "../etc", Data: []byte("a\xff")}}},
				{Message: &pb.RunResponse_Checkpoint{Checkpoint: &pb.Checkpoint{Data: []byte("{")}}},
				{Message: &pb.RunResponse_Checkpoint{Checkpoint: &pb.Checkpoint{Data: []byte(`"` + strings.Repeat("x", MaxCheckpoint) + `"`)}}},
				{Message: &pb.RunResponse_Checkpoint{Checkpoint: &pb.Checkpoint{Data: []byte("1")}}},
				{Message: &pb.RunResponse_Progress{}},
				{Message: &pb.RunResponse_Result{Result: &pb.Result{Outputs: []byte("{}")}}},
			} {
				if err := s.Send(m); err != nil {
					return err
				}
			}
			return nil
		}})
	})
	r := &record{}
	out, err := c.Run(t.Context(), &sdk.Request{Host: r}, RunOptions{})
	if err != nil || string(out) != "{}" {
		t.Fatalf("%s, %v", out, err)
	}
	if len(r.logs) != 1 || r.logs[0] != "step:a\xff" || len(r.checkpoints) != 1 || r.checkpoints[0] != "1" {
		t.Errorf("reported %q, %q", r.logs, r.checkpoints)
	}
}

// TestAHostWithoutStart is a host that does what the protocol forbids.
func TestAHostWithoutStart(t *testing.T) {
	server, err := NewServer(one{})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, func(s *grpc.Server) { server.Register(s) })
	s, err := c.rpc.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.RunRequest{Message: &pb.RunRequest_Cancel{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("error %v", err)
	}
	if _, err := c.Run(t.Context(), &sdk.Request{StepType: "none", Host: &record{}}, RunOptions{}); err == nil || !strings.Contains(err.Error(), `no step type "none"`) {
		t.Errorf("an unknown step type: %v", err)
	}
}

// one is a provider with one step, that waits.
type one struct{}

func (one) Info() sdk.Info {
	return sdk.Info{Name: "one", Version: "1", Steps: []sdk.StepType{{Name: "wait", Run: func(ctx context.Context, r *sdk.Request) (any, error) {
		r.Logf("started")
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}}}}
}

func (one) Configure(context.Context, sdk.Configuration) (string, error) {
	panic("not configured here")
}

func TestAPanicOfTheProviderIsAnError(t *testing.T) {
	server, err := NewServer(one{})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, func(s *grpc.Server) { server.Register(s) })
	if _, err := c.Configure(t.Context(), sdk.Configuration{}); err == nil || !strings.Contains(err.Error(), "not configured here") {
		t.Errorf("error %v", err)
	}
}

// TestTheHostGoesAway detaches: what a broken connection means to a step.
func TestTheHostGoesAway(t *testing.T) {
	server, err := NewServer(one{})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 1)
	step := server.info.Step("wait")
	inner := step.Run
	step.Run = func(ctx context.Context, r *sdk.Request) (any, error) {
		out, err := inner(ctx, r)
		said <- err
		return out, err
	}
	c := dial(t, func(s *grpc.Server) { server.Register(s) })
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := c.rpc.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.RunRequest{Message: &pb.RunRequest_Start{Start: &pb.Start{StepType: "wait"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // the log line
		t.Fatal(err)
	}
	cancel()
	if err := <-said; !errors.Is(err, sdk.ErrDetached) {
		t.Errorf("the step was told %v", err)
	}
}
