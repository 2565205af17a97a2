package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// report is one line of the streams that pull and push answer with.
type report struct {
	Stream         string   `json:"stream"`
	Error          string   `json:"error"`
	ID             string   `json:"id"`
	Images         []string `json:"images"`
	ManifestDigest string   `json:"manifestdigest"`
}

// readReports reads a stream to its end, its words into the log, and gives what it said last of each thing.
func readReports(body io.Reader, log io.Writer) (report, error) {
	var last report
	for dec := json.NewDecoder(body); ; {
		var r report
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return last, nil
		} else if err != nil {
			return last, fmt.Errorf("reading Podman's answer: %w", err)
		}
		if r.Error != "" {
			return last, errors.New(r.Error)
		}
		if r.Stream != "" {
			if _, err := io.WriteString(log, r.Stream); err != nil {
				return last, err
			}
		}
		if r.ID != "" {
			last.ID = r.ID
		}
		if len(r.Images) > 0 {
			last.Images = r.Images
		}
		if r.ManifestDigest != "" {
			last.ManifestDigest = r.ManifestDigest
		}
	}
}

// classify says of a failure that Podman had with a registry whether another attempt can help, and what to do.
func (s *Store) classify(err error, reg sdk.Registry) error {
	if untrusted(err) {
		return s.untrusted(err, reg)
	}
	return classify(err, reg.Host)
}

// untrusted tells whether a failure is a certificate's.
func untrusted(err error) bool { return strings.Contains(err.Error(), "x509:") }

// untrusted says how Podman comes to trust a registry.
func (s *Store) untrusted(err error, reg sdk.Registry) error {
	switch own := s.Client.Own(); {
	case own && reg.CA == "":
		return sdk.Permanentf("Podman does not trust the certificate of registry %s: name its CA with `ca_file` in `registry %q` in worker.hcl: %w",
			reg.Host, reg.Host, err)
	case own:
		return sdk.Permanentf("Podman does not trust the certificate of registry %s, although it was given `ca_file` of `registry %q` in worker.hcl: %w",
			reg.Host, reg.Host, err)
	default:
		return sdk.Permanentf("Podman at %s does not trust the certificate of registry %s: put the registry's CA into /etc/containers/certs.d/%s/ca.crt "+
			"on Podman's host (for a rootless Podman, into ~/.config/containers/certs.d/%s/ca.crt of its user), which needs no restart; "+
			"`ca_file` in worker.hcl reaches only a Podman that the provider starts itself: %w", s.Client.URI, reg.Host, reg.Host, reg.Host, err)
	}
}

// classify says of a registry's failure whether another attempt can help, and what to do.
func classify(err error, host string) error {
	text := strings.ToLower(err.Error())
	has := func(signs ...string) bool {
		for _, s := range signs {
			if strings.Contains(text, s) {
				return true
			}
		}
		return false
	}
	switch {
	case has("unauthorized", "authentication required", "access to the resource is denied", "invalid username/password"):
		return &sdk.Error{Kind: sdk.KindPermanent, Code: "unauthorized", Err: fmt.Errorf(
			"%w; set username and password of `registry %q` in worker.hcl", err, host)}
	case has("does not match provided manifest digest", "digest did not match", "does not match requested digest", "does not match expected ", "error verifying sha256 checksum",
		"does not match docker-content-digest", "content-length mismatch"):
		return &sdk.Error{Kind: sdk.KindPermanent, Code: "digest", Err: err}
	case has("manifest unknown", "name unknown", "repository name not known"):
		return &sdk.Error{Kind: sdk.KindPermanent, Code: "not_found", Err: err}
	case has("server gave http response to https client"):
		return sdk.Permanent(fmt.Errorf("%w; if plain HTTP is meant, set `insecure = true` in `registry %q` in worker.hcl", err, host))
	case has("x509:"):
		return sdk.Permanentf("the certificate of registry %s is not trusted: name its CA with `ca_file` in `registry %q` in worker.hcl: %w", host, host, err)
	case status.MatchString(text):
		return sdk.Permanent(err)
	default:
		return err
	}
}

// status matches the answers of a registry that another attempt does not change.
var status = regexp.MustCompile(`\b(400 bad request|403 forbidden|405 method not allowed)\b|\bstatus (400|403|405)\b`)
