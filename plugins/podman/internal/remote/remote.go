// Package remote reaches a Podman service on another machine: over ssh, or over TCP with TLS. The connection is ours, with strict
// keys, and is handed to Podman's bindings as a socket of this machine.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Dialer opens a connection to a Podman service. It heeds its context.
type Dialer func(ctx context.Context) (net.Conn, error)

// How long reaching the other machine may take, how often it is asked whether it is still there, and how long it may take to answer.
const (
	dialTimeout   = 20 * time.Second
	aliveInterval = 5 * time.Second
	aliveTimeout  = 15 * time.Second
)

// ErrClosed is the error of everything that is asked of a connection that was closed.
var ErrClosed = errors.New("the connection to Podman's machine was closed")

// Refused is an error that trying again cannot help: the machine, or we, refuse the other.
type Refused struct{ Err error }

func (r *Refused) Error() string { return r.Err.Error() }

func (r *Refused) Unwrap() error { return r.Err }

func refusedf(format string, args ...any) error { return &Refused{Err: fmt.Errorf(format, args...)} }
