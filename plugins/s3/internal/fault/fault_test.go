package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

// ask sends one request to a server that answers with a status, a code and headers, and explains the error.
func ask(t *testing.T, status int, code string, header http.Header) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		if code != "" {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>It says %s.</Message></Error>", code, code)
		}
	}))
	defer server.Close()
	c, err := client.New(t.Context(), client.Config{Endpoint: server.URL, Region: "here", PathStyle: true, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	if err == nil {
		t.Fatal("no error")
	}
	return fault.Explain(t.Context(), "downloading", c.Place("bucket", "key", ""), err)
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
		header http.Header
		kind   sdk.Kind
		want   string // code
		says   string
	}{
		{404, "NoSuchBucket", nil, sdk.KindPermanent, fault.CodeNoBucket, `bucket "bucket" does not exist`},
		{404, "NoSuchKey", nil, sdk.KindPermanent, fault.CodeNoKey, `no object with key "key"`},
		{404, "NoSuchVersion", nil, sdk.KindPermanent, fault.CodeNoVersion, "no version"},
		{404, "", nil, sdk.KindPermanent, fault.CodeNoKey, "path_style"},
		{403, "AccessDenied", nil, sdk.KindPermanent, fault.CodeForbidden, "do not allow it"},
		{403, "InvalidAccessKeyId", nil, sdk.KindPermanent, fault.CodeCredentials, "access key id"},
		{403, "SignatureDoesNotMatch", nil, sdk.KindPermanent, fault.CodeCredentials, "secret access key"},
		{400, "ExpiredToken", nil, sdk.KindPermanent, fault.CodeCredentials, "session token"},
		{400, "AuthorizationHeaderMalformed", nil, sdk.KindPermanent, fault.CodeRegion, `region "here"`},
		{301, "PermanentRedirect", http.Header{"X-Amz-Bucket-Region": {"there"}}, sdk.KindPermanent, fault.CodeRegion, `in "there"`},
		{400, "InvalidArgument", nil, sdk.KindPermanent, fault.CodeRejected, "rejects"},
		{403, "RequestTimeTooSkewed", nil, sdk.KindTransient, "", "clock"},
		{409, "ConditionalRequestConflict", nil, sdk.KindTransient, "", "ConditionalRequestConflict"},
		{500, "InternalError", nil, sdk.KindTransient, "", "now"},
		{502, "", nil, sdk.KindTransient, "", "now"},
		{503, "SlowDown", nil, sdk.KindTransient, "", "now"},
		{429, "", nil, sdk.KindTransient, "", "now"},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.status, tt.code), func(t *testing.T) {
			err := ask(t, tt.status, tt.code, tt.header)
			var e *sdk.Error
			if !errors.As(err, &e) {
				e = &sdk.Error{}
			}
			if e.Kind != tt.kind || e.Code != tt.want || fault.Transient(err) != (tt.kind == sdk.KindTransient) {
				t.Errorf("kind %q and code %q, want %q and %q: %v", e.Kind, e.Code, tt.kind, tt.want, err)
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "downloading s3://bucket/key") {
				t.Errorf("error %q, want %q in it", err, tt.says)
			}
		})
	}
}

func TestExplainRetryAfter(t *testing.T) {
	err := ask(t, 503, "SlowDown", http.Header{"Retry-After": {"7"}})
	var e *sdk.Error
	if !errors.As(err, &e) || e.RetryAfter != 7*time.Second {
		t.Errorf("error %v, want a wait of 7 s", err)
	}
}

func TestExplainGivesTheCauseOfAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(sdk.ErrDetached)
	if err := fault.Explain(ctx, "downloading", fault.Place{}, errors.New("canceled")); !errors.Is(err, sdk.ErrDetached) {
		t.Errorf("error %v", err)
	}
}

func TestExplainCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	c, err := client.New(t.Context(), client.Config{Endpoint: server.URL, Region: "here", PathStyle: true, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	err = fault.Explain(t.Context(), "downloading", c.Place("bucket", "key", ""), err)
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.KindPermanent || e.Code != fault.CodeEndpoint || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}
