package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

const digestPrefix = "sha256:"

// parseDigest gives the hex of "sha256:<hex>".
func parseDigest(digest string) (string, error) {
	hexa, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(hexa) != 2*sha256.Size || strings.Trim(hexa, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a digest: sha256: and 64 lower-case hex digits", digest)
	}
	return hexa, nil
}

// meter takes the digest and the size of what is written to it.
type meter struct {
	sum hash.Hash
	n   int64
}

func newMeter() *meter { return &meter{sum: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	return m.sum.Write(p)
}

func (m *meter) digest() string { return digestPrefix + hex.EncodeToString(m.sum.Sum(nil)) }

// verified reports the end of r only if all that was read has the digest.
type verified struct {
	r      io.ReadCloser
	meter  *meter
	digest string
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	_, _ = v.meter.Write(p[:n]) // never fails
	if errors.Is(err, io.EOF) && v.meter.digest() != v.digest {
		return n, fmt.Errorf("%s has digest %s: %w", v.digest, v.meter.digest(), ErrCorrupt)
	}
	return n, err
}

func (v *verified) Close() error { return v.r.Close() }
