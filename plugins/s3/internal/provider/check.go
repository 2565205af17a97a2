package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

// Check implements sdk.Checker: are there credentials, and does the store take them?
func (p *Provider) Check(ctx context.Context) ([]sdk.Finding, error) {
	if p.problem != nil {
		return []sdk.Finding{{ //nolint:nilerr // a finding is how it is told
			Name: "configuration", Detail: p.problem.Error(), Remedy: "correct the provider's config block in worker.hcl",
		}}, nil
	}
	if err := p.client.Authenticated(ctx); err != nil {
		return []sdk.Finding{{ //nolint:nilerr // a finding is how it is told
			Name: "credentials", Detail: err.Error(),
			Remedy: "set access_key_id and secret_access_key, or profile, in the provider's config block",
		}}, nil
	}
	return []sdk.Finding{{Name: "credentials", OK: true, Detail: "credentials were found"}, p.checkStore(ctx)}, nil
}

func (p *Provider) checkStore(ctx context.Context) sdk.Finding {
	_, err := p.client.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	if err == nil {
		return sdk.Finding{Name: "store", OK: true, Detail: p.client.Endpoint() + " answers and takes the credentials"}
	}
	err = fault.Explain(ctx, "listing buckets at", p.client.Place("", "", ""), err)
	var known *sdk.Error
	if errors.As(err, &known) && known.Code == fault.CodeForbidden {
		return sdk.Finding{Name: "store", OK: true, Detail: p.client.Endpoint() + " answers and knows the credentials, which may not list buckets"}
	}
	return sdk.Finding{Name: "store", Detail: fmt.Sprintf("%s cannot be used: %v", p.client.Endpoint(), err), Remedy: remedy(known)}
}

func remedy(e *sdk.Error) string {
	switch {
	case e != nil && e.Code == fault.CodeCredentials:
		return "correct access_key_id and secret_access_key, or profile, in the provider's config block"
	case e != nil && e.Code == fault.CodeRegion:
		return "correct region in the provider's config block"
	}
	return "check endpoint, region and path_style in the provider's config block, and whether the store runs"
}
