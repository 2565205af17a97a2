//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

func TestDecode(t *testing.T) {
	in, err := decode(&sdk.Request{Input: json.RawMessage(`{"image":"a.io/b","memory":null,"tmpfs":null,"script":null,"cap_add":["net_raw","CAP_CHOWN"],"cap_drop":["chown"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if in.Memory != 128<<20 || *in.MemorySwap != in.Memory || in.CPUs != 0.5 || in.Pids != 256 || in.TimeLimit.String() != "5s" || !in.ReadOnly ||
		in.Tmpfs["/tmp"] != "64m" || !slices.Equal(in.SuccessExitCodes, []int{0}) || !slices.Equal(in.capabilities(), []string{"CAP_NET_RAW"}) {
		t.Errorf("%+v", in)
	}
	for attr, input := range map[string]string{
		"memory": `{"memory":"0"}`, "memory_swap": `{"memory":"2m","memory_swap":"1m"}`, "cpus": `{"cpus":0}`, "pids": `{"pids":0}`,
		"time_limit": `{"time_limit":"0s"}`, "network": `{"network":"bridge"}`, "tmpfs": `{"tmpfs":{"tmp":"1m"}}`, "cap_add": `{"cap_add":["ALL"]}`,
		"script": `{"script":"true","command":["true"]}`,
	} {
		var mistake *sdk.Error
		if _, err := decode(&sdk.Request{Input: json.RawMessage(input)}); !errors.As(err, &mistake) || mistake.Kind != sdk.KindInvalid || mistake.Attr != attr {
			t.Errorf("%s: %v, want a mistake in %s", input, err, attr)
		}
	}
}

func TestMissing(t *testing.T) {
	in, err := decode(&sdk.Request{Input: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if bad := missing(in, contract.Limits{Memory: 128 << 20, MemorySwap: 128 << 20, CPUs: 0.5, Pids: 256}); len(bad) != 0 {
		t.Errorf("missing: %q", bad)
	}
	if bad := missing(in, contract.Limits{Memory: unlimited, MemorySwap: 1 << 30, CPUs: 1, Pids: 257}); len(bad) != 4 {
		t.Errorf("missing: %q", bad)
	}
}

// TestInside looks for users and folders in an image's own files, where links lead to nothing of the host.
func TestInside(t *testing.T) {
	root := t.TempDir()
	for _, err := range []error{
		os.Mkdir(root+"/etc", 0o755), os.Mkdir(root+"/srv", 0o755), os.Symlink("/srv", root+"/abs"), os.Symlink("/", root+"/all"),
		os.WriteFile(root+"/etc/passwd", []byte("ada:x:7:8::/srv:/bin/sh\n"), 0o600),
		os.WriteFile(root+"/etc/group", []byte("staff:x:50:ada\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	img := image.Image{Root: root, Config: v1.Config{User: "ada", WorkingDir: "srv"}}
	u, home, err := (&input{}).userOf(img)
	if err != nil || u.UID != 7 || u.GID != 8 || !slices.Equal(u.AdditionalGids, []uint32{50}) || home != "/srv" {
		t.Errorf("the image's user is %+v, at home in %q (%v)", u, home, err)
	}
	for _, who := range []string{"bob", "ada:none", "70000", "0:70000"} {
		if _, _, err := (&input{User: who}).userOf(img); err == nil {
			t.Errorf("there is no user %q", who)
		}
	}
	for dir, want := range map[string]string{"": "/srv", "/srv/../srv": "/srv", "/abs": "/abs", "/all": "/all", "/mem": "/mem", "/root": "", "/all/usr": "", "/etc/passwd": ""} {
		got, err := (&input{Workdir: dir, Tmpfs: map[string]string{"/mem": "1m"}}).workdirOf(img)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("the working directory %q is %q (%v), want %q", dir, got, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"A=image", "B=b=c"}, map[string]string{"A": "author", "HOME": "/h"}, "/root")
	if !slices.Contains(got, "A=author") || !slices.Contains(got, "B=b=c") || !slices.Contains(got, "HOME=/h") || !slices.ContainsFunc(got, func(v string) bool { return strings.HasPrefix(v, "PATH=/") }) {
		t.Errorf("%q", got)
	}
}

func TestHead(t *testing.T) {
	h := head{limit: 6}
	for _, text := range []string{"abc", "dé", "é"} {
		if n, err := h.Write([]byte(text)); n != len(text) || err != nil {
			t.Error(n, err)
		}
	}
	if h.text() != "abcdé" || !h.truncated {
		t.Errorf("%q, truncated: %v", h.text(), h.truncated)
	}
	half := head{limit: 2}
	_, _ = half.Write([]byte("aé"))
	if half.text() != "a" {
		t.Errorf("%q", half.text())
	}
}

func TestLock(t *testing.T) {
	f := folder(t.TempDir())
	if f.supervised() {
		t.Error("nobody has it")
	}
	lock, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.lock(); !errors.Is(err, errBusy) || !f.supervised() {
		t.Errorf("it was taken twice: %v", err)
	}
	closeAll(lock)
	if f.supervised() {
		t.Error("nobody has it any more")
	}
}

func TestName(t *testing.T) {
	if got := name("0123456789abcdef"); got != "0123456789abcdef" {
		t.Error(got)
	}
	for _, key := range []string{"", "../../etc", "ab", strings.Repeat("a", 65), "0123456789ABCDEF"} {
		if got := name(key); len(got) != 64 || strings.Trim(got, "0123456789abcdef") != "" {
			t.Errorf("the container of the key %q is called %q", key, got)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]int64{"5\n": 5, "max": unlimited, "-1": unlimited, "9223372036854771712": unlimited, "": unlimited} {
		got := int64(unlimited)
		if n := parse(text); n != nil {
			got = *n
		}
		if got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func TestSince(t *testing.T) {
	count := func(cpu float64, pids int64) usage { return usage{CPUTime: &cpu, PidsPeak: &pids} }
	for _, tt := range []struct {
		before, after, seen, want int64
	}{{8, 40, 30, 40}, {8, 8, 2, 2}, {8, 8, 0, 0}} {
		got := count(3, tt.after).since(count(1, tt.before), tt.seen)
		peak := int64(0)
		if got.PidsPeak != nil {
			peak = *got.PidsPeak
		}
		if peak != tt.want || *got.CPUTime != 2 {
			t.Errorf("%+v: a peak of %d processes, %g s", tt, peak, *got.CPUTime)
		}
	}
}
