//go:build !linux

package container

// exitOf cannot watch processes here.
func exitOf(int) (ended <-chan struct{}, stop func()) { return nil, func() {} }
