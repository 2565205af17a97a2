package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

// What Check looks at.
const (
	findingConfig      = "s3_config"
	findingCredentials = "s3_credentials"
	findingReachable   = "s3_reachable"
	findingAccepted    = "s3_accepted"
	findingRegion      = "s3_region"
	findingClock       = "s3_clock"
	findingBucket      = "s3_bucket"
)

// findings are the names of what Check looks at, in the order in which it does.
func findings() []string {
	return []string{findingConfig, findingCredentials, findingReachable, findingAccepted, findingRegion, findingClock, findingBucket}
}

const (
	// credentialsTime is how long the SDK's chain may look for credentials, answerTime how long the store may take for each answer.
	credentialsTime = 5 * time.Second
	answerTime      = 10 * time.Second
	// maxSkew is how far the store's clock may be from this machine's: signatures count for some minutes.
	maxSkew = 30 * time.Second
)

// Check implements sdk.Checker: does the store answer, take the credentials, have the same time, and the buckets that the policy names?
func (p *Provider) Check(ctx context.Context) ([]sdk.Finding, error) {
	if p.problem != nil {
		return []sdk.Finding{bad(findingConfig, p.problem.Error(), "correct the provider's config block in worker.hcl")}, nil
	}
	found := []sdk.Finding{good(findingConfig, "%s", p.client.Endpoint())}
	looking, cancel := context.WithTimeout(ctx, credentialsTime)
	defer cancel()
	if err := p.client.Authenticated(looking); err != nil {
		f := bad(findingCredentials, err.Error(), "set access_key_id and secret_access_key, or profile, in the provider's config block")
		f.Warning = len(p.buckets) == 0 // nobody may use the store anyway
		return append(found, f), nil
	}
	found = append(found, good(findingCredentials, "credentials were found"))
	more, usable := p.checkStore(ctx)
	found = append(found, more...)
	if !usable {
		return found, nil
	}
	for _, name := range p.buckets {
		if !strings.Contains(name, "*") {
			found = append(found, p.checkBucket(ctx, name))
		}
	}
	return found, nil
}

// checkStore looks at the store; false: its buckets cannot be looked at.
func (p *Provider) checkStore(ctx context.Context) ([]sdk.Finding, bool) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var date time.Time
	before := time.Now()
	out, err := p.client.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	if err == nil {
		date, _ = awsmiddleware.GetServerTime(out.ResultMetadata)
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		date, _ = http.ParseTime(resp.Response.Header.Get("Date")) // zero where there is none
	}
	said := err
	err = fault.Explain(ctx, "listing buckets at", p.client.Place("", "", ""), err)
	var known *sdk.Error
	errors.As(err, &known)
	var found []sdk.Finding
	if said != nil && fault.Status(said) == 0 {
		return append(found, bad(findingReachable, fmt.Sprintf("%s cannot be used: %v", p.client.Endpoint(), err),
			"check endpoint and path_style in the provider's config block, and whether the store runs")), false
	}
	found = append(found, good(findingReachable, "%s answers", p.client.Endpoint()))
	skewed := fault.Code(said) == "RequestTimeTooSkewed"
	if !date.IsZero() {
		found = append(found, clock(date, before, time.Now()))
		skewed = skewed && found[len(found)-1].OK // told already
	}
	switch {
	case err == nil:
		return append(found, good(findingAccepted, "the store takes the credentials")), true
	case known != nil && known.Code == fault.CodeForbidden:
		return append(found, good(findingAccepted, "the store knows the credentials, which may not list buckets")), true
	case known != nil && known.Code == fault.CodeCredentials:
		return append(found, bad(findingAccepted, err.Error(), "correct access_key_id and secret_access_key, or profile, in the provider's config block")), false
	case known != nil && known.Code == fault.CodeRegion:
		return append(found, bad(findingRegion, err.Error(), "correct region in the provider's config block")), false
	case skewed:
		return append(found, bad(findingClock, err.Error(), setClocks)), false
	}
	return append(found, bad(findingAccepted, err.Error(), "check endpoint, region and path_style in the provider's config block")), false
}

// setClocks is what to do about clocks that differ.
const setClocks = "set the clocks by NTP on both: `timedatectl set-ntp true`, or `chronyc makestep`"

// clock compares the store's time, which it told between two moments of ours.
func clock(theirs, before, after time.Time) sdk.Finding {
	if theirs.After(before.Add(-time.Second-maxSkew)) && theirs.Before(after.Add(maxSkew)) { // it tells whole seconds
		return good(findingClock, "the store's clock and this machine's agree")
	}
	return bad(findingClock, fmt.Sprintf("the store's clock says %s, this machine's %s: requests count as outdated, or as not valid yet",
		theirs.UTC().Format(time.DateTime), after.UTC().Format(time.DateTime)), setClocks)
}

// checkBucket tells whether a bucket of the policy is there, and can be read.
func (p *Provider) checkBucket(ctx context.Context, name string) sdk.Finding {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := p.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(name), MaxKeys: aws.Int32(1)})
	err = fault.Explain(ctx, "reading", p.client.Place(name, "", ""), err)
	f := good(findingBucket, "it is there, and can be read")
	var known *sdk.Error
	switch {
	case err == nil:
	case errors.As(err, &known) && known.Code == fault.CodeNoBucket:
		f = bad(findingBucket, err.Error(), fmt.Sprintf("make it (`aws s3 mb s3://%s --endpoint-url %s`), or take it out of `buckets` in the policy", name, p.client.Endpoint()))
	case errors.As(err, &known) && known.Code == fault.CodeForbidden:
		f = bad(findingBucket, err.Error(), "allow these credentials to list and read it; where single objects are enough, this can be left as it is")
		f.Warning = true
	case errors.As(err, &known) && known.Code == fault.CodeRegion:
		f = bad(findingBucket, err.Error(), "declare an instance of the provider with that bucket's region")
	default:
		f = bad(findingBucket, err.Error(), "check whether the store runs well")
	}
	f.Subject = name
	return f
}

func good(name, format string, args ...any) sdk.Finding {
	return sdk.Finding{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)}
}

func bad(name, detail, remedy string) sdk.Finding {
	return sdk.Finding{Name: name, Detail: detail, Remedy: remedy}
}
