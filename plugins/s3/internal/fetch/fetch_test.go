package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
)

// content is what the tests' servers have: two and a half parts.
var content = bytes.Repeat([]byte("0123456789abcdef"), 5*MinPartSize/2/16) //nolint:gochecknoglobals // read only

// fetchFrom downloads from a server of the test's own.
func fetchFrom(t *testing.T, dir string, handler http.HandlerFunc) (Result, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	c, err := client.New(t.Context(), client.Config{Endpoint: server.URL, Region: "r", PathStyle: true, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return Fetch(t.Context(), c, Object{Bucket: "b", Key: "k"}, dir, &Options{Parts: parts.Parts{PartSize: MinPartSize, Concurrency: 1}})
}

// serve is a server that does as it should.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"e"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func TestFetchFromHonestServer(t *testing.T) {
	res, err := fetchFrom(t, t.TempDir(), serve)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(res.Path)
	if err != nil || !bytes.Equal(got, content) || res.ETag != "e" || res.Size != int64(len(content)) {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestFetchFromStrangeServers(t *testing.T) {
	var changes atomic.Int64
	for _, tt := range []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"ignores ranges", "answers with range", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			serve(w, r)
		}},
		{"answers another range", "answers with range", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				r.Header.Set("Range", "bytes=0-9")
			}
			serve(w, r)
		}},
		{"changes all the time", "replaced", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", fmt.Sprintf(`"e%d"`, changes.Add(1)))
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content)
		}},
		{"has no ETag", "does not say which ETag", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		}},
		{"has another checksum", "CRC-32 ", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
			serve(w, r)
		}},
		{"has another MD5", "MD5 ", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"00000000000000000000000000000000"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "download")
			_, err := fetchFrom(t, dir, tt.handler)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, wholeFile)); err == nil {
				t.Error("what is wrong is there as complete")
			}
		})
	}
}

func TestDownloadSurvivesTornList(t *testing.T) {
	dir := t.TempDir()
	id := identity{Bucket: "b", Key: "k", ETag: "e", Size: 25, PartSize: 10}
	open := func(id identity) *download {
		t.Helper()
		d, err := openDownload(dir, id, t.Logf)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.close() })
		return d
	}
	d := open(id)
	for n := range 2 {
		off, length := d.span(n)
		if _, err := d.data.WriteAt(bytes.Repeat([]byte{'x'}, int(length)), off); err != nil {
			t.Fatal(err)
		}
		if err := d.finished(n, 0x1b5ad7da^uint32(n)); err != nil { // of no content that is there
			t.Fatal(err)
		}
	}
	if got := open(id).missing(); len(got) != 3 {
		t.Errorf("parts with wrong checksums are taken: missing %v", got)
	}
	d = open(id)
	if err := d.finished(1, crcOf(bytes.Repeat([]byte{'x'}, 10))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.log.WriteString(`{"part":0,"crc`); err != nil {
		t.Fatal(err)
	}
	if got := open(id).missing(); len(got) != 2 || got[0] != 0 || got[1] != 2 {
		t.Errorf("missing %v, want parts 0 and 2", got)
	}
	id.ETag = "other"
	if got := open(id).missing(); len(got) != 3 {
		t.Errorf("parts of another object are taken: missing %v", got)
	}
}

func crcOf(b []byte) uint32 {
	return crc32.Checksum(b, castagnoli)
}

func TestServerChecks(t *testing.T) {
	of := func(out s3.GetObjectOutput) (names []string) {
		for _, c := range serverChecks(&out) {
			_, _ = c.hash.Write([]byte("123456789"))
			if c.text(c.hash.Sum(nil)) == c.want {
				names = append(names, c.name)
			} else {
				names = append(names, "not "+c.name)
			}
		}
		return names
	}
	md5 := aws.String(`"25f9e794323b453885f5181f1b624d0b"`)
	for _, tt := range []struct {
		name string
		out  s3.GetObjectOutput
		want string
	}{
		{"MD5 ETag", s3.GetObjectOutput{ETag: md5}, "MD5"},
		{"MD5 ETag, encrypted by the store", s3.GetObjectOutput{ETag: md5, ServerSideEncryption: types.ServerSideEncryptionAes256}, "MD5"},
		{"encrypted with a key", s3.GetObjectOutput{ETag: md5, ServerSideEncryption: types.ServerSideEncryptionAwsKms}, ""},
		{"ETag of parts", s3.GetObjectOutput{ETag: aws.String(`"25f9e794323b453885f5181f1b624d0b-3"`)}, ""},
		{"CRC-64/NVME", s3.GetObjectOutput{ChecksumCRC64NVME: aws.String("rosUhgp5mIg=")}, "CRC-64/NVME"},
		{"CRC-32C", s3.GetObjectOutput{ChecksumCRC32C: aws.String("4waSgw==")}, "CRC-32C"},
		{"CRC-32", s3.GetObjectOutput{ChecksumCRC32: aws.String("y/Q5Jg==")}, "CRC-32"},
		{"wrong CRC-32", s3.GetObjectOutput{ChecksumCRC32: aws.String("y/Q5Jw==")}, "not CRC-32"},
		{"SHA-256", s3.GetObjectOutput{ChecksumSHA256: aws.String("FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=")}, "SHA-256"},
		{"checksum of checksums", s3.GetObjectOutput{ChecksumSHA256: aws.String("abc=-2")}, ""},
		{"composite", s3.GetObjectOutput{ChecksumCRC32: aws.String("y/Q5Jg=="), ChecksumType: types.ChecksumTypeComposite}, ""},
	} {
		if got := strings.Join(of(tt.out), ", "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestUnlockedAfterwards(t *testing.T) {
	dir := t.TempDir()
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockDir(dir); err == nil {
		t.Error("locked twice")
	}
	first.release()
	second, err := lockDir(dir)
	if err != nil {
		t.Fatal(errors.Join(errors.New("not released"), err))
	}
	second.release()
}
