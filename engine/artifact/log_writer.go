package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// The sizes and times of a LogWriter.
const (
	flushInterval = time.Second
	flushSize     = 256 << 10 // a chunk is written early when this much waits
	holdSize      = 4 << 20   // Write waits when this much does
	maxEntry      = 64 << 10
)

// LogWriter appends to a live log. Its methods may be called concurrently.
type LogWriter struct {
	store *Store
	key   string
	next  int  // the next chunk's number; -1: not looked for yet
	again bool // the last write failed, so that the next one has time

	mu      sync.Mutex
	changed *sync.Cond // what waits became less, or the writer closed
	waiting bytes.Buffer
	closed  bool
	failed  error // what was dropped, and why

	wake chan struct{}
	done chan struct{}
	stop context.CancelFunc
}

// LogWriter opens the log at key for appending. It writes in the background, until Close.
func (s *Store) LogWriter(ctx context.Context, key string) (*LogWriter, error) {
	if err := checkLogKey(key); err != nil {
		return nil, err
	}
	w := &LogWriter{store: s, key: key, next: -1, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.changed = sync.NewCond(&w.mu)
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	go w.loop(ctx)
	return w, nil
}

// Write appends output of a stream. It waits while the store takes it more slowly than it comes. What a store that fails does not take is
// tried again, and dropped when it becomes too much: a step does not fail for want of its live log. Close tells.
func (w *LogWriter) Write(stream string, p []byte) {
	now := time.Now().UTC()
	for len(p) > 0 {
		n := min(len(p), maxEntry)
		w.add(LogEntry{Time: now, Stream: stream, Text: string(p[:n])})
		p = p[n:]
	}
}

func (w *LogWriter) add(e LogEntry) {
	line, err := json.Marshal(e)
	if err != nil {
		return // strings and times always encode
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.waiting.Len() > holdSize && !w.closed && w.failed == nil {
		w.changed.Wait()
	}
	if w.closed || w.waiting.Len() > holdSize {
		return
	}
	w.waiting.Write(append(line, '\n'))
	if w.waiting.Len() >= flushSize {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Close writes what waits, and the mark of the end, and tries until ctx ends. It tells what kept the log from being whole.
func (w *LogWriter) Close(ctx context.Context) error {
	w.add(LogEntry{Time: time.Now().UTC(), Stream: "step", End: true})
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	unfollow := context.AfterFunc(ctx, w.stop)
	defer unfollow()
	defer w.stop()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *LogWriter) loop(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		wake := w.wake
		if w.again {
			wake = nil
		}
		select {
		case <-tick.C:
		case <-wake:
		case <-ctx.Done():
		}
		if w.flush(ctx) {
			return
		}
	}
}

// flush writes what waits as one chunk, and tells whether that was the last. What cannot be written waits for the next time.
func (w *LogWriter) flush(ctx context.Context) (last bool) {
	w.mu.Lock()
	data := bytes.Clone(w.waiting.Bytes())
	closed := w.closed
	w.mu.Unlock()
	if len(data) > 0 {
		err := w.append(ctx, data)
		if w.again = err != nil; w.again {
			if len(data) > holdSize || ctx.Err() != nil {
				w.give(len(data), err)
			}
			return ctx.Err() != nil
		}
		w.give(len(data), nil)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return closed || w.closed && w.waiting.Len() == 0 || ctx.Err() != nil
}

// give takes n bytes off what waits: they are written, or dropped.
func (w *LogWriter) give(n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = errors.Join(w.failed, err)
	w.waiting.Next(n)
	w.changed.Broadcast()
}

// append writes a chunk behind the last one, also where another writer of the same log is at it.
func (w *LogWriter) append(ctx context.Context, data []byte) error {
	if w.next < 0 {
		next, err := w.store.lastChunk(ctx, w.key)
		if err != nil {
			return err
		}
		w.next = next
	}
	for {
		written, err := w.store.writeChunk(ctx, w.key, w.next, data)
		if err != nil {
			return err
		}
		w.next++
		if written {
			return nil
		}
	}
}
