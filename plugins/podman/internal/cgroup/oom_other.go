//go:build !linux

package cgroup

// OOMWatch notices nothing: there are no cgroups here.
type OOMWatch struct{}

// WatchOOM does nothing.
func (g Group) WatchOOM() (*OOMWatch, error) { return &OOMWatch{}, nil }

// Seen is false.
func (w *OOMWatch) Seen() bool { return false }

// Close does nothing.
func (w *OOMWatch) Close() error { return nil }
