package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	oci "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// wrongs are the ways in which the provider shelf and the provider processes can be wrong, each with a suite that must fail for it
// and what the suite says.
var wrongs = map[string]struct {
	suite func(*testing.T, *Harness, Images)
	says  string
}{
	"pulls what the rules do not name": {ImagePull, "the step did not fail"},
	"pulls by policy never":            {ImagePull, "the step did not fail"},
	"invents digests":                  {ImagePull, "want the registry's"},
	"pushes nothing":                   {ImagePush, "the registry has no"},
	"retries everything":               {ImagePull, `want "permanent"`},
	"builds anything":                  {ImageBuild, "the step did not fail"},
	"runs without limits":              {ContainerRun, "--- FAIL: TestSuitesNoticeWrongs/memory"},
}

// wrongVariable names the wrong to be in a process of this test.
const wrongVariable = "CPUB_SDKTEST_WRONG"

// TestSuitesNoticeWrongs runs each suite against a provider that is wrong in one way, in a process of its own, as it must fail.
func TestSuitesNoticeWrongs(t *testing.T) {
	if wrong := os.Getenv(wrongVariable); wrong != "" {
		runWrong(t, wrong)
		return
	}
	for wrong, w := range wrongs {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuitesNoticeWrongs$")
			cmd.Env = append(os.Environ(), wrongVariable+"="+wrong)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), w.says) {
				t.Errorf("the suite should fail and say %q: %v\n%s", w.says, err, out)
			}
		})
	}
}

// TestSuitesPass runs the suites against a provider that is right.
func TestSuitesPass(t *testing.T) {
	i := newImages(t)
	h := New(t, &shelf{images: map[string]v1.Image{}, names: map[string]string{}, registry: i.Registry}, Options{})
	t.Run("image_pull", func(t *testing.T) { ImagePull(t, h, i) })
	t.Run("image_push", func(t *testing.T) { ImagePush(t, h, i) })
}

func runWrong(t *testing.T, wrong string) {
	i := newImages(t)
	s := &shelf{images: map[string]v1.Image{}, names: map[string]string{}, registry: i.Registry, wrong: wrong}
	wrongs[wrong].suite(t, New(t, s, Options{}), i)
}

func newImages(t *testing.T) Images {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return Images{
		Registry: sdk.Registry{Host: strings.TrimPrefix(server.URL, "http://"), Insecure: true},
		Left:     func(testing.TB, string) []string { return nil },
	}
}

// shelf is a provider of images in memory. It builds nothing, and runs programs without a container.
type shelf struct {
	registry sdk.Registry
	wrong    string
	images   map[string]v1.Image // by id
	names    map[string]string   // reference -> id
}

func (s *shelf) Info() sdk.Info {
	step := func(c contract.Type, run func(context.Context, *sdk.Request) (any, error)) sdk.StepType {
		return sdk.StepType{Name: c.Name, Doc: c.Doc, Input: c.Input, Output: c.Output, Run: run}
	}
	return sdk.Info{Name: "shelf", Version: "1.0.0", Steps: []sdk.StepType{
		step(contract.ImagePull(), s.pull), step(contract.ImagePush(), s.push),
		step(contract.ImageBuild(), s.build), step(contract.ContainerRun(), s.run),
	}}
}

func (s *shelf) Configure(context.Context, sdk.Configuration) (string, error) { return "shelf", nil }

func (s *shelf) pull(ctx context.Context, req *sdk.Request) (any, error) {
	var in struct{ Reference, Policy string }
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	ref, err := name.ParseReference(in.Reference, name.Insecure, name.StrictValidation)
	if err != nil {
		return nil, s.fail(sdk.Invalidf("reference", "%w", err))
	}
	if !sdk.MatchReference(req.Rules.PullFrom, in.Reference) && s.wrong != "pulls what the rules do not name" {
		return nil, s.fail(&sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf("denied by %s", req.Rules.Source)})
	}
	id, ok := s.names[in.Reference]
	if in.Policy == "never" && !ok && s.wrong != "pulls by policy never" {
		return nil, s.fail(sdk.Permanentf("it is not here"))
	}
	if !ok || in.Policy == "always" || in.Policy == "newer" {
		if id, err = s.fetch(ctx, ref, in.Reference); err != nil {
			return nil, err
		}
	}
	digest, err := s.images[id].Digest()
	if err != nil {
		return nil, err
	}
	if s.wrong == "invents digests" {
		digest.Hex = strings.Repeat("0", len(digest.Hex))
	}
	return map[string]any{"image": sdk.Located{ID: id, Location: "shelf"}, "digest": digest.String()}, nil
}

func (s *shelf) fetch(ctx context.Context, ref name.Reference, as string) (string, error) {
	img, err := oci.Image(ref, oci.WithContext(ctx))
	if err != nil && strings.Contains(err.Error(), "_UNKNOWN") {
		return "", s.fail(&sdk.Error{Kind: sdk.KindPermanent, Code: "not_found", Err: err})
	}
	if err != nil {
		return "", err
	}
	config, err := img.ConfigName()
	if err != nil {
		return "", err
	}
	s.images[config.Hex], s.names[as] = img, config.Hex
	return config.Hex, nil
}

func (s *shelf) push(ctx context.Context, req *sdk.Request) (any, error) {
	var in struct {
		Image                    sdk.Located
		Destination, Compression string
	}
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if in.Compression != "" {
		return nil, sdk.Permanentf("no compression here")
	}
	dest, err := name.NewTag(in.Destination, name.Insecure, name.StrictValidation)
	if err != nil {
		return nil, sdk.Invalidf("destination", "%w", err)
	}
	img := s.images[in.Image.ID]
	if img == nil || in.Image.Location != "shelf" {
		return nil, sdk.Permanentf("no image %v here", in.Image)
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	there, err := oci.Head(dest, oci.WithContext(ctx))
	cached := err == nil && there.Digest == digest
	if !cached && s.wrong != "pushes nothing" {
		if err := oci.Write(dest, img, oci.WithContext(ctx)); err != nil {
			return nil, err
		}
	}
	return map[string]any{"reference": dest.Context().String() + "@" + digest.String(), "digest": digest.String(), "cached": cached}, nil
}

// build says that it built an image, whatever it was asked for.
func (s *shelf) build(_ context.Context, req *sdk.Request) (any, error) {
	logFile := req.Scratch + "/log"
	if err := os.WriteFile(logFile, nil, 0o600); err != nil {
		return nil, err
	}
	return map[string]any{
		"image": sdk.Located{ID: "x", Location: "shelf"}, "tags": []string{}, "size": 1, "cached": false, "log": sdk.File(logFile, "log", "text/plain"),
	}, nil
}

// run says that a program ended well, without limits.
func (s *shelf) run(_ context.Context, req *sdk.Request) (any, error) {
	var in struct{ Command []string }
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	logFile := req.Scratch + "/log"
	text := []byte("allocated 400 MiB\n")
	req.Host.Log("stdout", text)
	return map[string]any{
		"exit_code": 0, "stdout": string(text), "stderr": "", "truncated": false, "log": sdk.File(logFile, "log", "text/plain"),
		"receipt": contract.Receipt{Limits: contract.Limits{Capabilities: []string{}}, EndedBy: contract.EndedByExit},
	}, os.WriteFile(logFile, text, 0o600)
}

func (s *shelf) fail(err error) error {
	if s.wrong == "retries everything" {
		return errors.New(err.Error())
	}
	return err
}
