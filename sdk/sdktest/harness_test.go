package sdktest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// thing is a provider with what a harness has to deal with.
type thing struct{}

func (thing) Info() sdk.Info {
	return sdk.Info{
		Name: "thing", Version: "1", Config: schema.Object{Attrs: []schema.Attr{{Name: "size", Type: cty.Number}}},
		Steps: []sdk.StepType{
			{
				Name: "copy",
				Input: schema.Object{Attrs: []schema.Attr{
					schema.File("file", ""), schema.Directory("dir", ""), {Name: "fail", Type: cty.String},
				}},
				Output: schema.Object{Attrs: []schema.Attr{schema.File("file", ""), schema.Directory("dir", "")}},
				Run:    copyThings,
			},
			{Name: "out", Output: schema.Object{Attrs: []schema.Attr{schema.File("file", "")}}, Run: thing{}.out},
		},
	}
}

func (thing) Configure(_ context.Context, c sdk.Configuration) (string, error) {
	return "place-" + c.Instance, nil
}

func (thing) Release(_ context.Context, keys []string) error {
	return errors.New(strings.Join(keys, "+"))
}
func (thing) Sweep(context.Context, sdk.Sweep) (int, error) { return 7, nil }
func (thing) Check(context.Context) ([]sdk.Finding, error) {
	return []sdk.Finding{{Name: "x", OK: true}}, nil
}

func copyThings(_ context.Context, req *sdk.Request) (any, error) {
	var in struct {
		File, Dir *sdk.Artifact
		Fail      string
	}
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if in.Fail != "" {
		return nil, sdk.Failed(in.Fail, map[string]any{}, errors.New("failed"))
	}
	if err := req.SaveCheckpoint(req.Attempt); err != nil {
		return nil, err
	}
	file, err := req.Path(in.File)
	if err != nil {
		return nil, err
	}
	dir, err := req.Path(in.Dir)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out, tree := filepath.Join(req.Scratch, "f"), filepath.Join(req.Scratch, "d")
	if err := errors.Join(os.WriteFile(out, content, 0o600), os.CopyFS(tree, os.DirFS(dir))); err != nil {
		return nil, err
	}
	return map[string]any{"file": sdk.File(out, "f", ""), "dir": sdk.Directory(tree, "d")}, nil
}

// out gives a file that does not lie in its scratch folder.
func (thing) out(_ context.Context, req *sdk.Request) (any, error) {
	return map[string]any{"file": sdk.File("/etc/passwd", "f", "")}, os.Symlink("/etc", filepath.Join(req.Scratch, "l"))
}

func both(t *testing.T, test func(t *testing.T, h *Harness)) {
	t.Helper()
	for name, wire := range map[string]bool{"in process": false, "over the wire": true} {
		t.Run(name, func(t *testing.T) { test(t, New(t, thing{}, Options{Wire: wire})) })
	}
}

func TestFilesGoThroughAStep(t *testing.T) {
	both(t, func(t *testing.T, h *Harness) {
		src := t.TempDir()
		if err := os.WriteFile(filepath.Join(src, "x"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		file, dir := h.Bytes("f", []byte("hello")), h.Dir(src)
		res := h.Run(Call{Type: "copy", Input: map[string]any{"file": file, "dir": dir}, Attempt: 2})
		if a := res.Artifact("file"); a.Digest != file.Digest || a.Size != 5 || a.Path != "" {
			t.Errorf("file %+v", a)
		}
		if a := res.Artifact("dir"); a.Digest != dir.Digest || a.MediaType != sdk.MediaTypeDirectory {
			t.Errorf("directory %+v", a)
		}
		if got, err := os.ReadFile(filepath.Join(res.Path("dir"), "x")); err != nil || string(got) != "x" {
			t.Errorf("in the directory: %q, %v", got, err)
		}
		if string(res.LastCheckpoint()) != "2" {
			t.Errorf("checkpoint %s", res.LastCheckpoint())
		}
		again := h.Run(Call{Type: "copy", Input: map[string]any{"file": res.Artifact("file"), "dir": res.Artifact("dir")}})
		if again.Err != nil || again.Key == res.Key {
			t.Errorf("the outputs as inputs: %v", again.Err)
		}
		if left, err := filepath.Glob(filepath.Join(h.base, "scratch-*")); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	})
}

func TestFailuresOfSteps(t *testing.T) {
	both(t, func(t *testing.T, h *Harness) {
		tests := []struct {
			name string
			call Call
			kind sdk.Kind
			want string
		}{
			{"failed", Call{Type: "copy", Input: map[string]any{"fail": "oom"}}, sdk.KindPermanent, "failed"},
			{"a wrong input", Call{Type: "copy", Input: map[string]any{"file": 1}}, sdk.KindInvalid, "an object is needed"},
			{"a strange artifact", Call{Type: "copy", Input: map[string]any{"file": sdk.Artifact{Digest: "sha256:0"}}}, sdk.KindInvalid, "has no artifact"},
			{"outside of scratch", Call{Type: "out"}, sdk.KindPermanent, "below the request's scratch"},
		}
		for _, tt := range tests {
			var e *sdk.Error
			if err := h.Run(tt.call).Err; !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	})
}

func TestTheOtherCalls(t *testing.T) {
	both(t, func(t *testing.T, h *Harness) {
		if h.Location != "place-test" {
			t.Errorf("location %q", h.Location)
		}
		if err := h.Release("a", "b"); err == nil || err.Error() != "a+b" {
			t.Errorf("release: %v", err)
		}
		if n, err := h.Sweep(sdk.Sweep{}); n != 7 || err != nil {
			t.Errorf("sweep: %d, %v", n, err)
		}
		if f, err := h.Check(); len(f) != 1 || err != nil {
			t.Errorf("check: %v, %v", f, err)
		}
	})
	_, err := TryNew(t, thing{}, Options{Config: map[string]any{"size": "x"}})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Attr != "size" {
		t.Errorf("a wrong configuration: %v", err)
	}
}
