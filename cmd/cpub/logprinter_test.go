package main

import (
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/workflows/client"
)

func TestLogPrinter(t *testing.T) {
	run := &client.Run{Steps: []*client.Step{{Name: "a"}, {Name: "long"}}}
	pieces := []client.Line{
		{Step: "a", Stream: "stdout", Text: "one\ntw"},
		{Step: "a", Stream: "stderr", Text: "err\r\n"},
		{Step: "a", Stream: "stdout", Text: "o\n"},
		{Step: "long", Stream: "stdout", Text: "\x1b[31mred\x1b[2J\nrest"},
	}
	for name, test := range map[string]struct {
		step string
		tail int
		tty  bool
		want string
	}{
		"all":      {"", -1, false, "a    | one\na    | err\na    | two\nlong | \x1b[31mred\x1b[2J\nlong | rest\n"},
		"terminal": {"", 1, true, "long | \x1b[31mred\x1b[0m\nlong | rest\n"},
		"one step": {"a", 2, false, "two\n\x1b[31mred\x1b[2J\nrest\n"},
		"no tail":  {"", 0, false, "long | rest\n"},
	} {
		var out strings.Builder
		p := newLogPrinter(&stdio{out: &out, outTTY: test.tty, getenv: func(string) string { return "" }}, run, test.step, false)
		for _, piece := range pieces {
			if err := p.hold(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.release(test.tail); err != nil {
			t.Fatal(err)
		}
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%s: got %q, want %q", name, out.String(), test.want)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"": {}, "10m": now.Add(-10 * time.Minute), "2026-11-24T11:00:00Z": now.Add(-time.Hour)} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	if _, err := parseSince("yesterday", now); err == nil || !strings.Contains(err.Error(), "RFC") && !strings.Contains(err.Error(), "2026-11-24T12:00:00Z") {
		t.Errorf("got %v", err)
	}
}
