package sdktest

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/containerpub/cpub/sdk"
)

// log is what a build kept of its output.
func (b *builds) log(t *testing.T, res *Result) string {
	t.Helper()
	text, err := os.ReadFile(res.Path("log"))
	check(t, err)
	return string(text)
}

// files lists what an image holds beside the base's own, as "name mode content".
func (b *builds) files(t *testing.T, image sdk.Located) (files []string) {
	t.Helper()
	r := mutate.Extract(b.pushed(t, image))
	defer func() { _ = r.Close() }()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(files)
			return files
		}
		check(t, err)
		name := strings.Trim(h.Name, "/")
		if slices.Contains([]string{"", "tmp", "etc", "who", "probe", "proc", "sys", "dev", "run"}, strings.Split(name, "/")[0]) {
			continue
		}
		content, err := io.ReadAll(tr)
		check(t, err)
		if h.Linkname != "" {
			content = []byte("-> " + h.Linkname)
		}
		files = append(files, strings.TrimSpace(fmt.Sprintf("%s %o %d %s", name, h.Mode&0o7777, h.Uid, content)))
	}
}

// archiveOf is a tar with one file.
func archiveOf(t *testing.T, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	check(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640, Size: int64(len(content))}))
	_, err := w.Write([]byte(content))
	check(t, err)
	check(t, w.Close())
	return b.String()
}

