package host

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLineLog(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"a line", []string{"hello\n"}, []string{"INFO hello"}},
		{"a line in pieces", []string{"he", "llo", "\n"}, []string{"INFO hello"}},
		{"lines in one piece", []string{"a\r\n\n  \nb\nrest"}, []string{"INFO a", "INFO b"}},
		{"slog's JSON", []string{`{"time":"x","level":"WARN","msg":"m","n":1}` + "\n"}, []string{"WARN m n=1"}},
		{"hclog's JSON", []string{`{"@timestamp":"x","@level":"error","@message":"m","z":"1","a":true}` + "\n"}, []string{"ERROR m a=true z=1"}},
		{"other JSON", []string{`{"a":1}` + "\n"}, []string{`INFO "{\"a\":1}"`}},
		{"a crash", []string{"before\npanic: x\n\ngoroutine 1\n"}, []string{"INFO before", `ERROR "panic: x"`, `ERROR "goroutine 1"`}},
		{"no UTF-8", []string{"a\xffb\n"}, []string{"INFO \"a\uFFFDb\""}},
		{"a line without end", []string{strings.Repeat("x", maxLine), "y\n"}, []string{"INFO " + strings.Repeat("x", maxLine), "INFO y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			plain := func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "stream" {
					return slog.Attr{}
				}
				return a
			}
			l := newLineLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: plain})), "stderr")
			for _, w := range tt.writes {
				if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
			}
			got := strings.NewReplacer("level=", "", "msg=", "").Replace(strings.TrimSuffix(out.String(), "\n"))
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
