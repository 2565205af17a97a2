package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// plain has no ability beyond the least.
type plain struct{}

func (plain) Info() sdk.Info { return sdk.Info{Name: "plain", Version: "1"} }

func (plain) Configure(context.Context, sdk.Configuration) (string, error) { return "", nil }

// able has all of them.
type able struct {
	plain
	items  []sdk.Item
	sweeps chan sdk.Sweep
}

func (a able) Inventory(_ context.Context, q sdk.InventoryQuery) ([]sdk.Item, error) {
	if q.Sizes {
		return a.items, errors.New("some sizes are not known")
	}
	return a.items, nil
}

func (a able) Prune(_ context.Context, s sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	a.sweeps <- s
	return []sdk.Item{{Kind: "dry", Name: fmt.Sprint(dryRun)}}, nil
}

// Shell says what it was asked for, and then what it is told, in capitals.
func (able) Shell(_ context.Context, s *sdk.Shell) (int, error) {
	s.Logf("making it")
	s.Ready()
	fmt.Fprintf(s.Stdout, "%s %s %v %s %v\n", s.Step, string(s.Input), s.Command, s.TimeLimit, s.Terminal)
	if s.Terminal {
		fmt.Fprintln(s.Stdout, <-s.Sizes)
	}
	text, err := io.ReadAll(s.Stdin)
	fmt.Fprint(s.Stderr, strings.ToUpper(string(text)))
	if string(text) == "fail" {
		return 0, sdk.Failed(sdk.CodeTimeLimit, nil, errors.New("its time is over"))
	}
	return 42, err
}

func loopback(t *testing.T, p sdk.Provider) *Client {
	t.Helper()
	c, stop, err := Loopback(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return c
}

func TestAbilitiesThatAreNotThere(t *testing.T) {
	c := loopback(t, plain{})
	_, inventory := c.Inventory(t.Context(), sdk.InventoryQuery{})
	_, prune := c.Prune(t.Context(), sdk.Sweep{}, true)
	_, shell := c.Shell(t.Context(), &sdk.Shell{Request: &sdk.Request{}, Stdin: strings.NewReader("")})
	for name, err := range map[string]error{"inventory": inventory, "prune": prune, "shell": shell} {
		if !errors.Is(err, ErrUnable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestItems(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	usage := &sdk.Usage{
		At: at, Memory: 5, MemoryLimit: sdk.Unknown, CPUTime: time.Second, CPULimit: 0.5, Pids: 3, PidsLimit: 9, Until: at.Add(time.Minute),
	}
	a := able{sweeps: make(chan sdk.Sweep, 1)}
	for n := range 1000 { // more than one message carries
		a.items = append(a.items, sdk.Item{
			Kind: sdk.ItemContainer, ID: fmt.Sprint(n), Name: "n", Run: strings.Repeat("r", 1000), Step: "s", Key: "k", Created: at, Bytes: 7,
			Shared: sdk.Unknown, State: "running", Usage: usage,
		})
	}
	a.items[0].Usage, a.items[0].Created = nil, time.Time{}
	c := loopback(t, a)
	got, err := c.Inventory(t.Context(), sdk.InventoryQuery{})
	if err != nil || !reflect.DeepEqual(got, a.items) {
		t.Errorf("%d items, %v; the second is %+v", len(got), err, got[1])
	}
	if got, err = c.Inventory(t.Context(), sdk.InventoryQuery{Sizes: true}); err == nil || len(got) != len(a.items) {
		t.Errorf("with an error: %d items, %v", len(got), err)
	}
	sweep := sdk.Sweep{LiveRuns: []string{"a/b"}, Grace: schema.Duration(1000 * 24 * time.Hour)} // of any length
	got, err = c.Prune(t.Context(), sweep, true)
	if err != nil || len(got) != 1 || got[0].Name != "true" {
		t.Errorf("pruned %+v, %v", got, err)
	}
	if s := <-a.sweeps; !reflect.DeepEqual(s, sweep) {
		t.Errorf("it was asked for %+v", s)
	}
}

// said is an sdk.Host that keeps the log.
type said struct{ text strings.Builder }

func (s *said) Log(_ string, p []byte)     { s.text.Write(p) }
func (s *said) Progress(sdk.Progress)      {}
func (s *said) Checkpoint(json.RawMessage) {}

// answered takes what a shell writes, and types the input once it has written so much.
type answered struct {
	strings.Builder
	input, after string
	typed        *io.PipeWriter
}

func (a *answered) Write(p []byte) (int, error) {
	n, err := a.Builder.Write(p)
	if strings.HasSuffix(a.String(), a.after) {
		go func() {
			_, _ = io.WriteString(a.typed, a.input)
			_ = a.typed.Close()
		}()
	}
	return n, err
}

func TestShell(t *testing.T) {
	c := loopback(t, able{})
	for name, tt := range map[string]struct {
		input, out, err string
		terminal        bool
		code            int
	}{
		"a pipe":     {input: "hello", out: "step {\"a\":1} [ls -l] 1m0s false\n", err: "HELLO", code: 42},
		"a terminal": {input: "hi", out: "step {\"a\":1} [ls -l] 1m0s true\n{90 30}\n", err: "HI", terminal: true, code: 42},
		"a failure":  {input: "fail", out: "step {\"a\":1} [ls -l] 1m0s false\n", err: "FAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut := &answered{input: tt.input, after: "\n"}, strings.Builder{}
			if tt.terminal {
				out.after = "{90 30}\n"
			}
			stdin, typed := io.Pipe()
			out.typed = typed
			host, ready := &said{}, false
			sizes := make(chan sdk.TerminalSize, 1)
			sizes <- sdk.TerminalSize{Columns: 90, Rows: 30}
			code, err := c.Shell(t.Context(), &sdk.Shell{
				Request: &sdk.Request{Step: "step", Input: json.RawMessage(`{"a":1}`), Host: host}, Command: []string{"ls", "-l"},
				TimeLimit: time.Minute, Terminal: tt.terminal, Sizes: sizes, Ready: func() { ready = true },
				Stdin: stdin, Stdout: out, Stderr: &errOut,
			})
			failed := new(sdk.Error)
			if code != tt.code || (err != nil) != (tt.code == 0) || err != nil && (!errors.As(err, &failed) || failed.Code != sdk.CodeTimeLimit) {
				t.Errorf("it ended with %d, %v", code, err)
			}
			if out.String() != tt.out || errOut.String() != tt.err || !ready || host.text.String() != "making it\n" {
				t.Errorf("stdout %q, stderr %q, ready %v, said %q", out.String(), errOut.String(), ready, host.text.String())
			}
		})
	}
}

func TestShellHidesSecrets(t *testing.T) {
	c := loopback(t, able{})
	if _, err := c.Configure(t.Context(), sdk.Configuration{Secrets: []sdk.Secret{{Name: "TOKEN", Value: "hush-hush"}}}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	_, err := c.Shell(t.Context(), &sdk.Shell{
		Request: &sdk.Request{
			Step: "step", Input: json.RawMessage(`{"env":{"T":""}}`), Host: &said{},
			Secrets: []schema.SecretText{{Path: []string{"env", "T"}, Parts: []schema.SecretPart{{Secret: "TOKEN"}}}},
		},
		Ready: func() {}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard,
	})
	if err != nil || strings.Contains(out.String(), "hush") || !strings.Contains(out.String(), `{"env":{"T":"***"}}`) {
		t.Errorf("it said %q, %v", out.String(), err)
	}
}
