package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"google.golang.org/protobuf/proto"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// through sends a message the way that gRPC does.
func through[M proto.Message](t *testing.T, m M, into M) M {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestInfoRoundTrip(t *testing.T) {
	info := sdk.Info{Name: "p", Version: "1.0.0", Config: schema.Object{
		Attrs: []schema.Attr{{
			Name: "a", Type: cty.String, Doc: "d", Required: true, Default: `"x"`, Sensitive: true, Located: true,
			Deprecated: "use b", Format: schema.FormatSize, Enum: []string{"1k", "2k"},
		}},
		Blocks: []schema.Block{{Name: "b", Nesting: schema.NestingMap, Doc: "bd", Required: true, Object: schema.Object{
			Attrs: []schema.Attr{{Name: "t", Type: cty.Tuple([]cty.Type{cty.Bool, cty.Set(cty.Number)})}},
		}}},
	}}
	for _, c := range contract.All() { // every contract survives as it is
		info.Steps = append(info.Steps, sdk.StepType{Name: c.Name, Doc: c.Doc, Input: c.Input, Output: c.Output, Pure: c.Name == "archive_extract"})
	}
	message, err := fromInfo(info)
	if err != nil {
		t.Fatal(err)
	}
	got, err := toInfo(through(t, message, &pb.DescribeResponse{}))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, info) {
		t.Errorf("got\n%+v, want\n%+v", got, info)
	}
}

func TestSchemaMessagesCarryEveryField(t *testing.T) {
	tests := []struct {
		ours, message any
	}{
		{schema.Object{}, pb.Object{}},
		{schema.Attr{}, pb.Attr{}},
		{schema.Block{}, pb.Block{}},
		{sdk.Rules{}, pb.Rules{}},
		{sdk.Registry{}, pb.Registry{}},
		{sdk.Progress{}, pb.Progress{}},
		{sdk.Finding{}, pb.Finding{}},
		{sdk.Fix{}, pb.Fix{}},
	}
	for _, tt := range tests {
		ours, message := reflect.TypeOf(tt.ours), reflect.TypeOf(tt.message)
		exported := 0
		for n := range message.NumField() {
			if message.Field(n).IsExported() {
				exported++
			}
		}
		if ours.NumField() != exported {
			t.Errorf("%s has %d fields, its message %d: extend the protocol", ours, ours.NumField(), exported)
		}
	}
}

func TestRequestRoundTrip(t *testing.T) {
	req := &sdk.Request{
		StepType: "x", Step: `s["a"]`, Run: "w/r", Pipeline: "p", Key: "00ff", Attempt: 3, Returned: true,
		Input: json.RawMessage(`{"a":1}`), Checkpoint: json.RawMessage(`{"b":2}`),
		Rules:   sdk.Rules{PullFrom: []string{"a/*"}, BuildFrom: []string{"b/*"}, CacheMounts: true, HostPaths: []string{"/srv:rw"}, Source: "worker.hcl:3"},
		Scratch: "/s", Files: map[string]string{"sha256:0": "/f"}, Queued: 250 * time.Millisecond,
	}
	start := through(t, fromRequest(req, 1500*time.Millisecond), &pb.Start{})
	if got := toRequest(start, nil); !reflect.DeepEqual(got, req) {
		t.Errorf("got %+v, want %+v", got, req)
	}
	if start.GetHeartbeatIntervalMs() != 1500 {
		t.Errorf("heartbeats every %d ms", start.GetHeartbeatIntervalMs())
	}
}

func TestSmallMessagesRoundTrip(t *testing.T) {
	c := sdk.Configuration{
		Instance: "i", Config: json.RawMessage(`{}`), StateDir: "/d",
		Registries: []sdk.Registry{{Host: "h:1", Insecure: true, Username: "u", Password: "p", CA: "PEM"}}, Buckets: []string{"b*"},
	}
	if got := toConfiguration(through(t, fromConfiguration(c), &pb.ConfigureRequest{})); !reflect.DeepEqual(got, c) {
		t.Errorf("configuration %+v, want %+v", got, c)
	}
	f := sdk.Finding{
		Name: "n", Subject: "s", OK: true, Warning: true, Detail: "d", Remedy: "r",
		Fixes: []sdk.Fix{{Kind: sdk.FixMode, Path: "/p", Mode: 0o600, Line: "l"}},
	}
	if got := toFinding(through(t, fromFinding(f), &pb.Finding{})); !reflect.DeepEqual(got, f) {
		t.Errorf("finding %+v, want %+v", got, f)
	}
	p := sdk.Progress{Message: "m", Done: 1, Total: 2, Unit: "bytes"}
	if got := toProgress(through(t, fromProgress(p), &pb.Progress{})); got != p {
		t.Errorf("progress %+v, want %+v", got, p)
	}
	s := sdk.Sweep{LiveRuns: []string{"w/r"}, Grace: schema.Duration(time.Hour)}
	if got := toSweep(through(t, fromSweep(s), &pb.SweepRequest{})); !reflect.DeepEqual(got, s) {
		t.Errorf("sweep %+v, want %+v", got, s)
	}
}

