package wire

import (
	"time"

	"google.golang.org/grpc"
)

// The sizes that the protocol allows, in bytes.
const (
	MaxMessage    = 1 << 20  // any message
	MaxOutputs    = 64 << 10 // a step's outputs; more is an artifact
	MaxCheckpoint = 16 << 10
	logChunk      = 32 << 10 // of one Log message that we send
	streamWindow  = 256 << 10
)

// DefaultHeartbeat is how often a provider is asked to send something.
const DefaultHeartbeat = time.Second

// ServerOptions are what a provider's gRPC server is made with: the limits, and fixed windows of flow control, so that a host
// that reads slowly holds the provider back after streamWindow bytes.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.InitialWindowSize(MaxMessage), grpc.InitialConnWindowSize(64 * MaxMessage),
	}
}

// DialOptions are what the host's connection is made with.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(64 * MaxMessage),
	}
}
