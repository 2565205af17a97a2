package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containers/podman/v5/pkg/errorhandling"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

func decode(t *testing.T, input string) (Input, error) {
	t.Helper()
	return Decode(&sdk.Request{Input: json.RawMessage(input)})
}

func TestDecodeDefaults(t *testing.T) {
	in, err := decode(t, `{"image":"a.io/b","memory":null,"tmpfs":null,"cpus":null}`)
	if err != nil {
		t.Fatal(err)
	}
	if in.Memory != 128<<20 || *in.MemorySwap != in.Memory || in.CPUs != 0.5 || in.Pids != 256 || in.Network != "none" ||
		in.TimeLimit.String() != "5s" || !in.ReadOnly || in.Tmpfs["/tmp"] != "64m" || !slices.Equal(in.SuccessExitCodes, []int32{0}) {
		t.Errorf("defaults: %+v", in)
	}
	if len(in.added()) != 0 {
		t.Errorf("capabilities: %v", in.added())
	}
	in, err = decode(t, `{"image":"a.io/b","cap_add":["net_raw","CAP_CHOWN"],"cap_drop":["chown"],"read_only":false}`)
	if err != nil || in.ReadOnly || !slices.Equal(in.added(), []string{"CAP_NET_RAW"}) {
		t.Errorf("%+v %v", in.added(), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for attr, input := range map[string]string{
		"memory": `{"memory":"0"}`, "memory_swap": `{"memory":"2m","memory_swap":"1m"}`, "cpus": `{"cpus":0}`, "pids": `{"pids":0}`,
		"time_limit": `{"time_limit":"0s"}`, "network": `{"network":""}`, "tmpfs": `{"tmpfs":{"tmp":"1m"}}`, "cap_add": `{"cap_add":["ALL"]}`,
		"script": `{"script":"true","command":["true"]}`,
	} {
		_, err := decode(t, input)
		var se *sdk.Error
		if !errors.As(err, &se) || se.Kind != sdk.KindInvalid || se.Attr != attr {
			t.Errorf("%s: %v, want a mistake in %s", input, err, attr)
		}
	}
}

func TestMissing(t *testing.T) {
	in, err := decode(t, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	good := contract.Limits{Memory: 128 << 20, MemorySwap: 128 << 20, CPUs: 0.5, Pids: 256}
	if bad := missing(in, good, true); len(bad) != 0 {
		t.Errorf("missing: %v", bad)
	}
	if bad := missing(in, contract.Limits{Memory: -1, MemorySwap: -1, CPUs: -1, Pids: 512}, true); len(bad) != 4 {
		t.Errorf("missing: %v", bad)
	}
	good.MemorySwap = -1
	if bad := missing(in, good, false); len(bad) != 0 {
		t.Errorf("no swap to limit: %v", bad)
	}
}

func TestCapabilities(t *testing.T) {
	if got := capabilities("0000000000002001"); !slices.Equal(got, []string{"CAP_CHOWN", "CAP_NET_RAW"}) {
		t.Errorf("got %v", got)
	}
	if got := capabilities("0000000000000000"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if got := capabilities("8000000000000000"); !slices.Equal(got, []string{"CAP_63"}) {
		t.Errorf("got %v", got)
	}
}

func TestSlots(t *testing.T) {
	var s slots
	ids := subIDs{slots: 2}
	a, freeA := s.take(ids)
	b, _ := s.take(ids)
	freeA()
	freeA()
	c, _ := s.take(ids)
	if a != 0 || b != 1 || c != 0 {
		t.Errorf("slots %d, %d, %d", a, b, c)
	}
}

func TestReadFrame(t *testing.T) {
	log := "\x01\x00\x00\x00\x00\x00\x00\x03abc\x02\x00\x00\x00\x00\x00\x00\x01e"
	r := strings.NewReader(log)
	for _, want := range []struct{ stream, text string }{{"stdout", "abc"}, {"stderr", "e"}} {
		stream, frame, err := readFrame(r)
		if err != nil || stream != want.stream || string(frame) != want.text {
			t.Errorf("%s %q %v", stream, frame, err)
		}
	}
	if _, _, err := readFrame(r); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if _, _, err := readFrame(strings.NewReader(log[:9])); err == nil {
		t.Error("a frame that broke off was taken")
	}
	if _, _, err := readFrame(bytes.NewReader([]byte{1, 0, 0, 0, 255, 255, 255, 255})); err == nil {
		t.Error("a frame of 4 GiB was taken")
	}
}

func TestCapped(t *testing.T) {
	c := capped{limit: 5}
	c.write([]byte("abc"))
	c.write([]byte("dé"))
	// "abcdé" has six bytes: the half of é goes.
	if c.text() != "abcd" || !c.truncated {
		t.Errorf("%q, truncated %v", c.text(), c.truncated)
	}
	for s, want := range map[string]string{"": "", "abc": "abc", "é": "é", "a\xc3": "a", "\xff": "\xff"} {
		if got := trimPartialRune(s); got != want {
			t.Errorf("trimPartialRune(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestReadSubIDs(t *testing.T) {
	const line = "me:100000:65536\ncontainers:1000000:1048576\n"
	for name, c := range map[string]struct {
		subuid, subgid string // "-": no such file; "/": one that cannot be read
		want           subIDs
		err            string
	}{
		"ids":           {line, "containers:2000000:131072", subIDs{1000000, 2000000, 2}, ""},
		"no files":      {"-", "-", subIDs{}, ""},
		"another's":     {"me:100000:65536\n", line, subIDs{gid: 1000000}, ""},
		"too few":       {"containers:1000000:1000\n", line, subIDs{uid: 1000000, gid: 1000000}, ""},
		"not readable":  {"/", line, subIDs{}, "subuid"},
		"no number":     {line, "containers:1000000:many\n", subIDs{}, `"containers:1000000:many" is not USER:FIRST:COUNT`},
		"half the line": {"containers:1000000\n", line, subIDs{}, `"containers:1000000" is not USER:FIRST:COUNT`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"subuid": c.subuid, "subgid": c.subgid} {
				path := filepath.Join(dir, file)
				var err error
				switch text {
				case "-":
				case "/":
					err = os.Mkdir(path, 0o700) // reading a folder fails for root too
				default:
					err = os.WriteFile(path, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			got, err := readSubIDs(t.Context(), hostfs.Local{}, dir)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v, %v; want %+v and an error with %q", got, err, c.want, c.err)
			}
		})
	}
}

// TestEndedMeanwhile: what Podman 4.3.1 answers where a container ends while it is looked at is no failure of the step.
func TestEndedMeanwhile(t *testing.T) {
	answer := func(code int, message string) error {
		return fmt.Errorf("inspecting: %w", &errorhandling.ErrorModel{Because: message, Message: message, ResponseCode: code})
	}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{answer(500, "read /proc/17622/cgroup: no such process"), true},
		{answer(500, "no space left on device"), false},
		{answer(404, "no such container"), false},
		{errors.New("read /proc/17622/cgroup: no such process"), false},
		{nil, false},
	} {
		if got := endedMeanwhile(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

func TestHardLimit(t *testing.T) {
	text := "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max processes             96364                unlimited            processes \n" +
		"Max open files            1024                 20000                files     \n"
	for name, want := range map[string]uint64{"Max processes": math.MaxUint64, "Max open files": 20000} {
		if got, err := hardLimit(text, name); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", name, got, err, want)
		}
	}
	for _, text := range []string{"", "Max processes   \n", "Max processes 1 x processes\n"} {
		if got, err := hardLimit(text, "Max processes"); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}
