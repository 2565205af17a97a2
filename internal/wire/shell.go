package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// Shell opens a shell and goes with it to its end. Stdin is read until it ends, or once more after Shell returned. When ctx ends, the
// stream breaks, by which the provider removes the shell. The error wraps ErrUnable where the provider has no shells.
func (c *Client) Shell(ctx context.Context, s *sdk.Shell) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Shell(ctx)
	if err != nil {
		return 0, ableError(ctx, err)
	}
	in := &shellInput{stream: stream}
	start := &pb.ShellStart{
		Step: fromRequest(s.Request, 0), Command: s.Command, TimeLimitMs: toMillis(s.TimeLimit), Terminal: s.Terminal,
	}
	if err := in.send(&pb.ShellRequest{Message: &pb.ShellRequest_Start{Start: start}}); err != nil && !errors.Is(err, io.EOF) {
		return 0, ableError(ctx, err)
	}
	go in.copy(s.Stdin)
	go in.resize(ctx, s.Sizes)
	for {
		msg, err := stream.Recv()
		if err != nil {
			return 0, ableError(ctx, err)
		}
		switch m := msg.GetMessage().(type) {
		case *pb.ShellResponse_Output:
			_, err = s.Stdout.Write(m.Output)
		case *pb.ShellResponse_ErrorOutput:
			_, err = s.Stderr.Write(m.ErrorOutput)
		case *pb.ShellResponse_Ready:
			s.Ready()
		case *pb.ShellResponse_Notice:
			s.Host.Log("step", []byte(m.Notice))
		case *pb.ShellResponse_Ended:
			return int(m.Ended.GetExitCode()), toError(m.Ended.GetError())
		}
		if err != nil {
			return 0, fmt.Errorf("writing what the shell wrote: %w", err)
		}
	}
}

// shellInput sends what goes into a shell. Where sending fails the stream is broken, which its receiver tells.
type shellInput struct {
	stream grpc.BidiStreamingClient[pb.ShellRequest, pb.ShellResponse]
	mu     sync.Mutex // one sender at a time
	closed bool
}

func (i *shellInput) send(r *pb.ShellRequest) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	return i.stream.Send(r)
}

func (i *shellInput) copy(r io.Reader) {
	buf := make([]byte, logChunk)
	for {
		n, err := r.Read(buf)
		if n > 0 && i.send(&pb.ShellRequest{Message: &pb.ShellRequest_Input{Input: append([]byte(nil), buf[:n]...)}}) != nil {
			return
		}
		if err != nil {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.closed = true
			_ = i.stream.CloseSend()
			return
		}
	}
}

func (i *shellInput) resize(ctx context.Context, sizes <-chan sdk.TerminalSize) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok {
				return
			}
			msg := &pb.TerminalSize{Columns: uint32(size.Columns), Rows: uint32(size.Rows)}
			if i.send(&pb.ShellRequest{Message: &pb.ShellRequest_Resize{Resize: msg}}) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Shell opens one, where the provider can.
func (s *Server) Shell(stream grpc.BidiStreamingServer[pb.ShellRequest, pb.ShellResponse]) error {
	sheller, ok := s.provider.(sdk.Sheller)
	if !ok {
		return status.Error(codes.Unimplemented, "this provider has no shells")
	}
	s.runs.Add(1)
	defer s.runs.Done()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "the first message of Shell is start")
	}
	ctx, end := context.WithCancel(stream.Context())
	defer end()
	defer context.AfterFunc(s.ending, end)()
	out := &shellOutput{stream: stream}
	shell := &sdk.Shell{
		Request: toRequest(start.GetStep(), out), Command: start.GetCommand(), TimeLimit: fromMillis(start.GetTimeLimitMs()),
		Terminal: start.GetTerminal(),
	}
	flush, err := Reveal(shell.Request, s.secrets.all())
	var code int
	if err == nil {
		defer flush()
		sizes := make(chan sdk.TerminalSize, 1)
		r, w := io.Pipe()
		shell.Ready = func() { _ = out.send(&pb.ShellResponse{Message: &pb.ShellResponse_Ready{Ready: &pb.ShellReady{}}}) }
		go receiveInput(stream, w, sizes)
		shell.Stdin, shell.Sizes = r, sizes
		output := &prompt{w: shell.Redactor.Writer(shellStream{out, false})}
		errOutput := &prompt{w: shell.Redactor.Writer(shellStream{out, true})}
		shell.Stdout, shell.Stderr = output, errOutput
		err = guard(func() (err error) {
			code, err = sheller.Shell(ctx, shell)
			return err
		})
		_ = r.Close()
		output.close()
		errOutput.close()
	}
	ended := &pb.ShellEnded{ExitCode: int32(code), Error: fromErrorBehind(shell.Redactor, err)} //nolint:gosec // an exit code
	return out.send(&pb.ShellResponse{Message: &pb.ShellResponse_Ended{Ended: ended}})
}

