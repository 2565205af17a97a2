package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/serve"
)

// The test binary is also the provider that it starts, and the host that it kills.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(wire.CookieKey) == wire.CookieValue, len(os.Args) == 2 && os.Args[1] == "-debug", os.Getenv(roleProvider) != "":
		serve.Main(probe{})
	case os.Getenv(roleHost) != "":
		beHost(os.Getenv(roleHost))
	default:
		os.Exit(m.Run())
	}
}

// roleHost names the folder of a host that a test starts as a process.
const roleHost = "CPUB_TEST_HOST"

// roleProvider makes it a provider that nobody gave a cookie.
const roleProvider = "CPUB_TEST_PROVIDER"

// roleBlind makes it a provider that cannot check anything.
const roleBlind = "CPUB_TEST_BLIND"

func beHost(dir string) {
	ctx := context.Background()
	store, err := artifact.Open(ctx, "mem://")
	if err != nil {
		panic(err)
	}
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	h, err := New(ctx, Options{
		Instances: []Instance{{Provider: "probe", Name: "p", Path: exe}},
		Artifacts: store, Cache: filepath.Join(dir, "cache"), StateDir: filepath.Join(dir, "state"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	pid := h.order[0].session().proc.pid.Load()
	fmt.Println(pid, h.rooms.sockets.Dir())
	select {}
}

// probe is a provider whose steps do what goes wrong.
type probe struct{}

func (probe) Info() sdk.Info {
	text := func(name string) schema.Attr { return schema.Attr{Name: name, Type: cty.String} }
	in := schema.Object{Attrs: []schema.Attr{
		{Name: "do", Type: cty.String, Required: true},
		text("text"),
		{Name: "secret", Type: cty.String, Secrets: true},
		{Name: "n", Type: cty.Number},
		schema.File("file", ""), schema.Directory("dir", ""),
	}}
	out := schema.Object{Attrs: []schema.Attr{
		text("text"),
		{Name: "list", Type: cty.List(cty.String)},
		schema.File("file", ""), schema.Directory("dir", ""),
		{Name: "number", Type: cty.Number},
	}}
	return sdk.Info{
		Name: "probe", Version: "1.2.3", Config: schema.Object{Attrs: []schema.Attr{text("fail"), {Name: "size", Type: cty.Number}}},
		Steps: []sdk.StepType{
			{Name: "probe", Doc: "Does what a test wants.", Input: in, Output: out, Run: run},
			{
				Name: "pure", Doc: "The same as probe, for the same input.", Input: in, Run: run, Pure: true,
				Output: out.With(schema.Attr{Name: "cached", Type: cty.Bool}),
			},
		},
	}
}

func (probe) Configure(_ context.Context, c sdk.Configuration) (string, error) {
	var config struct{ Fail string }
	if err := c.Decode(&config); err != nil {
		return "", err
	}
	if config.Fail != "" {
		return "", errors.New(config.Fail)
	}
	return "here", os.WriteFile(filepath.Join(c.StateDir, "configured"), []byte(c.Instance), 0o600)
}

func (probe) Check(context.Context) ([]sdk.Finding, error) {
	if os.Getenv(roleBlind) != "" {
		return nil, errors.New("it cannot look")
	}
	return []sdk.Finding{{Name: "all", OK: true, Detail: "is well"}}, nil
}

func (probe) Release(_ context.Context, keys []string) error {
	if slices.Contains(keys, "bad") {
		return sdk.Permanentf("no such key")
	}
	return nil
}

func (probe) Sweep(_ context.Context, s sdk.Sweep) (int, error) { return len(s.LiveRuns), nil }

type input struct {
	Do, Text  string
	Secret    string
	N         int
	File, Dir *sdk.Artifact
}

type outputs struct {
	Text   string        `json:"text,omitempty"`
	List   []string      `json:"list,omitempty"`
	File   *sdk.Artifact `json:"file,omitempty"`
	Dir    *sdk.Artifact `json:"dir,omitempty"`
	Number any           `json:"number,omitempty"`
}

func run(ctx context.Context, req *sdk.Request) (any, error) {
	var in input
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	switch in.Do {
	case "echo":
		return echo(req, in)
	case "secret":
		return tellSecret(req, in)
	case "queued":
		return outputs{Number: req.Queued.Milliseconds()}, nil
	case "env":
		return outputs{List: os.Environ()}, nil
	case "crash":
		fmt.Fprintln(os.Stderr, "about to crash")
		os.Exit(3)
	case "panic":
		panic("at the disco")
	case "hang":
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return nil, err
		}
		time.Sleep(time.Minute) // the stop takes a moment to reach every thread
		return nil, errors.New("it was not stopped")
	case "fail":
		return nil, &sdk.Error{
			Kind: sdk.KindPermanent, Code: "oom", RetryAfter: time.Second, Outputs: []byte(`{"text":"partial"}`), Err: errors.New("too much"),
		}
	case "fail with a file":
		path := filepath.Join(req.Scratch, "log")
		out, err := json.Marshal(outputs{Text: "partial", File: sdk.File(path, "log", "text/plain")})
		if err != nil {
			return nil, err
		}
		failure := &sdk.Error{Kind: sdk.KindPermanent, Code: "exit", Outputs: out, Err: errors.New("it failed")}
		return nil, errors.Join(failure, os.WriteFile(path, []byte(in.Text), 0o600))
	case "flood":
		for range in.N {
			_, _ = req.Log("stdout").Write([]byte(strings.Repeat("x", 1000) + "\n"))
		}
		return outputs{}, nil
	case "wait":
		req.Logf("waiting")
		<-ctx.Done()
		return nil, os.WriteFile(in.Text, []byte(context.Cause(ctx).Error()), 0o600)
	case "path":
		return outputs{File: sdk.File(in.Text, "f", "")}, nil
	case "path dir":
		return outputs{Dir: sdk.Directory(in.Text, "d")}, nil
	case "link out":
		link := filepath.Join(req.Scratch, "link")
		return outputs{File: sdk.File(filepath.Join(link, filepath.Base(in.Text)), "f", "")}, os.Symlink(filepath.Dir(in.Text), link)
	case "big":
		return outputs{Text: strings.Repeat("x", in.N)}, nil
	case "wrong type":
		return outputs{Number: "one"}, nil
	case "child":
		return outputs{Text: "started"}, startChild()
	}
	return nil, sdk.Invalidf("do", "nothing like %q is done here", in.Do)
}

// tellSecret tells a secret in all the ways that there are; of its letters the last is told apart from the others, which nothing hides.
func tellSecret(req *sdk.Request, in input) (any, error) {
	for _, p := range []string{"it is " + in.Secret[:3], in.Secret[3:] + "\n", in.Secret[:len(in.Secret)-1]} {
		_, _ = req.Log("stdout").Write([]byte(p))
	}
	req.Progress(sdk.Progress{Message: "with " + in.Secret})
	if err := req.SaveCheckpoint(map[string]string{"at": in.Secret}); err != nil {
		return nil, err
	}
	if in.Text == "fail" {
		return nil, sdk.Failed("exit", outputs{Text: in.Secret}, fmt.Errorf("no luck%s with %s", strings.Repeat("!", in.N), in.Secret))
	}
	return outputs{Text: fmt.Sprintf("%d bytes: %s", len(in.Secret), in.Secret)}, nil
}

func echo(req *sdk.Request, in input) (any, error) {
	req.Logf("echo %s", in.Text)
	req.Progress(sdk.Progress{Message: "half", Done: 1, Total: 2})
	if err := req.SaveCheckpoint(map[string]int{"at": 1}); err != nil {
		return nil, err
	}
	out := outputs{Text: in.Text}
	if in.File != nil {
		path, err := req.Path(in.File)
		if err != nil {
			return nil, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		made := filepath.Join(req.Scratch, "made")
		if err := os.WriteFile(made, append(content, '!'), 0o600); err != nil {
			return nil, err
		}
		out.File = sdk.File(made, "made.txt", "text/plain")
	}
	if in.Dir != nil {
		path, err := req.Path(in.Dir)
		if err != nil {
			return nil, err
		}
		tree := filepath.Join(req.Scratch, "tree")
		if err := os.CopyFS(tree, os.DirFS(path)); err != nil {
			return nil, err
		}
		out.Dir = sdk.Directory(tree, "tree")
	}
	return out, nil
}

// startChild starts a process that outlives this one, unless somebody ends it, and holds its outputs open.
func startChild() error {
	p, err := os.StartProcess("/bin/sleep", []string{"cpub-host-test-child", "600"}, &os.ProcAttr{Files: []*os.File{nil, os.Stderr, os.Stderr}})
	if err != nil {
		return err
	}
	return p.Release()
}

// observer remembers what it was told.
type observer struct {
	mu         sync.Mutex
	log        strings.Builder
	progress   []sdk.Progress
	checkpoint json.RawMessage
	first      chan struct{} // closed at the first log
	once       sync.Once
	slow       time.Duration
}

func newObserver() *observer { return &observer{first: make(chan struct{})} }

func (o *observer) Log(stream string, p []byte) {
	time.Sleep(o.slow)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.WriteString(stream + ":" + string(p))
	o.once.Do(func() { close(o.first) })
}

func (o *observer) Progress(p sdk.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = append(o.progress, p)
}

func (o *observer) Checkpoint(data json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.checkpoint = data
}
