// Package client makes S3 clients from what worker.hcl says and what the AWS SDK's own chain finds.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

const (
	// defaultRegion is taken for endpoints that are not Amazon's where nothing names one: most of them have just this.
	defaultRegion = "us-east-1"
	// headerTimeout is how long a server may think before it answers; completing a large upload takes long.
	headerTimeout = 2 * time.Minute
)

// Config is where and as whom to connect. What is empty comes from the SDK's own chain: environment, profile, and the
// machine's role.
type Config struct {
	Endpoint        string // URL; Amazon's own if empty
	Region          string
	PathStyle       bool
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Profile         string
}

// Client is an S3 client that knows where it connects to. It may be used concurrently.
type Client struct {
	*s3.Client
	creds    aws.CredentialsProvider
	endpoint string
	region   string
}

// New makes a client. It sends nothing.
func New(ctx context.Context, c Config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	conf, err := config.LoadDefaultConfig(ctx, c.options()...)
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	endpoint := c.Endpoint
	client := s3.NewFromConfig(conf, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
		if o.BaseEndpoint != nil {
			endpoint = *o.BaseEndpoint
			if o.Region == "" {
				o.Region = defaultRegion
			}
		}
	})
	region := client.Options().Region
	if region == "" {
		return nil, errors.New("no region is set: write region into the config block, or set AWS_REGION")
	}
	if endpoint == "" {
		endpoint = "Amazon S3 in " + region
	}
	return &Client{Client: client, creds: client.Options().Credentials, endpoint: endpoint, region: region}, nil
}

func (c Config) validate() error {
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("endpoint %q is not a URL: write http://HOST:PORT or https://HOST", c.Endpoint)
		}
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return errors.New("access_key_id and secret_access_key belong together: set both, or neither")
	}
	if c.SessionToken != "" && c.AccessKeyID == "" {
		return errors.New("session_token needs access_key_id and secret_access_key")
	}
	return nil
}

func (c Config) options() []func(*config.LoadOptions) error {
	opts := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // what matters is in the errors
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = headerTimeout
			t.MaxIdleConnsPerHost = 64
		})),
	}
	if c.Region != "" {
		opts = append(opts, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKeyID != "" {
		opts = append(opts, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	return opts
}

// Place is an object (or, with an empty key, a bucket) at this client's endpoint.
func (c *Client) Place(bucket, key, version string) fault.Place {
	return fault.Place{Endpoint: c.endpoint, Region: c.region, Bucket: bucket, Key: key, Version: version}
}

// Endpoint is where the client connects to, for people.
func (c *Client) Endpoint() string { return c.endpoint }

// Authenticated finds credentials, so that a lack of them is told from a server that refuses them. They may come over the
// network, so that trying again can help.
func (c *Client) Authenticated(ctx context.Context) error {
	_, err := c.creds.Retrieve(ctx)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return &sdk.Error{Code: fault.CodeCredentials, Err: fmt.Errorf(
		"no credentials for %s were found: set access_key_id and secret_access_key, or profile, in the provider's config block: %w", c.endpoint, err)}
}