// receiveInput hands on what comes for a shell until the stream ends. Of the sizes, the newest counts.
func receiveInput(stream grpc.BidiStreamingServer[pb.ShellRequest, pb.ShellResponse], w *io.PipeWriter, sizes chan sdk.TerminalSize) {
	defer w.Close()
	for {
		msg, err := stream.Recv()
		if err != nil {
			return
		}
		if size := msg.GetResize(); size != nil {
			newest := sdk.TerminalSize{Columns: uint16(min(size.GetColumns(), 1<<15)), Rows: uint16(min(size.GetRows(), 1<<15))} //nolint:gosec // bounded
			select {
			case <-sizes:
			default:
			}
			sizes <- newest // the only sender
		}
		if p := msg.GetInput(); len(p) > 0 {
			if _, err := w.Write(p); err != nil {
				w = closedPipe() // the shell reads no more; sizes still count
			}
		}
	}
}

// closedPipe takes nothing.
func closedPipe() *io.PipeWriter {
	r, w := io.Pipe()
	_ = r.Close()
	return w
}

// shellOutput is the provider's end of one Shell: an sdk.Host of which the log alone is sent.
type shellOutput struct {
	stream grpc.BidiStreamingServer[pb.ShellRequest, pb.ShellResponse]
	mu     sync.Mutex // one sender at a time
}

func (o *shellOutput) send(r *pb.ShellResponse) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream.Send(r)
}

// Log implements sdk.Host.
func (o *shellOutput) Log(_ string, p []byte) {
	_ = o.send(&pb.ShellResponse{Message: &pb.ShellResponse_Notice{Notice: clip(string(p), maxErrorMessage)}}) // nobody is there if it fails
}

// Progress implements sdk.Host.
func (o *shellOutput) Progress(sdk.Progress) {}

// Checkpoint implements sdk.Host.
func (o *shellOutput) Checkpoint(json.RawMessage) {}

// shellStream is one of the two outputs of a shell.
type shellStream struct {
	o   *shellOutput
	err bool
}

func (s shellStream) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), logChunk)
		msg := &pb.ShellResponse{Message: &pb.ShellResponse_Output{Output: rest[:n]}}
		if s.err {
			msg = &pb.ShellResponse{Message: &pb.ShellResponse_ErrorOutput{ErrorOutput: rest[:n]}}
		}
		if err := s.o.send(msg); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// holdTime is how long the beginning of what may be a secret is held back from a person who types.
const holdTime = 50 * time.Millisecond

// prompt writes to a redactor's writer, which holds back what may become a secret: a while after the last write that is written too.
type prompt struct {
	w  io.WriteCloser
	mu sync.Mutex
	at *time.Timer
}

func (p *prompt) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at != nil {
		p.at.Stop()
	}
	n, err := p.w.Write(b)
	p.at = time.AfterFunc(holdTime, p.flush)
	return n, err
}

func (p *prompt) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.w.Close() // writes what is held; where that fails nobody is there
}

func (p *prompt) close() {
	p.mu.Lock()
	if p.at != nil {
		p.at.Stop()
	}
	p.mu.Unlock()
	p.flush()
}
