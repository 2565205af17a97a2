package fetch

import (
	"context"
	"crypto/md5"  //nolint:gosec // what ETags are
	"crypto/sha1" //nolint:gosec // a checksum that S3 offers
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

// nvme is the polynomial of CRC-64/NVME, reflected.
const nvme = 0x9a6c9329ac4bc9b5

// check is one thing that the content is held against.
type check struct {
	name string
	hash hash.Hash
	want string
	text func([]byte) string
}

// verify reads what was downloaded once, and holds it against everything that is known of it.
func (f *fetcher) verify(ctx context.Context, dl *download, out *s3.GetObjectOutput) error {
	checks := serverChecks(out)
	expected := sha256.New()
	var writers []io.Writer
	if f.opts.SHA256 != "" {
		writers = append(writers, expected)
	}
	for _, c := range checks {
		writers = append(writers, c.hash)
	}
	content := io.NewSectionReader(dl.data, 0, dl.id.Size)
	n, err := io.Copy(io.MultiWriter(writers...), readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return content.Read(p)
	}))
	if err == nil && n != dl.id.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("reading what was downloaded, %d of %d bytes: %w", n, dl.id.Size, err)
	}
	for _, c := range checks {
		if got := c.text(c.hash.Sum(nil)); got != c.want {
			return &sdk.Error{Code: fault.CodeChecksum, Err: fmt.Errorf(
				"downloading %s: what arrived has %s %s, but the object has %s; it is discarded", f.place(), c.name, got, c.want)}
		}
	}
	if f.opts.SHA256 == "" {
		return nil
	}
	if got := hex.EncodeToString(expected.Sum(nil)); got != f.opts.SHA256 {
		return &sdk.Error{Kind: sdk.KindPermanent, Code: fault.CodeChecksum, Err: fmt.Errorf(
			"downloading %s: its SHA-256 is %s, and %s was expected; it is discarded", f.place(), got, f.opts.SHA256)}
	}
	return nil
}

// serverChecks are the checksums of the whole object that the server told.
func serverChecks(out *s3.GetObjectOutput) []check {
	var checks []check
	if md, ok := md5ETag(out); ok {
		checks = append(checks, check{"MD5", md5.New(), md, hex.EncodeToString}) //nolint:gosec // see above
	}
	if out.ChecksumType == types.ChecksumTypeComposite {
		return checks
	}
	for _, c := range []struct {
		name string
		hash hash.Hash
		want *string
	}{
		{"SHA-256", sha256.New(), out.ChecksumSHA256},
		{"SHA-1", sha1.New(), out.ChecksumSHA1}, //nolint:gosec // see above
		{"CRC-64/NVME", crc64.New(crc64.MakeTable(nvme)), out.ChecksumCRC64NVME},
		{"CRC-32C", crc32.New(castagnoli), out.ChecksumCRC32C},
		{"CRC-32", crc32.NewIEEE(), out.ChecksumCRC32},
	} {
		// A "-" and a number follow checksums of checksums of parts.
		if want := aws.ToString(c.want); want != "" && !strings.Contains(want, "-") {
			checks = append(checks, check{c.name, c.hash, want, base64.StdEncoding.EncodeToString})
		}
	}
	return checks
}

// md5ETag is the MD5 that an ETag is: that of an object that was uploaded at once and not encrypted with keys of its own.
func md5ETag(out *s3.GetObjectOutput) (string, bool) {
	etag := strings.ToLower(unquote(aws.ToString(out.ETag)))
	if b, err := hex.DecodeString(etag); err != nil || len(b) != md5.Size {
		return "", false
	}
	kms := out.ServerSideEncryption != "" && out.ServerSideEncryption != types.ServerSideEncryptionAes256
	return etag, !kms && out.SSECustomerAlgorithm == nil
}
