package sdktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// built are the outputs of image_build.
type built struct {
	Image  sdk.Located `json:"image"`
	Tags   []string    `json:"tags"`
	Size   int64       `json:"size"`
	Cached bool        `json:"cached"`
}

// builds is the suite of image_build on one base image.
type builds struct {
	*Harness
	Images

	base string
}

// ImageBuild is the suite of the contract image_build: what is built and from what, what a RUN may do, and what is left of a
// build. Where the provider serves image_push, the images are looked at in the registry, too.
func ImageBuild(t *testing.T, h *Harness, i Images) {
	i = i.prepared(t)
	base := i.reference("base")
	i.put(t, base, i.image(t, base))
	for _, test := range []struct {
		name string
		run  func(*testing.T, *builds)
	}{
		{"builds", buildsImages},
		{"stages", buildsStages},
		{"inline", buildsInline},
		{"instructions", buildsInstructions},
		{"ignore", buildsIgnoring},
		{"progress", tellsBuildProgress},
		{"secrets", keepsBuildSecrets},
		{"reproducible", buildsReproducibly},
		{"origin", tellsOrigin},
		{"limits", limitsBuilds},
		{"policy", heedsBuildPolicy},
		{"mistakes", mistakesInBuilds},
		{"cancel", cancelsBuilds},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, &builds{Harness: h.For(t), Images: i, base: base}) })
	}
}

// call builds a context of these files (a name that ends with / is a folder, a text that begins with -> a link); further attributes can be added.
func (b *builds) call(t *testing.T, files map[string]string, more map[string]any) Call {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch target, link := strings.CutPrefix(text, "->"); {
		case strings.HasSuffix(name, "/"):
			check(t, os.MkdirAll(path, 0o755))
		case link:
			check(t, os.Symlink(target, path))
		default:
			check(t, os.WriteFile(path, []byte(text), 0o644)) //nolint:gosec // a context is everybody's to read
		}
	}
	in := map[string]any{"context": b.Dir(dir)}
	for k, v := range more {
		in[k] = v
	}
	return Call{Type: "image_build", Input: in, Rules: b.rules()}
}

// containerfile is a call with nothing but that Containerfile, after a FROM of the base.
func (b *builds) containerfile(t *testing.T, text string, more map[string]any) Call {
	t.Helper()
	return b.call(t, map[string]string{"Containerfile": "FROM " + b.base + "\n" + text}, more)
}

func (b *builds) release(t *testing.T, results ...*Result) {
	t.Helper()
	for _, res := range results {
		check(t, b.Release(res.Key))
		b.nothingLeft(t, res.Key)
	}
}

func buildsImages(t *testing.T, b *builds) {
	files := map[string]string{
		"Containerfile": "ARG BASE\nFROM ${BASE}\nARG WHO\nCOPY data /data\nRUN [\"/probe\", \"list\", \"/data\"]\n" +
			"RUN [\"/probe\", \"env\", \"WHO\"]\nENV NAME=$WHO\n",
		"data/a": "text of a", "data/deep/b": "text of b", "data/secret": "s", ".containerignore": "data/secret\n",
	}
	tag := b.reference("v1")
	more := map[string]any{
		"build_args": map[string]string{"BASE": b.base, "WHO": "me"}, "labels": map[string]string{"a": "b c"}, "tags": []string{tag},
	}
	first := b.Run(b.call(t, files, more))
	var out, again built
	first.Decode(&out)
	if out.Image.ID == "" || out.Image.Location != b.Location || out.Size <= 0 || out.Cached || len(out.Tags) != 1 || out.Tags[0] != tag {
		t.Errorf("outputs: %+v", out)
	}
	log, err := os.ReadFile(first.Path("log"))
	check(t, err)
	for _, want := range []string{"file /data/a text of a", "file /data/deep/b text of b", "WHO=me"} {
		if !strings.Contains(string(log), want) || !strings.Contains(first.Text("step"), want) {
			t.Errorf("no %q in the log, or in the live log:\n%s", want, log)
		}
	}
	if strings.Contains(string(log), "/data/secret") {
		t.Errorf("what .containerignore names was copied:\n%s", log)
	}
	b.looksLike(t, out.Image, map[string]string{"a": "b c"}, "NAME=me")
	second := b.Run(b.call(t, files, more))
	second.Decode(&again)
	if !again.Cached || again.Image != out.Image {
		t.Errorf("the same build again: %+v, want it cached as %s", again, out.Image.ID)
	}
	more["no_cache"] = true
	third := b.Run(b.call(t, files, more))
	third.Decode(&again)
	if again.Cached {
		t.Error("a build without the cache came from the cache")
	}
	b.release(t, first, second, third)
}

