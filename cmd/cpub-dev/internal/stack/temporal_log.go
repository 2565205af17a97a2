package stack

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// temporalLogger gives the Temporal server's messages to slog. The server
// calls Fatal where it cannot go on and does not expect it to return; since
// the other services of the stack must still be ended properly, that ends the
// calling goroutine and tells the owner, rather than end the process.
type temporalLogger struct {
	log   *slog.Logger
	fatal func(error)
}

var (
	_ log.Logger      = temporalLogger{}
	_ log.SLogWrapper = temporalLogger{}
)

func (l temporalLogger) Debug(msg string, tags ...tag.Tag)  { l.write(slog.LevelDebug, msg, tags) }
func (l temporalLogger) Info(msg string, tags ...tag.Tag)   { l.write(slog.LevelInfo, msg, tags) }
func (l temporalLogger) Warn(msg string, tags ...tag.Tag)   { l.write(slog.LevelWarn, msg, tags) }
func (l temporalLogger) Error(msg string, tags ...tag.Tag)  { l.write(slog.LevelError, msg, tags) }
func (l temporalLogger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

func (l temporalLogger) Panic(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	panic(msg)
}

func (l temporalLogger) Fatal(msg string, tags ...tag.Tag) {
	l.write(slog.LevelError, msg, tags)
	err := fmt.Errorf("the Temporal server gave up: %s", msg)
	for _, t := range tags {
		if cause, ok := t.Value().(error); ok {
			err = fmt.Errorf("the Temporal server gave up: %s: %w", msg, cause)
		}
	}
	l.fatal(err)
	runtime.Goexit()
}

// SLog returns the logger itself, for the parts of the server that use slog.
func (l temporalLogger) SLog() *slog.Logger { return l.log }

func (l temporalLogger) write(level slog.Level, msg string, tags []tag.Tag) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	l.log.LogAttrs(context.Background(), level, msg, attrs...)
}
