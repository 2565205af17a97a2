package host

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxLine is where a longer line is broken.
const maxLine = 64 << 10

// lineLog makes log records of a provider's lines. A line that is a JSON object with a level and a message, as slog and hclog write
// them, becomes a record of that level with its attributes; any other is a record of its own text.
type lineLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	rest []byte
	// trace tells that the lines of a crash are coming.
	trace bool
}

func newLineLog(log *slog.Logger, stream string) *lineLog {
	return &lineLog{log: log.With("stream", stream)}
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		n := bytes.IndexByte(l.rest, '\n')
		if n < 0 && len(l.rest) < maxLine {
			return len(p), nil
		}
		if n < 0 {
			l.line(l.rest)
			l.rest = nil
			continue
		}
		l.line(l.rest[:n])
		l.rest = l.rest[n+1:]
	}
}

func (l *lineLog) line(b []byte) {
	text := strings.ToValidUTF8(string(bytes.TrimRight(b, "\r")), "\uFFFD")
	if strings.TrimSpace(text) == "" {
		return
	}
	if level, message, attrs, ok := structured(b); ok {
		l.log.LogAttrs(context.Background(), level, message, attrs...)
		return
	}
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		l.trace = true // to the end: nothing else comes from a process that crashed
	}
	level := slog.LevelInfo
	if l.trace {
		level = slog.LevelError
	}
	l.log.LogAttrs(context.Background(), level, text)
}

func structured(b []byte) (slog.Level, string, []slog.Attr, bool) {
	fields := map[string]any{}
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) || json.Unmarshal(b, &fields) != nil {
		return 0, "", nil, false
	}
	name := first(fields, "level", "@level")
	message := first(fields, "msg", "@message", "message")
	if name == "" || message == "" {
		return 0, "", nil, false
	}
	var attrs []slog.Attr
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		switch k {
		case "level", "@level", "msg", "@message", "message", "time", "@timestamp":
		default:
			attrs = append(attrs, slog.Any(k, fields[k]))
		}
	}
	return levelOf(name), message, attrs, true
}

func first(fields map[string]any, names ...string) string {
	for _, n := range names {
		if s, ok := fields[n].(string); ok {
			return s
		}
	}
	return ""
}

func levelOf(name string) slog.Level {
	switch strings.ToLower(name) {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error", "fatal", "panic":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
