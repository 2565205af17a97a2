package containerfile

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	none := Options{Network: "none", Heredocs: true}
	cases := []struct {
		name    string
		text    string
		options Options
		bases   []string
		err     string // part of it; "" for none
		denied  bool
	}{
		{name: "one stage", text: "FROM a.io/b:1\n", options: none, bases: []string{"a.io/b:1"}},
		{name: "scratch", text: "FROM scratch\nCOPY . /\n", options: none},
		{
			name: "stages", options: none, bases: []string{"a.io/b:1", "a.io/c:1"},
			text: "FROM a.io/b:1 AS one\nFROM a.io/c:1\nCOPY --from=one /x /\nCOPY --from=0 /y /\n",
		},
		{
			name: "arguments", options: Options{Network: "none", Args: map[string]string{"TAG": "2"}}, bases: []string{"a.io/b:2", "a.io/d:9"},
			text: "ARG TAG=1\nARG OTHER=d\nFROM a.io/b:${TAG}\nFROM a.io/${OTHER}:${NONE:-9}\n",
		},
		{name: "an argument without a value", text: "ARG BASE\nFROM $BASE\n", options: none, err: "empty"},
		{
			name: "other ways to name an image", options: none, bases: []string{"a.io/b:1", "x.io/y:1", "x.io/z:1"},
			text: "FROM a.io/b:1\nCOPY --from=x.io/y:1 / /\nRUN --mount=type=bind,from=x.io/z:1,target=/m cat /m/x\n",
		},
		{
			name: "a stage is only what stands above", options: none, bases: []string{"late", "a.io/b:1"},
			text: "FROM late\nFROM a.io/b:1 AS late\n",
		},
		{name: "COPY --from with a variable", text: "FROM a.io/b:1\nARG X\nCOPY --from=$X / /\n", options: none, err: "not a variable", denied: true},
		{name: "lower case, escaped lines", text: "# escape=`\nfrom `\n a.io/b:1\n", options: none, bases: []string{"a.io/b:1"}},
		{name: "ADD of a URL", text: "FROM a.io/b:1\nADD https://x/y /\n", options: none, err: "no network", denied: true},
		{name: "ADD of a URL with a network", text: "FROM a.io/b:1\nADD https://x/y /\n", options: Options{Network: "bridge"}, bases: []string{"a.io/b:1"}},
		{name: "ADD of a git repository", text: "FROM a.io/b:1\nADD git@x:y.git /\n", options: none, err: "no network", denied: true},
		{name: "ADD of a hidden URL", text: "FROM a.io/b:1\nARG X\nADD h$X /\n", options: none, err: "might fetch", denied: true},
		{name: "ADD of a file", text: "FROM a.io/b:1\nARG X\nADD ./$X.tar a.tar /\n", options: none, bases: []string{"a.io/b:1"}},
		{name: "a cache mount", text: "FROM a.io/b:1\nRUN --mount=type=cache,target=/c x\n", options: none, err: "cache_mounts", denied: true},
		{
			name: "an allowed cache mount", text: "FROM a.io/b:1\nRUN --mount=type=cache,target=/c x\n",
			options: Options{Network: "none", CacheMounts: true}, bases: []string{"a.io/b:1"},
		},
		{name: "a secret that is not", text: "FROM a.io/b:1\nRUN --mount=type=secret,id=s x\n", options: none, err: `no secret "s" in build_secrets`},
		{name: "a secret that may be missing", text: "FROM a.io/b:1\nRUN --mount=type=secret,id=s,required=false x\n", options: none, bases: []string{"a.io/b:1"}},
		{
			name: "a secret", text: "FROM a.io/b:1\nRUN --mount=type=secret,id=s,target=/s x\n",
			options: Options{Network: "none", Secrets: []string{"s"}}, bases: []string{"a.io/b:1"},
		},
		{
			name: "a secret as a variable", text: "FROM a.io/b:1\nRUN --mount=type=secret,id=s,env=S x\n",
			options: Options{Network: "none", Secrets: []string{"s"}}, err: "env is not served",
		},
		{name: "an ssh agent", text: "FROM a.io/b:1\nRUN --mount=type=ssh x\n", options: none, err: "not served", denied: true},
		{name: "the host's network", text: "FROM a.io/b:1\nRUN --network=host x\n", options: none, err: "build's network is none", denied: true},
		{name: "insecure", text: "FROM a.io/b:1\nRUN --security=insecure x\n", options: none, err: "not allowed", denied: true},
		{name: "a heredoc", text: "FROM a.io/b:1\nRUN <<EOF\nFROM evil\nEOF\n", options: none, bases: []string{"a.io/b:1"}},
		{name: "a heredoc for an old builder", text: "FROM a.io/b:1\nRUN <<EOF\nFROM evil\nEOF\n", options: Options{Network: "none"}, err: "4.8"},
		{name: "no FROM", text: "RUN x\n", options: none, err: "FROM"},
		{name: "nothing", text: "", options: none, err: "Containerfile"},
		{name: "two mistakes", text: "FROM a.io/b:1\nRUN --network=host x\nADD https://x/y /\n", options: none, err: "line 3", denied: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Read([]byte(c.text), c.options)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || errors.Is(err, ErrDenied) != c.denied {
					t.Fatalf("error %v, want one with %q (denied: %v)", err, c.err, c.denied)
				}
				return
			}
			var names []string
			for _, b := range got.Bases {
				names = append(names, b.Reference)
			}
			if err != nil || !slices.Equal(names, c.bases) {
				t.Errorf("bases %q, error %v; want %q", names, err, c.bases)
			}
		})
	}
}

// FuzzRead looks for input that the parser cannot bear: uploaders write these files.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"FROM a\n", "ARG A=${B:-c}\nFROM $A AS x\nCOPY --from=x <<EOF /\nhi\nEOF\n", "# escape=`\nFROM `\na", "FROM a\nONBUILD RUN x\nRUN --mount=type=cache x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = Read(text, Options{Network: "none", Heredocs: true})
	})
}
