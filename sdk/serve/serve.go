// Package serve makes a process of an sdk.Provider:
//
//	func main() { serve.Main(greet.New()) }
//
// The process is started by a worker, and ends with it. Started by a person with -debug, it prints what a worker needs to
// attach to it, and so can run under a debugger.
package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// drainTime is how long running steps have to return when the process ends.
const drainTime = 1500 * time.Millisecond

// Main serves the provider until the worker ends or says so, then returns. Steps that run then are detached from; a provider
// that is an io.Closer is closed after them. What is wrong at the start is printed, and ends the process with 1.
func Main(p sdk.Provider) {
	if err := run(p, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n", err)
		os.Exit(1)
	}
}

func run(p sdk.Provider, args []string) error {
	server, err := wire.NewServer(p)
	if err != nil {
		return err
	}
	defer closeProvider(p)
	if len(args) == 1 && (args[0] == "-debug" || args[0] == "--debug") {
		return debug(server, p.Info())
	}
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		info := p.Info()
		return fmt.Errorf("this is the ContainerPub provider %s %s, which cpub-worker starts: name it in a provider block of worker.hcl, "+
			"or start it with -debug to run it under a debugger", info.Name, info.Version)
	}
	return serve(server)
}

// serve speaks with the worker that started this process.
func serve(server *wire.Server) error {
	pair, err := wire.NewPair()
	if err != nil {
		return err
	}
	tlsConfig, err := pair.ProviderTLS([]byte(os.Getenv(wire.EnvClientCert)))
	if err != nil {
		return fmt.Errorf("the worker did not say who it is: %w", err)
	}
	restore, err := addToHandshake(pair.Line())
	if err != nil {
		return err
	}
	defer restore()
	end := newEnd(server)
	defer end.watch()()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(server),
		TLSProvider:      constant(tlsConfig),
		GRPCServer:       end.grpcServer,
		Logger:           hclog.NewNullLogger(),
	})
	end.detach()
	return nil
}

// end brings a serving process to its end.
type end struct {
	server *wire.Server
	grpc   *grpc.Server
}

func newEnd(server *wire.Server) *end { return &end{server: server} }

func (e *end) grpcServer(opts []grpc.ServerOption) *grpc.Server {
	e.grpc = grpc.NewServer(append(opts, wire.ServerOptions()...)...)
	return e.grpc
}

// watch ends the serving when the process is told to end, or its worker is gone. The returned function ends the watching.
func (e *end) watch() func() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if os.Getenv(wire.EnvWatchStdin) == "1" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // nothing is ever written there: its end, or an error, is the worker's end
			stop()
		}()
	}
	unfollow := context.AfterFunc(ctx, func() {
		e.detach()
		if e.grpc == nil { // before the server was made: nothing to end gently
			os.Exit(0)
		}
		e.grpc.Stop()
	})
	return func() {
		unfollow()
		stop()
	}
}

func (e *end) detach() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	_ = e.server.Detach(ctx) // a step that does not return in time is lost, as if the process had been killed
}

func closeProvider(p sdk.Provider) {
	if c, ok := p.(io.Closer); ok {
		if err := c.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "closing the provider: %s\n", err)
		}
	}
}
