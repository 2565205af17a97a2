package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// address is a loopback host and a port.
type address struct {
	host string
	port int
}

// String returns host:port.
func (a address) String() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

// localhost returns the address under the name that container tools take for
// a registry without TLS.
func (a address) localhost() string { return "localhost:" + strconv.Itoa(a.port) }

// addresses are what the services of one stack listen on.
type addresses struct {
	temporal, ui, s3, registry address
	internal                   [3]address // Temporal's history, matching and worker services
}

// reserve settles the addresses of the wanted services. The ports are free
// when it returns; nothing holds them, since the servers open them by
// themselves.
func reserve(ctx context.Context, opts Options) (addresses, error) {
	var at addresses
	taken := map[int]bool{}
	wanted := []struct {
		service, what, given, usual string
		into                        *address
	}{
		{Temporal, "Temporal", opts.TemporalAddress, ":7233", &at.temporal},
		{Temporal, "Temporal's UI", opts.UIAddress, ":8233", &at.ui},
		{S3, "the S3 gateway", opts.S3Address, ":9000", &at.s3},
		{Registry, "the registry", opts.RegistryAddress, ":5000", &at.registry},
	}
	for _, w := range wanted {
		if !opts.runs(w.service) {
			continue
		}
		given := w.given
		if given == "" {
			given = w.usual
		}
		a, err := settle(ctx, given, taken)
		if err != nil {
			return at, fmt.Errorf("the address of %s: %w", w.what, err)
		}
		*w.into = a
	}
	for i := range at.internal {
		a, err := settle(ctx, ":0", taken)
		if err != nil {
			return at, fmt.Errorf("the internal addresses of Temporal: %w", err)
		}
		at.internal[i] = a
	}
	return at, nil
}

// settle turns what the user gave into an address that can be listened on.
func settle(ctx context.Context, given string, taken map[int]bool) (address, error) {
	a, err := parseAddress(given)
	if err != nil {
		return a, err
	}
	if a.port == 0 {
		a.port, err = freePort(ctx, a.host, taken)
		return a, err
	}
	if taken[a.port] {
		return a, fmt.Errorf("%s is given to two services", a)
	}
	taken[a.port] = true
	return a, waitFree(ctx, a)
}

// parseAddress reads "host:port" or ":port". Nothing in this stack asks who
// its caller is but the S3 gateway, so only loopback hosts are taken.
func parseAddress(given string) (address, error) {
	host, portText, err := net.SplitHostPort(given)
	if err != nil {
		return address{}, fmt.Errorf("%q is not host:port: %w", given, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("%q has no port between 0 and 65535", given)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Is4() || !ip.IsLoopback() {
		return address{}, fmt.Errorf("%q is not on this machine's loopback (127.0.0.1), and these services are not safe to offer to others", given)
	}
	return address{host: host, port: int(port)}, nil
}

// waitFree returns when the address can be listened on. It waits a moment,
// because the processes of a stack that was killed take one to end.
func waitFree(ctx context.Context, a address) error {
	const patience, pause = time.Second, 50 * time.Millisecond
	for deadline := time.Now().Add(patience); ; {
		err := tryListen(ctx, a)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%s cannot be used: %w", a, err)
		case time.Now().After(deadline):
			return fmt.Errorf("%s is in use by another program: stop that, or choose another address", a)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// tryListen opens the address and closes it again.
func tryListen(ctx context.Context, a address) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", a.String())
	if err != nil {
		return err
	}
	return l.Close()
}

// freePort finds a free port below the range from which systems give ports to
// outgoing connections, so that none of those takes it before the server does.
func freePort(ctx context.Context, host string, taken map[int]bool) (int, error) {
	const low, high, tries = 20000, 32000, 200
	var last error
	for range tries {
		if err := ctx.Err(); err != nil {
			return 0, err // no port could be tried, so nothing is said of them
		}
		port := low + rand.IntN(high-low)
		if taken[port] {
			continue
		}
		if last = tryListen(ctx, address{host, port}); last == nil {
			taken[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port between %d and %d is free: %w", low, high, last)
}