// looksLike looks at an image in the registry, where the provider can push it.
func (b *builds) looksLike(t *testing.T, image sdk.Located, labels map[string]string, env string) {
	t.Helper()
	if b.info.Step("image_push") == nil {
		return
	}
	dest := b.reference("built")
	b.Run(b.push(image, dest)).Decode(&pushed{})
	file, err := b.get(t, dest).ConfigFile()
	check(t, err)
	for name, want := range labels {
		if got := file.Config.Labels[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	for name := range file.Config.Labels {
		if strings.Contains(file.Config.Labels[name], "test/run") {
			t.Errorf("the image tells of the run that built it: label %s", name)
		}
	}
	if !strings.Contains(strings.Join(file.Config.Env, "\n"), env) {
		t.Errorf("environment %q, want %s in it", file.Config.Env, env)
	}
	if entry := strings.Join(file.Config.Entrypoint, " "); entry != "/probe" {
		t.Errorf("entrypoint %q is not the base's", entry)
	}
}

// buildsStages copies from one stage to another, and stops at the target.
func buildsStages(t *testing.T, b *builds) {
	files := map[string]string{
		"sub/build.file": "FROM " + b.base + " AS one\nCOPY a /stage/a\nFROM " + b.base + " AS two\nCOPY --from=one /stage /from-one\n" +
			"RUN [\"/probe\", \"list\", \"/from-one\"]\nFROM two AS three\nRUN [\"/probe\", \"exit\", \"1\"]\n",
		"a": "text of a",
	}
	res := b.Run(b.call(t, files, map[string]any{"containerfile": "sub/build.file", "target": "two"}))
	res.Decode(&built{})
	if text := res.Text("step"); !strings.Contains(text, "file /from-one/a text of a") {
		t.Errorf("the second stage did not get what the first one made:\n%s", text)
	}
	b.release(t, res)
}

// buildsInline takes the Containerfile from the step, and does not put it into the context.
func buildsInline(t *testing.T, b *builds) {
	inline := "FROM " + b.base + "\nCOPY . /all/\nRUN [\"/probe\", \"list\", \"/all\"]\n"
	res := b.Run(b.call(t, map[string]string{"f": "x", "Containerfile": "FROM nothing"}, map[string]any{"containerfile": inline}))
	res.Decode(&built{})
	var files []string
	for line := range strings.Lines(res.Text("step")) {
		if strings.HasPrefix(line, "file ") {
			files = append(files, strings.TrimSpace(line))
		}
	}
	if got, want := strings.Join(files, "; "), "file /all/Containerfile FROM nothing; file /all/f x"; got != want {
		t.Errorf("the context holds %q, want %q", got, want)
	}
	b.release(t, res)
}

// limitsBuilds: a RUN has no network, and no more memory and time than it was given.
func limitsBuilds(t *testing.T, b *builds) {
	res := b.Run(b.containerfile(t, "RUN [\"/probe\", \"net\", \"192.0.2.1:80\"]\n", nil))
	res.Decode(&built{})
	if text := res.Text("step"); strings.Count(text, "interface ") != 1 || !strings.Contains(text, "interface lo") || !strings.Contains(text, "unreachable:") {
		t.Errorf("the network of a RUN:\n%s", text)
	}
	b.release(t, res)
	res = b.Run(b.containerfile(t, "RUN [\"/probe\", \"alloc\", \"300\"]\n", map[string]any{"memory": "64m"}))
	wantCode(t, res, sdk.KindPermanent, sdk.CodeOOM)
	b.nothingLeft(t, res.Key)
	res = b.Run(b.containerfile(t, "RUN [\"/probe\", \"fork\", \"60\"]\n", map[string]any{"pids": 30}))
	res.Decode(&built{})
	if text := res.Text("step"); !strings.Contains(text, "stopped by:") {
		t.Errorf("60 processes of a RUN under a limit of 30:\n%s", text)
	}
	b.release(t, res)
	begin := time.Now()
	res = b.Run(b.containerfile(t, "RUN [\"/probe\", \"sleep\", \"300\"]\n", map[string]any{"time_limit": "3s"}))
	wantCode(t, res, sdk.KindPermanent, sdk.CodeTimeLimit)
	if took := time.Since(begin); took > 3*time.Second+2*soon {
		t.Errorf("a build of 3 s took %s", took)
	}
	b.nothingLeft(t, res.Key)
}

// heedsBuildPolicy: what the rules do not name is refused, and the refusal names the policy.
func heedsBuildPolicy(t *testing.T, b *builds) {
	const other = "registry.example/x:1"
	from := "FROM " + b.base + "\n"
	for name, text := range map[string]string{
		"FROM":        "FROM " + other + "\n",
		"FROM by ARG": "ARG B=" + other + "\nFROM $B\n",
		"COPY --from": from + "COPY --from=" + other + " / /\n",
		"RUN --mount": from + "RUN --mount=type=bind,from=" + other + ",target=/m [\"/probe\"]\n",
		"a cache":     from + "RUN --mount=type=cache,target=/c [\"/probe\"]\n",
		"ADD":         from + "ADD http://" + b.Registry.Host + "/ /x\n",
		"a network":   from + "RUN --network=host [\"/probe\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			res := b.Run(b.call(t, map[string]string{"Containerfile": text}, nil))
			wantCode(t, res, sdk.KindPermanent, sdk.CodeDenied)
			if !strings.Contains(res.Err.Error(), policySource) {
				t.Errorf("the refusal does not name the policy: %v", res.Err)
			}
			b.nothingLeft(t, res.Key)
		})
	}
	call := b.containerfile(t, "", nil)
	call.Rules = sdk.Rules{}
	wantCode(t, b.Run(call), sdk.KindPermanent, sdk.CodeDenied)
}