func TestErrorRoundTrip(t *testing.T) {
	plain := errors.New("plain")
	tests := []struct {
		name string
		err  error
		want *sdk.Error
	}{
		{"none", nil, nil},
		{"plain", plain, &sdk.Error{Err: plain}},
		{"permanent", sdk.Permanent(plain), &sdk.Error{Kind: sdk.KindPermanent, Err: plain}},
		{"invalid", sdk.Invalidf("a.b", "no"), &sdk.Error{Kind: sdk.KindInvalid, Attr: "a.b", Err: errors.New("no")}},
		{"retry after", sdk.RetryAfter(1500*time.Microsecond, plain), &sdk.Error{RetryAfter: 2 * time.Millisecond, Err: plain}},
		{"failed", sdk.Failed(sdk.CodeOOM, map[string]int{"exit_code": 137}, plain), &sdk.Error{
			Kind: sdk.KindPermanent, Code: sdk.CodeOOM, Outputs: []byte(`{"exit_code":137}`), Err: plain,
		}},
		{"wrapped", fmt.Errorf("building: %w", sdk.Permanent(plain)), &sdk.Error{Kind: sdk.KindPermanent, Err: errors.New("building: plain")}},
		{"not UTF-8", errors.New("a\xff"), &sdk.Error{Err: errors.New("a\uFFFD")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			message := fromError(tt.err)
			if tt.want == nil {
				if message != nil || toError(message) != nil {
					t.Errorf("nil became %v", message)
				}
				return
			}
			var got *sdk.Error
			if !errors.As(toError(through(t, message, &pb.Error{})), &got) {
				t.Fatal("it is no *sdk.Error")
			}
			text := got.Err.Error()
			got.Err = nil
			want := *tt.want
			want.Err = nil
			if text != tt.want.Err.Error() || !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v %q, want %+v", *got, text, *tt.want)
			}
		})
	}
}

func TestHostileErrors(t *testing.T) {
	long := strings.Repeat("ü", maxErrorMessage)
	err := toError(&pb.Error{Kind: "worse", RetryAfterMs: -5, Outputs: []byte("{"), Message: long})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.KindTransient || e.RetryAfter != 0 || e.Outputs != nil || len(e.Error()) > maxErrorMessage {
		t.Errorf("became %+v", e)
	}
	if d := fromMillis(1 << 62); d != maxDuration {
		t.Errorf("a wait of %s", d)
	}
	big := &sdk.Error{Outputs: make([]byte, MaxOutputs+1), Err: errors.New(long)}
	if m := fromError(big); len(m.GetOutputs()) > 0 || len(m.GetMessage()) > maxErrorMessage {
		t.Errorf("%d and %d bytes", len(m.GetOutputs()), len(m.GetMessage()))
	}
}

func TestDecodeTypeRefuses(t *testing.T) {
	for _, bad := range []string{
		``, `null`, `1`, `"set"`, `"wrong"`, `{}`, `[]`, `["list"]`, `["list",null]`, `["list","string","string"]`, `["heap","string"]`,
		`["object",[]]`, `["object",{"a":null}]`, `["object",{"a":"string"},["b"]]`, `["object",{"é":"string"}]`, `["tuple",{}]`, `["tuple",[1]]`,
		strings.Repeat(`["list",`, 40) + `"string"` + strings.Repeat(`]`, 40), `"` + strings.Repeat("x", maxTypeSize) + `"`,
	} {
		if got, err := decodeType([]byte(bad)); err == nil {
			t.Errorf("%.40s became %#v", bad, got)
		}
	}
}

func TestHostileDescriptions(t *testing.T) {
	deep := &pb.Object{}
	for range maxBlockDepth + 1 {
		deep = &pb.Object{Blocks: []*pb.Block{{Name: "b", Nesting: "list", Object: deep}}}
	}
	text := []byte(`"string"`)
	tests := map[string]*pb.DescribeResponse{
		"deep blocks":        {Config: deep},
		"no type":            {Config: &pb.Object{Attrs: []*pb.Attr{{Name: "a"}}}},
		"a wrong name":       {Config: &pb.Object{Attrs: []*pb.Attr{{Name: "A", Type: text}}}},
		"a wrong format":     {Config: &pb.Object{Attrs: []*pb.Attr{{Name: "a", Type: text, Format: "file"}}}},
		"a wrong nesting":    {Config: &pb.Object{Blocks: []*pb.Block{{Name: "b", Nesting: "ring"}}}},
		"an attribute twice": {Config: &pb.Object{Attrs: []*pb.Attr{{Name: "a", Type: text}, {Name: "a", Type: text}}}},
		"a step type twice":  {Steps: []*pb.StepType{{Name: "a"}, {Name: "a"}}},
		"nothing in steps":   {Steps: []*pb.StepType{nil, nil}},
		"nothing in attrs":   {Steps: []*pb.StepType{{Name: "a", Input: &pb.Object{Attrs: []*pb.Attr{nil}}}}},
	}
	for name, message := range tests {
		t.Run(name, func(t *testing.T) {
			if info, err := toInfo(message); err == nil {
				t.Errorf("it became %+v", info)
			}
		})
	}
}

func FuzzDescribe(f *testing.F) {
	message, err := fromInfo(sdk.Info{Name: "p", Steps: []sdk.StepType{{Name: "s", Input: contract.ContainerRun().Input}}})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(message)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &pb.DescribeResponse{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		info, err := toInfo(m)
		if err != nil {
			return
		}
		for _, s := range info.Steps { // what was accepted can be used
			_ = s.Input.Type()
			if _, err := (schema.Step{Input: s.Input, Output: s.Output}).Digest(); err != nil {
				t.Error(err)
			}
		}
	})
}
