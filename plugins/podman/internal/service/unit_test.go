package service

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/containers/podman/v5/pkg/specgen"
	"github.com/containers/podman/v5/pkg/systemd/parser"
	"github.com/containers/podman/v5/pkg/systemd/quadlet"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// example is a unit with a text of an author's in every place that takes one.
func example(text string) *unit {
	one, yes, memory, quota, period := 1, true, int64(1<<20), int64(50_000), uint64(100_000)
	second := schema.Duration(time.Second)
	s := specgen.NewSpecGenerator("x", false)
	// The parser of Podman's generator, with which the test reads what systemd would, takes Unicode's spaces from the end of a line, as systemd does not.
	s.Command, s.WorkDir, s.User, s.Env = []string{"run", text, "end"}, "/"+text, text, map[string]string{"A": text}
	s.ReadOnlyFilesystem = &yes
	s.ResourceLimits = &spec.LinuxResources{
		Memory: &spec.LinuxMemory{Limit: &memory, Swap: &memory}, CPU: &spec.LinuxCPU{Quota: &quota, Period: &period},
	}
	return &unit{
		name: "web", image: "localhost/x:1", spec: s, wantedBy: []string{"default.target"}, description: "web",
		in:     Input{Network: "none", Restart: "no", Grace: &second, StartLimit: &second, Pids: 7},
		health: &pod.Health{Command: []string{"check", text}, Interval: &second, Timeout: &second, StartPeriod: &second, Retries: &one},
		labels: map[string]string{"l": text},
	}
}

// started is the command that systemd runs of a file, as Podman's own generator and systemd read it.
func started(t *testing.T, file string) []string {
	t.Helper()
	source := parser.NewUnitFile()
	source.Filename = "web.container"
	if err := source.Parse(file); err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	groups := source.ListGroups()
	slices.Sort(groups)
	if want := []string{"Container", "Install", "Service", "Unit"}; !slices.Equal(groups, want) {
		t.Fatalf("groups %q of\n%s", groups, file)
	}
	keys := source.ListKeys("Container")
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "PodmanArgs" })
	if want := []string{"ContainerName", "Image", "Exec"}; !slices.Equal(keys, want) {
		t.Fatalf("keys %q of\n%s", keys, file)
	}
	service, warnings, err := quadlet.ConvertContainer(source, map[string]*quadlet.UnitInfo{"web.container": {ServiceName: "web"}}, false)
	if err != nil || warnings != nil {
		t.Fatalf("%v, %v: of\n%s", err, warnings, file)
	}
	text, err := service.ToString()
	if err != nil {
		t.Fatal(err)
	}
	// What systemd reads is what was written, not what the generator holds.
	again := parser.NewUnitFile()
	if err := again.Parse(text); err != nil {
		t.Fatal(err)
	}
	if all := again.LookupAllRaw("Service", "ExecStart"); len(all) != 1 {
		t.Fatalf("commands %q of\n%s", all, file)
	}
	words, ok, err := again.LookupLastArgs("Service", "ExecStart")
	if err != nil || !ok {
		t.Fatalf("%v in\n%s", err, text)
	}
	for i, w := range words {
		if w == ";" || strings.Contains(strings.ReplaceAll(w, "%%", ""), "%") || strings.Contains(strings.ReplaceAll(w, "$$", ""), "$") {
			t.Fatalf("systemd makes something of %q", w)
		}
		words[i] = strings.NewReplacer("%%", "%", "$$", "$").Replace(w)
	}
	return words
}

// FuzzUnit: whatever an author writes arrives at podman as it is, and nothing else does.
func FuzzUnit(f *testing.F) {
	for _, s := range []string{
		"plain", "two words", "a\nExecStartPre=/bin/evil", "%n %h %%", "$HOME ${PATH} $$", `"quoted" 'single'`, `back\slash\`, "tab\there", ";", "", "; x",
		"[Service]", "# no comment", "ä→𝄞", "--privileged", "x\n[Service]\nUser=root", `\x3b`, "\x01", " lead and trail ", "\u0085", "\u00a0", "a\\\nb", "\u2028",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u := example(s)
		file, err := u.text()
		if err != nil {
			mistake, isOurs := err.(*sdk.Error) //nolint:errorlint // quote gives the very one
			if !isOurs || mistake.Kind != sdk.KindInvalid || mistake.Attr == "" {
				t.Fatalf("%q is refused with %v", s, err)
			}
			refusable := s == "" || s == ";" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
				return r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0)
			})
			if !refusable {
				t.Fatalf("%q is refused: %v", s, err)
			}
			return
		}
		words := started(t, file)
		i := slices.Index(words, "localhost/x:1")
		if i < 0 || !slices.Equal(words[i+1:], []string{"run", s, "end"}) {
			t.Fatalf("command %q of %q", words, s)
		}
		health, err := json.Marshal([]string{"CMD", "check", s})
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		args, err := u.arguments()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range args {
			asked = append(asked, a.text)
		}
		// Behind what the generator adds by itself stands what was asked for, all of it and nothing more.
		if got := words[i-len(asked) : i]; !slices.Equal(got, asked) {
			t.Fatalf("arguments %q, want %q", got, asked)
		}
		for _, want := range []string{"--env=A=" + s, "--label=l=" + s, "--user=" + s, "--workdir=/" + s, "--health-cmd=" + string(health)} {
			if !slices.Contains(asked, want) {
				t.Fatalf("%q is not in %q", want, asked)
			}
		}
	})
}