func mistakesInBuilds(t *testing.T, b *builds) {
	res := b.Run(b.containerfile(t, "RUN [\"/probe\", \"exit\", \"3\"]\n", nil))
	wantCode(t, res, sdk.KindPermanent, sdk.CodeExit)
	b.nothingLeft(t, res.Key)
	for name, call := range map[string]Call{
		"no instruction":   b.containerfile(t, "FORM x\n", nil),
		"no FROM":          b.call(t, map[string]string{"Containerfile": "RUN x\n"}, nil),
		"no Containerfile": b.call(t, map[string]string{"f": ""}, nil),
		"out of the context": b.call(t, map[string]string{"Containerfile": "FROM " + b.base + "\n"},
			map[string]any{"containerfile": "../Containerfile"}),
		"no such stage":       b.containerfile(t, "", map[string]any{"target": "nowhere"}),
		"nothing to copy":     b.containerfile(t, "COPY nothing /x\n", nil),
		"memory that is none": b.containerfile(t, "", map[string]any{"memory": "much"}),
	} {
		t.Run(name, func(t *testing.T) {
			res := b.Run(call)
			if res.Err == nil {
				t.Fatalf("it was built: %s", res.Outputs)
			}
			if kindOf(res.Err) == sdk.KindTransient {
				t.Errorf("%v, want a failure that is not tried again", res.Err)
			}
			b.nothingLeft(t, res.Key)
		})
	}
}

// cancelsBuilds ends a RUN that would run on, and leaves nothing of the build.
func cancelsBuilds(t *testing.T, b *builds) {
	call := b.containerfile(t, "RUN [\"/probe\", \"wait\", \"6000\"]\n", nil)
	i := interrupt(t, &call, "line 1", sdk.ErrCancelled)
	res := b.Run(call)
	i.ended(t, res)
	b.nothingLeft(t, res.Key)
}
