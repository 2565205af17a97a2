package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/sockdir"
)

// Forward is a socket in a folder of our own that leads to Podman on another machine: Podman's bindings are given it, as their own way of
// dialling there trusts whoever answers, and heeds no context. Close it.
type Forward struct {
	// Path is the socket's.
	Path string

	dial     Dialer
	dir      *sockdir.Dir
	listener net.Listener
	ctx      context.Context //nolint:containedctx // the life of the socket
	cancel   context.CancelFunc
	wait     sync.WaitGroup
}

// The status of the answer that a caller gets where the other side was not reached: StatusUnreachable where it may be another time,
// StatusRefused where it refuses us, or we it.
const (
	StatusUnreachable = http.StatusBadGateway
	StatusRefused     = http.StatusNetworkAuthenticationRequired
)

// NewForward opens the socket in a new folder.
func NewForward(ctx context.Context, dial Dialer) (*Forward, error) {
	dir, err := sockdir.New()
	if err != nil {
		return nil, err
	}
	f := &Forward{Path: filepath.Join(dir.Path, "podman.sock"), dial: dial, dir: dir}
	if f.listener, err = (&net.ListenConfig{}).Listen(ctx, "unix", f.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening a socket for Podman: %w", err), dir.Close())
	}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.wait.Go(f.serve)
	return f, nil
}

// Close ends the connections and removes the socket.
func (f *Forward) Close() error {
	f.cancel()
	err := f.listener.Close()
	f.wait.Wait()
	return errors.Join(err, f.dir.Close())
}

func (f *Forward) serve() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			if f.ctx.Err() != nil {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of files, perhaps
			continue
		}
		f.wait.Go(func() { f.carry(conn) })
	}
}

// carry goes with one connection to its end. HTTP never closes one half alone: the end of either side is the end of both, so that
// whoever breaks off a call breaks it off on the other machine.
func (f *Forward) carry(local net.Conn) {
	defer func() { _ = local.Close() }()
	distant, err := f.dial(f.ctx)
	if err != nil {
		apologize(local, err)
		return
	}
	end := sync.OnceFunc(func() {
		_ = local.Close()
		_ = distant.Close()
	})
	defer end()
	stop := context.AfterFunc(f.ctx, end)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(distant, local) // its end is all that counts
		end()
	}()
	if n, err := io.Copy(local, distant); n == 0 && err != nil {
		apologize(local, fmt.Errorf("talking to Podman: %w", err)) // such as a service that refuses our certificate
	}
	end()
	<-done
}

// apologize answers a call that cannot be carried to Podman in Podman's stead, so that the caller learns why.
func apologize(local net.Conn, err error) {
	status := StatusUnreachable
	var refused *Refused
	if errors.As(err, &refused) {
		status = StatusRefused
	}
	text, _ := json.Marshal(map[string]any{"message": err.Error(), "cause": err.Error(), "response": status}) // strings and a number
	_ = local.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprintf(local, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(text), text)
	if half, ok := local.(*net.UnixConn); ok {
		_ = half.CloseWrite()
	}
	// What the caller still sends is taken, or it would see that fail and not read the answer.
	_, _ = io.Copy(io.Discard, local)
}
