package artifact

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// A live log is a sequence of chunk objects below one key, numbered from 0: JSON lines, each one entry. A writer appends chunks; a
// reader reads from a number on, and so follows.

// LogEntry is a piece of a step's output.
type LogEntry struct {
	Time time.Time `json:"time"`
	// Stream is "stdout", "stderr" or "step".
	Stream string `json:"stream"`
	// Text is as it came: parts of lines, or many. Bytes that are no UTF-8 are replaced.
	Text string `json:"text"`
	// End says that the writer closed the log; it has no text. An attempt that follows may go on after it.
	End bool `json:"end,omitempty"`
}

// maxChunk is the most bytes that a reader takes for one chunk.
const maxChunk = 8 << 20

func chunkKey(key string, n int) string { return key + "/" + fmt.Sprintf("%08d", n) }

func checkLogKey(key string) error {
	if !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("%q is no key of a log: a relative path with slashes", key)
	}
	return nil
}

// ReadLog gives what the log at key has from chunk `from` on, and the number to go on from next time. A log that nobody wrote to is empty.
func (s *Store) ReadLog(ctx context.Context, key string, from int) (entries []LogEntry, next int, err error) {
	if err := checkLogKey(key); err != nil {
		return nil, from, err
	}
	for next = from; ; next++ {
		chunk, err := s.readChunk(ctx, key, next)
		if errors.Is(err, ErrNotFound) {
			return entries, next, nil
		}
		if err != nil {
			return entries, next, err
		}
		entries = append(entries, chunk...)
	}
}

func (s *Store) readChunk(ctx context.Context, key string, n int) ([]LogEntry, error) {
	r, err := s.bucket.NewReader(ctx, chunkKey(key, n), nil)
	if err != nil {
		return nil, notFound(fmt.Sprintf("reading chunk %d of the log %s", n, key), err)
	}
	defer r.Close()
	var out []LogEntry
	dec := json.NewDecoder(bufio.NewReader(io.LimitReader(r, maxChunk)))
	for {
		var e LogEntry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, fmt.Errorf("reading chunk %d of the log %s: %w", n, key, err)
		}
		out = append(out, e)
	}
}

// followInterval is how often a follower looks for new chunks.
const followInterval = 300 * time.Millisecond

// FollowLog calls each for every entry of the log at key, from the first on and as they come, until one says End, each returns an error
// (which it returns), or ctx ends (whose cause it returns).
func (s *Store) FollowLog(ctx context.Context, key string, each func(LogEntry) error) error {
	for next := 0; ; {
		entries, n, err := s.ReadLog(ctx, key, next)
		if err != nil {
			return err
		}
		next = n
		for _, e := range entries {
			if err := each(e); err != nil || e.End {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(followInterval):
		}
	}
}

// lastChunk gives the number after the last chunk.
func (s *Store) lastChunk(ctx context.Context, key string) (int, error) {
	next := 0
	for it := s.bucket.List(&blob.ListOptions{Prefix: key + "/"}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return 0, fmt.Errorf("looking for the end of the log %s: %w", key, err)
		}
		if n, err := strconv.Atoi(path.Base(o.Key)); err == nil && strings.Count(o.Key, "/") == strings.Count(key, "/")+1 {
			next = max(next, n+1)
		}
	}
}

// writeChunk stores entries as chunk n. It tells false where somebody else has written it.
func (s *Store) writeChunk(ctx context.Context, key string, n int, data []byte) (bool, error) {
	err := s.bucket.WriteAll(ctx, chunkKey(key, n), data, &blob.WriterOptions{ContentType: "application/jsonl", IfNotExist: true})
	switch {
	case err == nil:
		return true, nil
	case gcerrors.Code(err) == gcerrors.FailedPrecondition:
		return false, nil
	default:
		return false, fmt.Errorf("writing chunk %d of the log %s: %w", n, key, err)
	}
}
