package artifact

import (
	"context"
	"sync"
)

// flight lets one at a time do a thing; those who waited look again for themselves. The zero value is ready.
type flight struct {
	mu      sync.Mutex
	pending map[string]chan struct{}
}

// do calls f while nobody else is in a call with the same name. Waiting ends with ctx.
func (f *flight) do(ctx context.Context, name string, call func() error) error {
	for {
		f.mu.Lock()
		wait, taken := f.pending[name]
		if !taken {
			break // with the lock held
		}
		f.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.pending == nil {
		f.pending = map[string]chan struct{}{}
	}
	done := make(chan struct{})
	f.pending[name] = done
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.pending, name)
		f.mu.Unlock()
		close(done)
	}()
	return call()
}
