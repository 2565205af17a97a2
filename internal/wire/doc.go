// Package wire is the provider protocol: the conversions between the sdk's types and the published messages
// (docs/protocol/*.proto), one pure function a type, and the glue to go-plugin on both ends.
//
// Nothing that a peer sends makes it panic: what it does not understand is an error, or is left out.
package wire

//go:generate protoc -I ../../docs/protocol --go_out=pb --go_opt=paths=source_relative --go-grpc_out=pb --go-grpc_opt=paths=source_relative schema.proto provider.proto
