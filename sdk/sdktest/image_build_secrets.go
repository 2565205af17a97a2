package sdktest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// keepsBuildSecrets: a RUN reads its secrets, and there is no word of them afterwards, wherever one looks.
func keepsBuildSecrets(t *testing.T, b *builds) {
	text := "FROM " + b.base + " AS one\n" +
		"RUN --mount=type=secret,id=token,target=/in/token [\"/probe\", \"list\", \"/in\"]\n" +
		"FROM " + b.base + "\n" +
		"RUN --mount=type=secret,id=token --mount=type=secret,id=plain,required=true [\"/probe\", \"list\", \"/run/secrets\"]\n" +
		"COPY . /all/\nCOPY --from=one /etc /etc\nRUN [\"/probe\", \"list\", \"/all\"]\n"
	call := b.call(t, map[string]string{"Containerfile": text, "f": "x"}, map[string]any{
		"build_secrets": map[string]string{"token": "shown", "plain": "no secret at all"}, "tags": []string{"localhost/secrets:1"},
	})
	call.Secrets = []schema.SecretText{{Path: []string{"build_secrets", "token"}, Parts: []schema.SecretPart{{Text: "<"}, {Secret: Secret().Name}, {Text: ">"}}}}
	res := b.Run(call)
	var out built
	res.Decode(&out)
	log := b.log(t, res)
	for _, want := range []string{"file /in/token <***>", "file /run/secrets/token <***>", "file /run/secrets/plain no secret at all", "file /all/f x"} {
		if !strings.Contains(log, want) || !strings.Contains(res.Text("step"), want) {
			t.Errorf("no %q in the log, or in the live log:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "file /all/"); n != 2 {
		t.Errorf("COPY took %d files, want 2:\n%s", n, log)
	}
	kept := log + res.Text("step") + string(res.Outputs)
	for _, p := range res.ProgressReports() {
		kept += p.Message
	}
	if b.info.Step("image_push") != nil {
		kept += b.bytes(t, out.Image)
	}
	for _, word := range []string{"sesame", "second line"} {
		if strings.Contains(kept, word) {
			t.Errorf("%q of the secret was kept: in the log, the outputs, or the image's layers, config or manifest", word)
		}
	}
	b.release(t, res)
	b.failsWithSecrets(t)
}

// failsWithSecrets: a failure does not tell them either, and what is not given is refused.
func (b *builds) failsWithSecrets(t *testing.T) {
	t.Helper()
	mount := "RUN --mount=type=secret,id=token "
	call := b.containerfile(t, mount+"[\"/probe\", \"list\", \"/run/secrets\"]\nRUN [\"/probe\", \"exit\", \"3\"]\n",
		map[string]any{"build_secrets": map[string]string{"token": "shown"}})
	call.Secrets = []schema.SecretText{{Path: []string{"build_secrets", "token"}, Parts: []schema.SecretPart{{Secret: Secret().Name}}}}
	res := b.Run(call)
	wantCode(t, res, sdk.KindPermanent, sdk.CodeExit)
	if text := res.Text("step") + res.Err.Error(); strings.Contains(text, "sesame") {
		t.Errorf("a failure tells the secret: %s", text)
	}
	b.nothingLeft(t, res.Key)
	for name, call := range map[string]Call{
		"none":      b.containerfile(t, mount+"[\"/probe\"]\n", nil),
		"another":   b.containerfile(t, mount+"[\"/probe\"]\n", map[string]any{"build_secrets": map[string]string{"other": "x"}}),
		"a bad id":  b.containerfile(t, "", map[string]any{"build_secrets": map[string]string{"a,src=/etc/passwd": "x"}}),
		"ssh agent": b.containerfile(t, "RUN --mount=type=ssh [\"/probe\"]\n", nil),
	} {
		res := b.Run(call)
		if res.Err == nil || kindOf(res.Err) == sdk.KindTransient {
			t.Errorf("%s: %v, want a refusal", name, res.Err)
		}
		b.nothingLeft(t, res.Key)
	}
}

// image pushes an image, and gives what the registry has.
func (b *builds) pushed(t *testing.T, image sdk.Located) v1.Image {
	t.Helper()
	dest := b.reference("built")
	b.Run(b.push(image, dest)).Decode(&pushed{})
	return b.get(t, dest)
}

// bytes is all that an image consists of, as the registry has it, unpacked.
func (b *builds) bytes(t *testing.T, image sdk.Located) string {
	t.Helper()
	img := b.pushed(t, image)
	var all bytes.Buffer
	for _, part := range []func() ([]byte, error){img.RawManifest, img.RawConfigFile} {
		text, err := part()
		check(t, err)
		all.Write(text)
	}
	layers, err := img.Layers()
	check(t, err)
	for _, l := range layers {
		r, err := l.Uncompressed()
		check(t, err)
		_, err = io.Copy(&all, r)
		check(t, err)
		check(t, r.Close())
	}
	return all.String()
}
