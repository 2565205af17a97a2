package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestObserverKeepsTheTail(t *testing.T) {
	o := newObserver(Heartbeat{ReturnedAttempt: 2, Failures: 2, Log: []string{"old"}, Checkpoint: json.RawMessage(`{}`)})
	for i := range 30 {
		o.Log("stdout", fmt.Appendf(nil, "line %d\npart", i))
		o.Log("stdout", []byte(" of a line\r\n"))
	}
	o.Log("stderr", []byte("unfinished"))
	want := []string{}
	for i := 25; i < 30; i++ {
		want = append(want, fmt.Sprintf("line %d", i), "part of a line")
	}
	if !slices.Equal(o.state.Log, want) {
		t.Errorf("tail %q, want %q", o.state.Log, want)
	}
	if o.state.ReturnedAttempt != 2 || o.state.Failures != 2 || string(o.state.Checkpoint) != `{}` {
		t.Errorf("what came before was lost: %+v", o.state)
	}
}

func TestObserverBoundsWhatItSends(t *testing.T) {
	o := newObserver(Heartbeat{})
	o.Log("stdout", []byte(strings.Repeat("x", 100_000)))
	o.Log("stdout", []byte("\xff\xfe bytes\n"))
	o.Checkpoint(json.RawMessage(`{"a":1}`))
	o.Checkpoint(json.RawMessage(`"` + strings.Repeat("x", maxCheckpoint) + `"`))
	o.Checkpoint(json.RawMessage(`no JSON`))
	if string(o.state.Checkpoint) != `{"a":1}` {
		t.Errorf("checkpoint %.40s", o.state.Checkpoint)
	}
	data, err := json.Marshal(o.state)
	if err != nil || len(data) > 3*tailBytes {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
