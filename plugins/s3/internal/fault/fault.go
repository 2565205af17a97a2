// Package fault says what went wrong with an S3 request in the words of who has to mend it: which of bucket, key,
// credentials, region or endpoint it was, and whether trying again can help.
package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/containerpub/cpub/sdk"
)

// The codes of errors, for programs.
const (
	CodeNoBucket    = "no_such_bucket"
	CodeNoKey       = "no_such_key"
	CodeNoVersion   = "no_such_version"
	CodeCredentials = "credentials"
	CodeForbidden   = "access_denied"
	CodeRegion      = "region"
	CodeEndpoint    = "endpoint"
	CodeExists      = "already_exists"
	CodeChecksum    = "checksum"
	CodeRejected    = "rejected"
)

// Place is what a request was about. Empty fields are not mentioned.
type Place struct {
	Endpoint, Region     string
	Bucket, Key, Version string
}

func (p Place) String() string {
	s := "s3://" + p.Bucket
	if p.Key != "" {
		s += "/" + p.Key
	}
	if p.Version != "" {
		s += "?versionId=" + p.Version
	}
	return s
}

// Explain makes the error of a request an error of the sdk's kinds that says what to do. doing is a gerund, such as
// "downloading". A context that has ended gives its cause.
func Explain(ctx context.Context, doing string, p Place, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var known *sdk.Error
	if errors.As(err, &known) {
		return err
	}
	doing = doing + " " + p.String()
	if e := answered(doing, p, err); e != nil {
		return e
	}
	return unanswered(doing, p, err)
}

// Status is the HTTP status of the answer that made a request fail, or 0.
func Status(err error) int {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		return resp.HTTPStatusCode()
	}
	return 0
}

// Code is S3's word for why a request failed, or empty.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// answered explains what a server answered, or returns nil when none did.
func answered(doing string, p Place, err error) error {
	code, status := Code(err), Status(err)
	if code == "" && status == 0 {
		return nil
	}
	permanent := func(c, format string, args ...any) error {
		return &sdk.Error{Kind: sdk.KindPermanent, Code: c, Err: fmt.Errorf("%s: %s (%s)", doing, fmt.Sprintf(format, args...), short(err))}
	}
	switch code {
	case "NoSuchBucket":
		return permanent(CodeNoBucket, "bucket %q does not exist at %s", p.Bucket, p.Endpoint)
	case "InvalidBucketName":
		return permanent(CodeNoBucket, "%q is no name that a bucket can have", p.Bucket)
	case "NoSuchKey":
		return permanent(CodeNoKey, "bucket %q has no object with key %q", p.Bucket, p.Key)
	case "NoSuchVersion", "MethodNotAllowed":
		return permanent(CodeNoVersion, "the object has no version %q that can be read", p.Version)
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the second is versitygw's
		return permanent(CodeCredentials, "the access key id is not known at %s; check access_key_id, or the profile", p.Endpoint)
	case "SignatureDoesNotMatch":
		return permanent(CodeCredentials, "the secret access key is wrong; check secret_access_key, or the profile")
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "ExpiredTokenException":
		return permanent(CodeCredentials, "the session token is wrong or has expired; get new credentials")
	case "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "PermanentRedirect", "IllegalLocationConstraintException", "TemporaryRedirect":
		return permanent(CodeRegion, "region %q seems to be wrong for this bucket%s; check region", p.Region, regionHint(err))
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%s: this machine's clock is wrong: %w", doing, err)
	}
	return byStatus(doing, p, status, code, err)
}

// byStatus explains an answer whose code says nothing special.
func byStatus(doing string, p Place, status int, code string, err error) error {
	switch {
	case status == http.StatusTooManyRequests || status >= 500 || code == "SlowDown" || code == "RequestTimeout" || code == "InternalError":
		return retryable(fmt.Errorf("%s: %s cannot serve the request now: %w", doing, p.Endpoint, err), err)
	case status == http.StatusForbidden:
		return &sdk.Error{Kind: sdk.KindPermanent, Code: CodeForbidden, Err: fmt.Errorf(
			"%s: the credentials do not allow it, or there is no such object and they do not allow to see that (%s)", doing, short(err))}
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return &sdk.Error{Kind: sdk.KindPermanent, Code: CodeRegion, Err: fmt.Errorf(
			"%s: region %q seems to be wrong for this bucket%s; check region and endpoint (%s)", doing, p.Region, regionHint(err), short(err))}
	case status == http.StatusNotFound:
		return &sdk.Error{Kind: sdk.KindPermanent, Code: CodeNoKey, Err: fmt.Errorf(
			"%s: %s does not have it; check bucket and key, and whether the endpoint wants path_style = true (%s)", doing, p.Endpoint, short(err))}
	case status == http.StatusConflict || status == http.StatusPreconditionFailed || status == 0 || status < 400:
		return fmt.Errorf("%s: %w", doing, err) // another request was in the way
	}
	return &sdk.Error{Kind: sdk.KindPermanent, Code: CodeRejected, Err: fmt.Errorf("%s: %s rejects the request: %w", doing, p.Endpoint, err)}
}

// unanswered explains why no answer came.
func unanswered(doing string, p Place, err error) error {
	permanent := func(c, format string, args ...any) error {
		return &sdk.Error{Kind: sdk.KindPermanent, Code: c, Err: fmt.Errorf("%s: %s: %w", doing, fmt.Sprintf(format, args...), err)}
	}
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var dns *net.DNSError
	switch {
	case errors.As(err, &cert), errors.As(err, &authority):
		return permanent(CodeEndpoint, "the certificate of %s is not trusted here", p.Endpoint)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return permanent(CodeEndpoint, "%s does not speak TLS; write http:// in endpoint", p.Endpoint)
	case errors.As(err, &dns):
		return &sdk.Error{Code: CodeEndpoint, Err: fmt.Errorf(
			"%s: host %s of %s is not known; check endpoint, and whether it wants path_style = true: %w", doing, dns.Name, p.Endpoint, err)}
	case isNet(err):
		return &sdk.Error{Code: CodeEndpoint, Err: fmt.Errorf("%s: cannot reach %s: %w", doing, p.Endpoint, err)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func isNet(err error) bool {
	var op net.Error
	return errors.As(err, &op)
}

// retryable keeps how long the server wants us to wait.
func retryable(said, err error) error {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		if s, perr := strconv.Atoi(resp.Response.Header.Get("Retry-After")); perr == nil && s > 0 && s <= 3600 {
			return sdk.RetryAfter(time.Duration(s)*time.Second, said)
		}
	}
	return said
}

// regionHint is the region that the server names, in words.
func regionHint(err error) string {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		if r := resp.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			return fmt.Sprintf(", which is in %q", r)
		}
	}
	return ""
}

// short is what the server said, without the SDK's story around it.
func short(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Sprintf("%s: %s", api.ErrorCode(), strings.TrimSuffix(api.ErrorMessage(), "."))
	}
	return err.Error()
}

// Transient tells whether trying again can help.
func Transient(err error) bool {
	var known *sdk.Error
	return !errors.As(err, &known) || known.Kind == sdk.KindTransient
}