// buildsInstructions looks at what the instructions make of an image: its files, and its configuration.
func buildsInstructions(t *testing.T, b *builds) {
	if b.info.Step("image_push") == nil {
		return
	}
	text := "ARG BASE=nothing\nARG FOLDER=/opt\nFROM ${BASE} AS first\nARG FOLDER=/srv\nCOPY --chmod=0600 a ${FOLDER}/a\n" +
		"FROM ${BASE}\nCOPY --from=first /srv /srv\nCOPY --from=0 /srv/a /srv/b\n" +
		"WORKDIR /srv/sub\nCOPY tree .\nCOPY [\"a\", \"/srv/in brackets\"]\nADD in.tar /srv/unpacked/\n" +
		"COPY --chown=7:8 a /srv/owned\nUSER 7:8\nRUN [\"/probe\", \"env\", \"HOME\"]\n" +
		"HEALTHCHECK --interval=7s --retries=2 CMD [\"/probe\", \"exit\", \"0\"]\nEXPOSE 80/tcp\nVOLUME /data\nSTOPSIGNAL SIGINT\n" +
		"ONBUILD COPY late /srv/late\nCMD [\"env\"]\nLABEL \"with space\"=\"a b\" two=2\n"
	res := b.Run(b.call(t, map[string]string{
		"Containerfile": text, "a": "A", "in.tar": archiveOf(t, "inner", "I"), "tree/x": "X", "tree/empty/": "", "tree/link": "->x", "tree/dangling": "->none",
	}, map[string]any{"build_args": map[string]string{"BASE": b.base}}))
	var out built
	res.Decode(&out)
	want := []string{
		"srv 755 0", "srv/a 600 0 A", "srv/b 600 0 A", "srv/in brackets 644 0 A", "srv/owned 644 7 A",
		"srv/sub 755 0", "srv/sub/dangling 777 0 -> none", "srv/sub/empty 755 0", "srv/sub/link 777 0 -> x", "srv/sub/x 644 0 X",
		"srv/unpacked 755 0", "srv/unpacked/inner 640 0 I",
	}
	if got := slices.DeleteFunc(b.files(t, out.Image), func(f string) bool { return !strings.HasPrefix(f, "srv") }); !slices.Equal(got, want) {
		t.Errorf("the image has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(res.Text("step"), "workdir /srv/sub uid 7 gid 8") {
		t.Errorf("WORKDIR and USER of a RUN:\n%s", res.Text("step"))
	}
	file, err := b.pushed(t, out.Image).ConfigFile()
	check(t, err)
	c := file.Config
	if c.User != "7:8" || c.WorkingDir != "/srv/sub" || c.StopSignal != "SIGINT" || fmt.Sprint(c.Cmd) != "[env]" || fmt.Sprint(c.Entrypoint) != "[/probe]" ||
		c.Labels["with space"] != "a b" || c.Labels["two"] != "2" || len(c.ExposedPorts) != 1 || len(c.Volumes) != 1 {
		t.Errorf("the configuration: %+v", c)
	}
	b.release(t, res)
}

// buildsIgnoring has .containerignore name what is not copied: patterns, exceptions, the last one that matches wins.
func buildsIgnoring(t *testing.T, b *builds) {
	context := map[string]string{
		"a.txt": "", "b.md": "", "keep.md": "", "deep/c.txt": "", "deep/er/d.txt": "", "deep/er/e.log": "", "deep/keep.log": "", "out/x": "", "out/in/y": "",
		"node_modules/m": "", "sub/node_modules/m": "", "#name": "", "Containerfile": "",
	}
	for name, c := range map[string]struct {
		ignore string
		want   string // what is copied, beside the Containerfile and the ignore file
	}{
		"nothing":         {"", "#name a.txt b.md deep/c.txt deep/er/d.txt deep/er/e.log deep/keep.log keep.md node_modules/m out/in/y out/x sub/node_modules/m"},
		"at the top":      {"*.md\nnode_modules\n", "#name a.txt deep/c.txt deep/er/d.txt deep/er/e.log deep/keep.log out/in/y out/x sub/node_modules/m"},
		"at every depth":  {"**/*.txt\n**/node_modules\n", "#name b.md deep/er/e.log deep/keep.log keep.md out/in/y out/x"},
		"with exceptions": {"*\n!deep\ndeep/er\n!deep/er/d.txt\n", "deep/c.txt deep/er/d.txt deep/keep.log"},
		"the last wins":   {"!keep.md\n*.md\n!b.md\ndeep\nout\n**/node_modules\n", "#name a.txt b.md"},
		"comments":        {"# *.txt\n\n  *.md  \n/out/\ndeep/\n**/node_modules\n", "#name a.txt"},
		"one character":   {"?.txt\n[bk]*.md\ndeep/*/e.*\n**/node_modules\nout/*\n", "#name deep/c.txt deep/er/d.txt deep/keep.log"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{".containerignore": c.ignore, "Containerfile": "FROM " + b.base + "\nCOPY . /all/\nRUN [\"/probe\", \"list\", \"/all\"]\n"}
			for name, text := range context {
				if _, ok := files[name]; !ok {
					files[name] = text
				}
			}
			res := b.Run(b.call(t, files, nil))
			res.Decode(&built{})
			var got []string
			for line := range strings.Lines(res.Text("step")) {
				rest, ok := strings.CutPrefix(line, "file /all/")
				file, _, _ := strings.Cut(rest, " ")
				if ok && file != "Containerfile" && file != ".containerignore" {
					got = append(got, file)
				}
			}
			slices.Sort(got)
			if all := strings.Join(got, " "); all != c.want {
				t.Errorf("copied %q, want %q", all, c.want)
			}
			b.release(t, res)
		})
	}
}

// tellsBuildProgress counts the instructions of all stages together, and the labels that a build gives by itself.
func tellsBuildProgress(t *testing.T, b *builds) {
	files := map[string]string{
		"Containerfile": "ARG X=1\nFROM " + b.base + " AS one\nCOPY a /a\nRUN [\"/probe\", \"exit\", \"0\"]\nFROM " + b.base + "\nCOPY --from=one /a /a\n", "a": "1",
	}
	res := b.Run(b.call(t, files, map[string]any{"no_cache": true}))
	res.Decode(&built{})
	var steps []sdk.Progress
	for _, p := range res.ProgressReports() {
		if p.Total > 0 && p.Unit == "" {
			steps = append(steps, p)
		}
	}
	if len(steps) == 0 {
		t.Fatal("a build told no progress")
	}
	for i, p := range steps {
		if p.Total < 5 || p.Total != steps[0].Total || p.Message == "" || i > 0 && p.Done <= steps[i-1].Done {
			t.Errorf("report %d of %d is %+v, want more done than before of 5 or more, and what", i+1, len(steps), p)
		}
	}
	if last := steps[len(steps)-1]; last.Done != last.Total {
		t.Errorf("the last report is %+v", last)
	}
	b.release(t, res)
}
